"""What gates said of recorded looks stands, word by word and digit by digit, whatever is redrawn inside."""

import json
import math

import pytest

from tests.gates.recorded import FILE, said

RECORD = json.loads(FILE.read_text())


def same(first: str, second: str) -> bool:
    """Whether two lines say the same; numbers may differ in the seventh digit, which nobody prints."""
    words = first.split(), second.split()
    return len(words[0]) == len(words[1]) and all(map(_same_word, *words))


def _same_word(first: str, second: str) -> bool:
    try:
        return first == second or math.isclose(float(first), float(second), rel_tol=1e-7, abs_tol=1e-7)
    except ValueError:
        return False


@pytest.fixture(scope="module")
def now():
    return dict(said(RECORD))


@pytest.mark.parametrize("part", RECORD["said"])
def test_a_recorded_look_says_what_it_said(now, part):
    before, after = RECORD["said"][part], now[part]
    changed = [f"{old}\n{new}" for old, new in zip(before, after, strict=False) if not same(old, new)]
    assert not changed, "\n".join(changed[:6])
    assert len(before) == len(after)


def test_nothing_is_said_that_is_not_recorded(now):
    assert now.keys() == RECORD["said"].keys()


def test_a_digit_that_is_printed_is_seen():
    assert same("PASS 0.99000000001 x", "PASS 0.99 x")
    assert not same("PASS 0.991 x", "PASS 0.99 x")
    assert not same("PASS 0.99 x", "FAIL 0.99 x")
