"""The dataset card: describes the folder for readers and, by its header, for the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.dataset import records
from zantara_exp.dataset.output import FOLDER, SPLITS

NAME = "README.md"


def card(facts: Mapping[str, Any], extracted: Mapping[str, Any], dataset: Dataset, files: Mapping[str, str]) -> str:
    """The card's text, from prepare.json, extract.json and the files' SHA-256."""
    period = f"{extracted['first']} to before {extracted['end']}" if extracted else "unknown"
    origin = f"table `{extracted['table']}`, source `{extracted['source']}`" if extracted else "unknown"
    total = sum(facts["examples"].values())
    lines = [
        *_header(dataset, total),
        "# Conversations to fine-tune on",
        "",
        f"{total} examples of {facts['kept']} conversations, out of {facts['conversations']}. "
        f"Period: {period} (UTC). Origin: {origin}.",
        f"License: {dataset.license}.",
        "",
        'Each line is `{"messages": [system, user, assistant, ...], "metadata": {...}}`. Users are keyed hashes and',
        f"stand in one split only. `{FOLDER}/` holds the same as a `datasets.DatasetDict`.",
        "",
        "## Examples",
        *_grid(["split", "examples", "users", "shortened to the history limit"], _splits(facts)),
        "## Mix",
        *_grid(["", "", "clean", "here", "target"], _mix(facts)),
        f"Balance: {facts['balance']}.",
        *(f"- missing for the mix: {line}" for line in facts["missing"]),
        "",
        "## Left out",
        f"{facts['conversations'] - facts['kept']} conversations, each in `rejected.jsonl` with its reason; "
        f"{facts['quality']:.1%} passed the filters (target {dataset.targets.quality:.0%}).",
        "",
        f"Of {facts['turns']['in']} questions and answers {facts['turns']['kept']} are kept; what was taken out of "
        "conversations that stay is in `rejected_turns.jsonl`.",
        *_grid(["reason", "conversations", "turns of others"], _left_out(facts)),
        "## Personal data",
        "Redacted before anything was written. Patterns and checks find most of it, not all: go on treating the texts",
        "as personal data.",
        "",
        *_grid(["kind", "placeholders"], [[kind, str(n)] for kind, n in extracted.get("redacted", {}).items()]),
        "## Leakage between splits",
        "A turn is a question and its answer; each of a held-out example is scored. What training nearly holds was",
        "left out of the held-out examples (`near_duplicate_of_train`).",
        *_grid(["", "found"], [[what, str(count)] for what, count in facts["leakage"].items()]),
        "## Files",
        *_grid(["file", "SHA-256"], [[name, f"`{digest}`"] for name, digest in files.items()]),
    ]
    return "\n".join(lines)


def hashes(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file that is there, by its name."""
    return {path.name: records.digest(path) for path in paths if path.exists()}


def _header(dataset: Dataset, total: int) -> list[str]:
    sizes = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K"}
    size = next((name for limit, name in sizes.items() if total < limit), "100K<n<1M")
    files = [f"  - split: {hub}\n    path: {name}.jsonl" for name, hub in SPLITS.items()]
    return [
        "---",
        "license: other",
        f"license_name: {_quoted(dataset.license)}",
        "language:",
        *(f"- {_quoted(name)}" for name in dataset.languages),  # YAML reads a bare `no` as false
        f"size_categories:\n- {size}",
        "task_categories:\n- text-generation",
        "configs:\n- config_name: default\n  data_files:",
        *files,
        "---",
        "",
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _splits(facts: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, str(count), str(facts["users"][name]), str(facts["shortened"][name])]
        for name, count in facts["examples"].items()
    ]


def _left_out(facts: Mapping[str, Any]) -> list[list[str]]:
    chats, turns = facts["rejected"], facts["turns"]["rejected"]
    return [[name, str(chats.get(name, 0)), str(turns.get(name, 0))] for name in {**chats, **turns}]


def _mix(facts: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for side, mix in facts["mix"].items():
        for name in sorted({*mix["target"], *mix["after"]}, key=lambda one: -mix["target"].get(one, 0)):
            rows.append([side, name, *shares_of(mix, name)])
    return rows


def shares_of(mix: Mapping[str, Mapping[str, float]], name: str) -> list[str]:
    """Of one label: the share before and after, and what is asked for; `none` where no mix is."""
    shares = [f"{mix[when].get(name, 0.0):.1%}" for when in ("before", "after")]
    return [*shares, f"{mix['target'].get(name, 0.0):.1%}" if mix["target"] else "none"]


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["", "None.", ""]
    cells = [columns, ["---"] * len(columns), *rows]
    return ["", *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells), ""]
