"""Hidden checks: what they are made of, how many, and where they stand."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.review.test_sample import full
from zantara_exp.config.decision import Checks
from zantara_exp.review.checks import made, placed, wanted
from zantara_exp.review.sample import CUT, IDENTICAL, OTHER, Check, blinded

LONG = "Kuta is the best place to learn to surf, since its waves are small and its sand is soft. Bring water."


def row(number: int, category: str = "casual", candidate: str = "") -> dict[str, object]:
    said = candidate or f"{LONG} {number}"
    return {**full(number), "category": category, "primary_response": f"Yes. {LONG}", "candidate_response": said}


def sides(check: Check) -> tuple[str, str]:
    """The side that is known to be worse, and the other."""
    item = check.item
    both = item.answer_a, item.answer_b
    return both if item.candidate == "A" else (both[1], both[0])


@pytest.mark.parametrize(("pairs", "expected"), [(50, (2, 4)), (20, (1, 2)), (200, (8, 16)), (60, (3, 5)), (0, (0, 0))])
def test_as_many_as_asked_for_among_every_fifty(pairs: int, expected: tuple[int, int]) -> None:
    assert wanted(pairs, Checks()) == expected


def test_their_right_answer_is_known() -> None:
    rows = [row(number, "greeting" if number % 2 else "casual") for number in range(30)]
    found = made(rows, 50, Checks(), 7)
    assert Counter(check.kind for check in found) == {CUT: 2, OTHER: 2, IDENTICAL: 2}
    for check in found:
        worse, better = sides(check)
        if check.kind == IDENTICAL:
            assert worse == better
        elif check.kind == CUT:
            assert LONG.startswith(worse)
            assert better == f"Yes. {LONG}"
        else:
            asked, answered = (int(source[1:]) for source in check.sources)
            assert asked % 2 != answered % 2  # of another category
            assert worse == f"{LONG} {answered}"
    assert made(rows, 50, Checks(), 7) == found


def test_a_log_without_fitting_texts_gives_fewer() -> None:
    short = [row(number, candidate="ok") for number in range(9)]
    assert [check.kind for check in made(short, 50, Checks(), 7)] == [IDENTICAL] * 2
    assert made([], 50, Checks(), 7) == []


def test_they_stand_anywhere_among_the_pairs_of_each_block() -> None:
    rows = [row(number, "greeting" if number % 2 else "casual") for number in range(60)]
    first = set()
    for seed in range(40):
        items, checks = placed(blinded([full(n) for n in range(100)], seed), made(rows, 100, Checks(), seed), seed)
        numbers = [check.item.number for check in checks]
        assert sorted([*numbers, *(item.number for item in items)]) == list(range(1, 113))
        assert [item.number for item in items] == sorted(item.number for item in items)
        assert sum(number <= 56 for number in numbers) == 6  # a look at the first 50 has its share
        first.add(min(numbers))
    assert len(first) > 5
    sides_of = Counter(check.item.candidate for check in checks)
    assert len(sides_of) == 2


def test_every_language_has_its_share_of_them_in_every_block() -> None:
    """Who reads one language meets no other checks."""
    spoken = ["it"] * 25 + ["en"] * 15 + ["id"] * 10
    for seed in range(5):
        chance = random.Random(seed)
        rows = [{**row(number), "language": language} for number, language in enumerate(spoken * 2)]
        chance.shuffle(rows)
        items, checks = placed(blinded([full(n) for n in range(200)], seed), made(rows, 200, Checks(), seed), seed)
        found = Counter(check.item.language for check in checks)
        assert all(abs(found[language] - 24 * spoken.count(language) / 50) <= 1.5 for language in set(spoken))
        for first in range(0, 224, 56):
            block = Counter(check.item.language for check in checks if first < check.item.number <= first + 56)
            assert all(block[language] for language in set(spoken))
