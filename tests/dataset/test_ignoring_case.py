import re

import pytest

from zantara_exp.dataset.ignoring_case import finds_the_same_in_small, small

PLAIN = ("visa", "straße", r"\bvisa\W", "vis[a-z0-9-]")
CASED = ("VISA", r"v\x69sa", "[+-_]isa", r"[+-\]]isa", r"\\Visa", "(?-i:VISA)", "ς", "ſtraße")


@pytest.mark.parametrize("pattern", PLAIN)
@pytest.mark.parametrize(
    "text", ["a VISA!", "a vıſa", "vİsa", "STRASSE, STRAẞE", "Straße", "VISA\u212a ", "Виза, visa."]
)
def test_what_is_found_in_small_letters_is_what_is_found_case_ignored(pattern: str, text: str) -> None:
    assert finds_the_same_in_small(pattern)
    lowered = small(text)
    if lowered is not None:
        spans = [[found.span() for found in re.finditer(pattern, *asked)] for asked in ((text, re.I), (lowered,))]
        assert spans[0] == spans[1]


@pytest.mark.parametrize("pattern", CASED)
def test_patterns_that_may_mean_capitals(pattern: str) -> None:
    assert not finds_the_same_in_small(pattern)


def test_letters_that_equal_others_than_their_small_ones() -> None:
    odd = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and small(chr(code)) is None]
    assert {"ſ", "ı", "İ", "µ", "ς", "\u212a", "\ufb05"} < set(odd)
    assert not any(sign.isascii() for sign in odd)
    assert small("ÀÉÎ Ÿ Ł 😀 Ⅷ") == "àéî ÿ ł 😀 ⅷ"
