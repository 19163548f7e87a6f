"""Patterns that would match anything, mean something else once joined, or hang are refused, with what is valid."""

import pytest

from zantara_exp.text.patterns import faults


@pytest.mark.parametrize(
    ("pattern", "moves", "told"),
    [
        ("hoi|", True, "where nothing stands"),
        ("(?:hoi)?", True, "where nothing stands"),
        (".*", False, "where nothing stands"),
        (r"\w+", False, "any word"),
        ("[а-яё]+", True, "any word"),
        (r"\w{5}", True, "any word"),
        ("[一-龥]+", True, "any word"),
        ("hoi .*", True, "whatever else a text says"),
        ("(?i)hoi", True, "sets a flag for all"),
        (r"(\w)\1", False, "refers back"),
        ("(?P<a>x)y", True, "names a group"),
        ("(", True, "no regular expression"),
        ("(?:a+)+b", False, "takes too long, such as on 'aaa...'"),
        ("(?:(?:ja|jaa)+ ?)+z", True, "takes too long"),
        ("(?:[a-z0-9]+[._-]?)+@x", None, "takes too long"),
    ],
)
def test_what_is_refused(pattern: str, moves: bool | None, told: str) -> None:
    found = faults(pattern, moves)
    assert any(told in each and repr(pattern) in each for each in found), found


@pytest.mark.parametrize(
    ("pattern", "moves"),
    [("[а-яё]+", False), (r"\\1x", True), ("hoi .{0,30}", True), ("(?:bitte|danke)+", True), (r"\bhotline\b", None)],
)
def test_what_is_sound(pattern: str, moves: bool | None) -> None:
    assert faults(pattern, moves) == ()
