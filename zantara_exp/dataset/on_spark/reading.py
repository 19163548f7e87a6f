"""What workers read of the conversations that stage `extract` wrote, by ranges of the file: facts, at last lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.dataset.duplicates import Sketch, words_of
from zantara_exp.dataset.filters import Filters, Sifted, left_of
from zantara_exp.dataset.growing_rows import told_by
from zantara_exp.dataset.records import Record, is_conversation
from zantara_exp.dataset.same_answers import SAME_ANSWER, keys_in
from zantara_exp.dataset.selection import Selection
from zantara_exp.dataset.summary import dated
from zantara_exp.dataset.turns import turns_of
from zantara_exp.spark import Row

_LEAST_BYTES, _MOST_BYTES = 1_000_000, 256_000_000
"""Of a range."""
_RANGES_PER_CORE = 4
_ROWS = 200
"""Whose facts are worked out together."""
FACTS = """
    at long, id string, forgotten boolean, user string, session string, time string, day string, language string,
    category string, told array<binary>, reason string, dropped array<struct<place: int, reason: string>>, turns int,
    words array<string>, keys array<binary>, said array<struct<place: int, answer: binary, question: binary>>
"""
"""`at` is where the line begins; `told` are hashes of the turns; from `turns` on it is of what the filters leave."""
LINES = "kind string, step int, time string, name string, at long, place int, why string, turns int, line binary"
"""`kind` is kept, rejected, or turn: one that was taken out."""


class Lines(NamedTuple):
    """The lines of a file that begin in a range of bytes."""

    path: Path
    begin: int
    end: int

    def records(self) -> Iterator[tuple[int, Record]]:
        """Where each begins, and what it holds. Raises ZantaraError for a line that is no conversation."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.begin - 1))
            if self.begin:
                file.readline()
            at = file.tell()
            while at < self.end and (line := file.readline()):
                yield at, _record(self.path, line)
                at += len(line)


def ranges_of(path: Path, cores: int) -> list[Lines]:
    """A file in ranges, a few a core."""
    size = path.stat().st_size
    step = min(_MOST_BYTES, max(_LEAST_BYTES, ceil(size / (_RANGES_PER_CORE * cores))))
    return [Lines(path, begin, min(size, begin + step)) for begin in range(0, max(size, 1), step)]


def facts(config: Config, forgotten: frozenset[str], ranges: Sequence[Lines], numbers: Iterator[Row]) -> Iterator[Row]:
    """What the steps ask of each conversation of some ranges."""
    ask, sketch = _filters(config), Sketch(config.dataset.near_duplicate_jaccard)
    for row in numbers:
        read = ranges[row["id"]].records()
        while some := list(islice(read, _ROWS)):
            sifted = ask.sift_all([record for _, record in some])
            left = [left_of(record, each) for (_, record), each in zip(some, sifted, strict=True)]
            words = [words_of(each) if each else frozenset[str]() for each in left]
            keys = sketch.of(words).keys()
            for (at, record), said, rest, held, near in zip(some, sifted, left, words, keys, strict=True):
                yield _facts(at, record, said, rest, held, near) | {"forgotten": record["user"] in forgotten}


_known: dict[str, Filters] = {}
"""Those of this process: their models of languages take a second."""


def _filters(config: Config) -> Filters:
    mark = repr(config)
    if mark not in _known:
        _known.clear()
        _known[mark] = Filters(config)
    return _known[mark]


def _facts(
    at: int, record: Record, sifted: Sifted, left: Record | None, words: frozenset[str], keys: Sequence[bytes]
) -> Row:
    told, (day, cell) = told_by(record), dated(record)
    return {
        "at": at,
        "id": told.name,
        "user": told.user,
        "session": told.session,
        "time": record["timestamp"],
        "day": day,
        "language": cell[0],
        "category": cell[1],
        "told": list(told.turns),
        "reason": sifted.reason,
        "dropped": [{"place": place, "reason": reason} for place, reason in sorted(sifted.dropped.items())],
        "turns": len(turns_of(left["messages"])) if left else 0,
        "words": list(words),
        "keys": list(keys) if left else [],
        "said": [key._asdict() for key in keys_in(left)] if left else [],
    }


def lines(path: Path, verdicts: Iterator[Row]) -> Iterator[Row]:
    """What becomes of conversations whose verdicts come in the order of the file."""
    with path.open("rb") as file:
        for verdict in verdicts:
            file.seek(verdict["at"])
            record = {**_record(path, file.readline()), "conversation_id": verdict["name"]}
            yield from _lines(record, verdict)


def _lines(record: Record, verdict: Row) -> Iterator[Row]:
    """The steps as `Selection` takes them, for one."""
    name, step, selection = verdict["name"], verdict["step"], Selection([record])
    said = {"reason": verdict["why"], **({"of": verdict["of"]} if verdict["of"] is not None else {})}
    told: list[tuple[str, int, int, str, Record]] = []
    if step not in (1, 2):
        selection.trim({name: {each["place"]: {"reason": each["reason"]} for each in verdict["dropped"]}})
        told += [("turn", 2, place, turn["reason"], turn) for place, turn in enumerate(selection.rejected_turns)]
        first = len(told)
        if step != 3:
            selection.trim({name: {place: {"reason": SAME_ANSWER} for place in verdict["over"]}})
            turns = enumerate(selection.rejected_turns[first:])
            told += [("turn", 4, place, turn["reason"], turn) for place, turn in turns]
    if step and selection.kept:
        selection.reject({name: said})
    told += [("kept", 0, 0, "", each) for each in selection.kept]
    told += [("rejected", step, 0, each["reason"], each) for each in selection.rejected]
    for kind, at_step, place, why, each in told:
        yield {
            "kind": kind,
            "step": at_step,
            "time": verdict["time"],
            "name": name,
            "at": verdict["at"],
            "place": place,
            "why": why,
            "turns": len(turns_of(each["messages"])) if kind == "rejected" else 0,
            "line": orjson.dumps(each),
        }


def _record(path: Path, line: bytes) -> Record:
    try:
        found: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not is_conversation(found):
        raise ZantaraError(f"{path} holds a line that is no conversation", command("stage=extract", "force=true"))
    return dict(found)
