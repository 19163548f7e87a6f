"""Hidden checks: pairs whose right answer is known, among those that are evidence.

A reviewer meets them like any other pair: of the same log, redacted alike, sides shuffled, numbered through. Who calls
one answer better than itself, or an answer that stops halfway no worse, does not read; `panel.py` counts how often.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from zantara_exp.config.decision import Checks
from zantara_exp.review.sample import CUT, IDENTICAL, OTHER, Check, Item, blinded, check_id

BLOCK = 50
"""Pairs among which the checks are counted and scattered, so that an early look has its share."""
_SPARE = 4
"""Comparisons to make one check of: not every text can be cut, or has another to be swapped with."""
_LONG_ENOUGH = 60
"""Characters of an answer of which 40 % are plainly not all of it."""

Row = Mapping[str, Any]


def wanted(pairs: int, checks: Checks) -> tuple[int, int]:
    """How many identical and worse ones go among `pairs`."""
    blocks = _blocks(pairs)
    return sum(_share(checks.identical, size) for size in blocks), sum(_share(checks.worse, size) for size in blocks)


def spare(pairs: int, checks: Checks) -> int:
    """Comparisons to draw beside the pairs, for checks to be made of."""
    return _SPARE * sum(wanted(pairs, checks))


def _blocks(pairs: int) -> list[int]:
    return [min(BLOCK, pairs - first) for first in range(0, pairs, BLOCK)]


def _share(count: int, block: int) -> int:
    return min(count, ceil(count * block / BLOCK))


def made(rows: Sequence[Row], pairs: int, checks: Checks, seed: int) -> list[Check]:
    """Checks of comparisons with their texts; fewer than wanted where the log does not give more.

    An answer is put under a question of another category: those of one category often fit each other. Each language
    has its share of them: who reads one alone meets no others.
    """
    same, worse = wanted(pairs, checks)
    rows = _evenly(rows)
    found: list[Check] = []
    for row in rows[same:]:
        if len(found) < worse:
            found += _worse(row, rows, len(found), seed)
    return [*found, *(_identical(row, seed) for row in rows[:same])]


def _evenly(rows: Sequence[Row]) -> list[Row]:
    """In an order of which each stretch has its share of every language."""
    sizes, seen = Counter(row["language"] for row in rows), Counter[str]()
    places = []
    for row in rows:
        seen[row["language"]] += 1
        places.append((seen[row["language"]] - 0.5) / sizes[row["language"]])
    return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda each: each[0])]


def _identical(row: Row, seed: int) -> Check:
    return _check({**row, "candidate_response": row["primary_response"]}, IDENTICAL, [row["comparison_id"]], seed)


def _worse(row: Row, rows: Sequence[Row], turn: int, seed: int) -> Iterator[Check]:
    """A check with one bad side, by turns of both kinds; none where the texts give neither."""
    said, source = row["candidate_response"].strip(), row["comparison_id"]
    fitting = {said, row["primary_response"].strip()}
    others = [
        other
        for other in rows
        if other["language"] == row["language"]
        and other["category"] != row["category"]
        and other["candidate_response"].strip() not in fitting
    ]
    kinds = [kind for kind, there in ((CUT, len(said) >= _LONG_ENOUGH), (OTHER, bool(others))) if there]
    if not kinds:
        return
    kind = kinds[turn % len(kinds)]
    if kind == CUT:
        yield _check({**row, "candidate_response": said[: len(said) * 2 // 5].strip()}, CUT, [source], seed)
        return
    other = min(others, key=lambda each: _lot(seed, source, each["comparison_id"]))
    swapped = {**row, "candidate_response": other["candidate_response"]}
    yield _check(swapped, OTHER, [source, other["comparison_id"]], seed)


def _lot(seed: int, *names: str) -> str:
    return hashlib.sha256(":".join([str(seed), "check", *names]).encode()).hexdigest()


def _check(row: Row, kind: str, sources: Sequence[str], seed: int) -> Check:
    """A side of its own for each: `blinded` gives the first row of a list the same one each time."""
    (item,) = blinded([row], int(_lot(seed, kind, *sources)[:8], 16))
    return Check(item, kind, tuple(sources))


def placed(items: Sequence[Item], checks: Sequence[Check], seed: int) -> tuple[tuple[Item, ...], tuple[Check, ...]]:
    """Both numbered through from 1, the checks scattered at random over every block of pairs."""
    chance = random.Random(f"{seed}:checks")  # noqa: S311  # places, not secrets
    # sorted, so that every block has its share of each language
    shuffled = sorted(chance.sample(list(checks), len(checks)), key=lambda check: check.item.language)
    blocks = max(1, ceil(len(items) / BLOCK))
    order: list[Item | Check] = []
    for number in range(blocks):
        block = [*items[number * BLOCK : (number + 1) * BLOCK]]
        mixed: list[Item | Check] = [*block]
        for check in shuffled[number::blocks]:
            mixed.insert(chance.randrange(len(mixed) + 1), check)
        order += mixed
    pairs, hidden = [], []
    for place, each in enumerate(order, 1):
        if isinstance(each, Item):
            pairs.append(replace(each, number=place))
        else:
            named = replace(each.item, number=place, comparison_id=check_id(place))
            hidden.append(replace(each, item=named))
    return tuple(pairs), tuple(hidden)
