"""`zantara-exp init DIR`: a folder of one's own config groups to start from.

Its files have the names of shipped ones and win over them with `--config-dir DIR`; `experiment=ours` chooses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from shlex import quote

from zantara_exp import terminal
from zantara_exp.config import CONF
from zantara_exp.config.data import Columns
from zantara_exp.config.fields import default_of, doc_of
from zantara_exp.errors import ZantaraError
from zantara_exp.hints import command, start
from zantara_exp.stage import OK, Table

_COPIED = {
    "dataset/default.yaml": "system prompt, languages, what is filtered, the mix you aim at",
    "primary/anthropic.yaml": "the model that answers today, where it is to be asked anew",
    "endpoint/runpod.yaml": "where the candidate is served",
    "cost/usage.yaml": "prices, the flat fee, requests a month",
    "gate/go_no_go.yaml": "what must be shown for GO",
}
_EXPERIMENT = """\
# @package _global_
# Your experiment: what stands for the shipped defaults. Secrets stay in the environment: DATABASE_URL,
# ZANTARA_HASH_KEY, RUNPOD_ENDPOINT, RUNPOD_API_KEY, ANTHROPIC_API_KEY.
#   {extract}
#   {check}
defaults:
  - override /source: postgres
  - override /model: llama8b
  - override /trainer: unsloth
  - override /endpoint: runpod
"""
_SOURCE = """
# Which table, and where it keeps each fact: a column, a JSON path such as `metadata.model`, or "" for nothing.
table: conversations
columns:
{columns}
# How many days back from the newest conversation, at most how many, answered by which models ([] keeps all).
days: 30
limit: 5000
models: [haiku, sonnet]
"""


def init(arguments: Sequence[str]) -> int:
    """Write the folder that `arguments` name. Raises ZantaraError rather than replace a file."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise ZantaraError("init takes one folder to write", hint=start())
    folder = Path(arguments[0])
    texts = {name: (CONF / name).read_text(encoding="utf-8") for name in _COPIED}
    texts["source/postgres.yaml"] = (CONF / "source/postgres.yaml").read_text(encoding="utf-8") + _source()
    texts["experiment/ours.yaml"] = _EXPERIMENT.format(
        extract=_ours(folder, "stage=extract", "source.stats_only=true"), check=_ours(folder, "stage=check")
    )
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise ZantaraError(
            f"{folder} holds {', '.join(there)} already, and init replaces nothing", hint=f"ls {quote(str(folder))}"
        )
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    about = {"source/postgres.yaml": "your database", **_COPIED, "experiment/ours.yaml": "which of these are chosen"}
    terminal.show(Table(f"wrote {folder}", [], [[name, about[name]] for name in about]))
    terminal.say(f"next: {_ours(folder, 'stage=doctor')}")
    return OK


def _ours(folder: Path, *overrides: str) -> str:
    return command("experiment=ours", *overrides, config_dir=folder)


def _source() -> str:
    declared = [(field.name, f"{default_of(field)}", doc_of(field)) for field in fields(Columns)]
    width = max(len(f"{name}: {value}") for name, value, _ in declared)
    lines = [f"  {f'{name}: {value}':<{width}}  # {doc}" for name, value, doc in declared]
    return _SOURCE.format(columns="\n".join(lines))
