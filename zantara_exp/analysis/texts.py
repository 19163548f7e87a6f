"""Texts of comparisons, read from the lines of the log that facts point to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.io.event_log import Part
from zantara_exp.shadow.reader import BadLine, parse_line
from zantara_exp.shadow.record import Comparison

Place = tuple[str, int]
"""Name of the part, and where in it."""


def comparisons_at(parts: Sequence[Part], places: Sequence[Place]) -> Iterator[tuple[Place, Comparison]]:
    """The comparisons at these places, in the order of the log. Users are left as they stand there.

    Raises ZantaraError where the log is another than the facts were derived from.
    """
    known = {part.name: part for part in parts}
    for name, group in groupby(sorted(set(places)), key=lambda place: place[0]):
        where = [place for _, place in group]
        lines = list(known[name].lines_at(where)) if name in known else []
        if len(lines) != len(where):
            raise _changed(name)
        for place, line in zip(where, lines, strict=True):
            yield (name, place), _read(name, line)


def pairs_at(parts: Sequence[Part], rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The candidate's and the primary's answer of each fact (`comparison_id`, `part`, `place`), in their order."""
    found = {
        place: (item.candidate.response, item.primary.response)
        for place, item in comparisons_at(parts, [(row["part"], row["place"]) for row in rows])
    }
    return [found[row["part"], row["place"]] for row in rows]


def _read(name: str, line: bytes) -> Comparison:
    try:
        item = parse_line(line, hash_user=str)
    except BadLine:
        raise _changed(name) from None
    if not isinstance(item, Comparison):
        raise _changed(name)
    return item


def _changed(name: str) -> ZantaraError:
    return ZantaraError(f"{name} of the comparison log changed while it was read", command("stage=report"))
