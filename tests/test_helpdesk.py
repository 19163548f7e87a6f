"""A product that is not the plan's, as a user runs it: from its database to a verdict, by `domain=helpdesk` alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_pipeline import SMALL, lines, run, stop_database

STEPS = ["extract", "analyze", "prepare", "gate=dataset", "train", "shadow", "report", "gate"]
QUICK = [
    *SMALL,
    "domain=helpdesk",
    "demo.conversations=500",
    "dataset.max_train_rows=200",
    "primary.limit=24",
    "stage.steps=[" + ",".join(f"'{step}'" for step in STEPS) + "]",
]
OF_ANOTHER = re.compile(r"\b(?:bali|italian|indonesian|casual|malu|visas?|kitas|rupiah|greeting)\b", re.IGNORECASE)
"""What only the other product would say."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("helpdesk")
    done = run(folder, *QUICK)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield folder, done.stdout
    stop_database(folder)


def test_it_ends_in_a_verdict(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    verdict = json.loads((folder / "reports" / "verdict.json").read_text())
    assert verdict["verdict"] == "NO_GO"  # so small a model learns nothing
    assert [line.split("] ")[1] for line in printed.splitlines() if re.match(r"\[\d/\d\] ", line)] == STEPS
    (quality,) = [each for each in verdict["criteria"] if each["name"] == "quality"]
    assert re.search(r"stage=review .*domain=helpdesk", quality["reason"])  # what it says to do next
    assert "Traceback" not in printed


def test_chats_are_of_its_languages_and_categories(finished: tuple[Path, str]) -> None:
    raw = lines(finished[0] / "data" / "llama_ft_dataset" / "raw_conversations.jsonl")
    counted = {
        name: Counter(row["metadata"][name] for row in raw)  # type: ignore[index]
        for name in ("language", "category")
    }
    assert set(counted["language"]) - {"unknown"} == {"de", "fr", "en"}
    assert set(counted["category"]) == {"smalltalk", "orders", "technical", "refunds"}
    assert counted["language"]["de"] > counted["language"]["fr"]


def test_only_what_it_may_move_was_asked_of_the_candidate(finished: tuple[Path, str]) -> None:
    logged = [
        row
        for path in sorted((finished[0] / "logs" / "shadow_mode").glob("shadow_comparison_*.jsonl"))
        for row in lines(path)
        if row["arm"] == "candidate"
    ]
    assert 10 <= len(logged) <= 24  # what is not surely movable was not asked
    assert {row["category"] for row in logged} == {"smalltalk"}
    said = [message["content"] for row in logged for message in row["messages"]]  # type: ignore[attr-defined]
    assert "You are LINA, the helpful assistant of Feldlicht." in said


def test_nothing_of_another_product_is_in_what_it_wrote(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    found = Counter(word.group().lower() for word in OF_ANOTHER.finditer(printed))
    kinds = {".json", ".jsonl", ".html", ".md", ".csv", ".txt"}
    read = [path for path in folder.rglob("*") if path.suffix in kinds and ".zantara" not in path.parts]
    for path in read:
        found.update(f"{path.name}: {word.group()}" for word in OF_ANOTHER.finditer(path.read_text(encoding="utf-8")))
    assert {"report.html", "analysis.html", "train.jsonl", "extract.json"} <= {path.name for path in read}
    assert not found


@pytest.mark.interpreter
def test_the_other_product_is_refused_in_its_folder(finished: tuple[Path, str]) -> None:
    done = run(finished[0], "stage=extract")
    assert done.returncode == 1
    assert "holds conversations of another domain, which this would replace" in done.stderr
    assert "the demo (source=embedded), for Feldlicht" in done.stderr
    assert "domain=helpdesk" in done.stderr.split("next:")[1].splitlines()[0]
    assert "stage=extract force=true" in done.stderr.splitlines()[-1]
