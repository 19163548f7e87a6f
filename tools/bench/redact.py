"""`scripts/bench redact`: megabytes of chat that are redacted in a second on one core, beside the redactor before the
packs, and what it finds of the marked texts.

The chats are the demo's messages, put together to two lengths: without figures, with figures, and with one of the
marked texts in every second message. Both redactors take turns on
the same chats in this process; processor time is counted, so other work on the machine distorts it little.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from types import ModuleType
from typing import Any, Protocol

from tools.bench.checkout import ROOT
from tools.bench.redaction import HELD_OUT, SETS, Score, read, scored
from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.config.data import Demo
from zantara_exp.core.stage import Table
from zantara_exp.dataset.demo.generate import rows
from zantara_exp.dataset.demo.phrases import product_of
from zantara_exp.dataset.redact import Redactor

BEFORE = "a5bb201"
_PATTERNS = "_personal"
"""The module that held the patterns then."""
"""The commit whose redactor is compared: nine passes of the telephone matcher, Italy and Indonesia only."""
LENGTHS = {"254 characters": 254, "4 kB": 4_000}
SORTS = ("without figures", "with figures", "with personal data in every second message")
CHATS_KB = 500
TURNS = 5
_SLOWEST = 0.25
"""Seconds a megabyte: four megabytes a second."""
Chat = Sequence[str]


class Texts(Protocol):
    """What redacts the texts of one conversation."""

    def text(self, text: str) -> str:
        """Without personal data."""


New = Callable[[], Texts]


def run(size: int | None, seed: int) -> Report:
    """Time both; `size` is the kilobytes of chats of each sort."""
    started, kilobytes = time.monotonic(), size or CHATS_KB
    new, old = Redactor(), _before()
    table, goals = [], []
    for sort in SORTS:
        for name, length in LENGTHS.items():
            chats = _chats(length, sort, kilobytes, seed)
            ours, theirs = _seconds_a_megabyte(chats, new.conversation, old)
            what = f"{name}, {sort}"
            table.append([what, str(len(chats)), *(f"{1 / each:.2f}" if each else "-" for each in (ours, theirs))])
            goals.append(Goal(f"{what}: seconds a megabyte", round(ours, 3), None, _SLOWEST))
    tables = [Table("megabytes a second", ["chats", "how many", "now", f"at {BEFORE}"], table)]
    found = [scored(name, new.spans)[0] for name in HELD_OUT]
    for what in ("countries", "kinds"):
        by_key: list[dict[str, Score]] = [getattr(each, what) for each in found]
        keys = sorted({key for scores in by_key for key in scores})
        lines = [[key, *_cells([scores.get(key) for scores in by_key])] for key in keys]
        whole = [row[0] for row in lines if _faultless(row)]
        if what == "kinds" and whole:
            lines = [row for row in lines if row[0] not in whole]
            lines.append([f"{len(whole)} others, all found and none wrong: {', '.join(whole)}", "", "", "", ""])
        lines.append(["all", *_cells([each.whole for each in found])])
        columns = ["", "details", "recall", "precision", "wrong placeholders"]
        tables.append(Table(f"marked texts by {what}: sets {', '.join(HELD_OUT)}", columns, lines))
    intro = (
        f"{kilobytes} kB of the demo's chats of each sort, both redactors in turns, {TURNS} times; the median of "
        f"processor time. Load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. Again by:"
    )
    command = f"scripts/bench redact --seed {seed}"
    return Report("redact", command, intro, tables, goals, time.monotonic() - started)


def _faultless(row: Sequence[str]) -> bool:
    """Whether every set has all of this kind, and nothing wrong."""
    _, _, recall, precision, wrong = row
    return {*f"{recall} / {precision}".split(" / ")} <= {"1.000", "-"} and {*wrong.split(" / ")} <= {"0", "-"}


def _cells(scores: Sequence[Score | None]) -> list[str]:
    """One set behind the other."""
    rows = [each.row() if each else ["-"] * 4 for each in scores]
    return [" / ".join(cells) for cells in zip(*rows, strict=True)]


def _chats(length: int, sort: str, kilobytes: int, seed: int) -> list[Chat]:
    """Chats as long as wanted; in every second message, unless there are to be none, is what the sort says."""
    random = Random(seed)  # noqa: S311 - draws messages
    said = [
        message["content"]
        for row in rows(product_of(compose([]).domain), Demo(), seed)
        for message in _messages(row.messages)
    ]
    plain = [text for text in said if not re.search(r"\d|@", text)]
    each_second = {
        SORTS[0]: plain,
        SORTS[1]: [text for text in said if re.search(r"\d", text)],
        SORTS[2]: [each.text for each in read(SETS / "development.txt") if each.details],
    }[sort]
    made: list[Chat] = []
    while sum(map(len, (text for chat in made for text in chat))) < 1_000 * kilobytes:
        chat: list[str] = []
        while (missing := length - sum(map(len, chat))) > 0:
            chat.append(random.choice(each_second if len(chat) % 2 else plain)[:missing])
        made.append(chat)
    return made


def _messages(found: Any) -> list[dict[str, str]]:
    """Those of a row of the demo, some of which are broken."""
    whole = isinstance(found, list) and all(isinstance(each, dict) and "content" in each for each in found)
    return [each for each in found if isinstance(each["content"], str)] if whole else []


def _seconds_a_megabyte(chats: Sequence[Chat], new: New, old: New | None) -> tuple[float, float]:
    """Of both, in turns; 0 for what is not there."""
    megabytes = sum(len(text.encode()) for chat in chats for text in chat) / 1e6
    few = chats[: max(1, len(chats) // 10)]
    ours, theirs = [], [0.0]
    for _ in range(TURNS):
        ours.append(_seconds(chats, new) / megabytes)
        if old is not None:
            theirs.append(_seconds(few, old) / megabytes * len(chats) / len(few))
    return median(ours), median(theirs[1:] or theirs)


def _seconds(chats: Sequence[Chat], conversation: New) -> float:
    begun = time.process_time()
    for chat in chats:
        redactor = conversation()
        for text in chat:
            redactor.text(text)
    return time.process_time() - begun


def _before() -> New | None:
    """The earlier redactor, out of git; None where this is no checkout that has it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (_PATTERNS, "redact"):
            shown = subprocess.run(  # noqa: S603
                ["git", "show", f"{BEFORE}:zantara_exp/dataset/{name}.py"],  # noqa: S607
                cwd=ROOT,
                capture_output=True,
                check=False,
            )
            if shown.returncode:
                return None
            text = shown.stdout.replace(
                f"from zantara_exp.dataset import {_PATTERNS}".encode(), b"import redact_before_of"
            )
            Path(folder, f"redact_before{'_of' if name == _PATTERNS else ''}.py").write_bytes(text)
        _loaded("redact_before_of", folder)
        conversation: New = _loaded("redact_before", folder).Redactor().conversation
    return conversation


def _loaded(name: str, folder: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(folder, f"{name}.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{name} cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
