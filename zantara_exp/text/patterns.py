"""Patterns of a domain: regular expressions that are put together and asked at once, and what is wrong with them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache

from zantara_exp.text.normal_form import GROWN, UNPARTED, one_form_of_pattern

_NEVER = re.compile(r"(?!)")


def compiled(patterns: Sequence[str], flags: re.RegexFlag, grown: bool) -> re.Pattern[str]:
    """One for them all: each from word boundary to word boundary.

    No boundary is asked for between letters of a script that parts no words, nor, where `grown`, of one whose words
    grow at both ends. That finds more than is meant: it is for what has to stay, not for what may move.
    """
    if not patterns:
        return _NEVER
    written = "|".join(map(one_form_of_pattern, patterns))
    free = UNPARTED + GROWN if grown else UNPARTED
    begin, end = rf"(?<![^\W{free}])", rf"(?![^\W{free}])"
    if re.search(f"[{free}]", written):  # such a letter beside one of another script, as in "VIP会员"
        begin, end = f"(?:{begin}|(?=[{free}]))", f"(?:{end}|(?<=[{free}]))"
    return re.compile(f"{begin}(?:{written}){end}", flags)


_BACK = re.compile(r"(?<!\\)(?:\\\\)*(?:\\[1-9]|\(\?P=|\(\?\()")
_NAMED = re.compile(r"(?<!\\)(?:\\\\)*\(\?P<")
_SWALLOWS = re.compile(r"(?<!\\)(?:\\\\)*(?:\.|\[\^[^\]]+\]|\\[SD])(?:[*+]|\{\d+,\})")
_NONSENSE = (
    ("qxz vkqxv zxkvqz q zk", "jwp fyjwf pwjyfw y jf"), ("щъы эъщыщ ъыэщъэ щ ъы", "жцх фжцхф хжцфхж ж цх"),
    ("ξψζ ψζξψ ζψξζψξ ξ ψζ", "γβφ βφγβ φβγφβγ γ βφ"), ("ظضغ غظضغ ضغظضغظ ظ ضغ", "ثخذ خذثخ ذخثذخث ث خذ"),
    ("צץט טצץט צטץצטץ צ טץ", "גדז דזגד זדגזדג ג דז"), ("龘鱻麤 龘鱻", "齉爨籲 齉爨"), ("뷁쀍 뷁쀍쀍", "쮃훕 쮃훕훕"),
    ("ぬゑ ぬゑぬ", "ゐぢ ゐぢぐ"), ("ヌヱ ヌヱヌ", "ヰヂ ヰヂグ"), ("ฆฌ ฆฌฌ", "ฏฐ ฏฐฐ"),
)  # fmt: skip
"""Pairs of texts in several alphabets that share no word and no letter: what finds something in both finds any word."""
_REPEATS, _OPEN = re.compile(r"\)(?:[*+]|\{\d*,?\d*\})"), re.compile(r"[*+]|\{\d+,\}")
_LENGTHS = (*range(6, 20, 2), *(round(20 * 1.1**step) for step in range(34)))
"""Of texts that patterns are tried on, up to 460 letters: the next takes a few times as long, whatever the pattern."""
_TOO_LONG = 0.05
"""Seconds of processor time; a pattern takes microseconds."""
_LITERAL = re.compile(r"[^\W\d_]")


@lru_cache(4096)
def faults(pattern: str, moves: bool | None = None) -> tuple[str, ...]:
    """What is wrong with a pattern, and what is valid; none where it is sound.

    `moves`: whether it is of a category that may move; None: of no category, and asked alone.
    """
    return tuple(_faults(pattern, moves))


def _faults(pattern: str, moves: bool | None) -> Iterator[str]:
    try:
        alone = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as broken:
        yield f"{pattern!r} is no regular expression: {broken}"
        return
    if alone.flags & ~re.UNICODE:
        yield f"{pattern!r} sets a flag for all: case is ignored anyway; for a part of it write (?s:...)"
        return
    found = compiled([pattern], re.IGNORECASE, grown=not moves) if moves is not None else None
    if found is not None:
        if _BACK.search(pattern):
            yield f"{pattern!r} refers back to a group; patterns are joined, so write out what is meant"
        if _NAMED.search(pattern):
            yield f"{pattern!r} names a group; patterns are joined, so write (?:...)"
    if any(not each[0] for text in ("", "qxz 12, vkq") for each in (found or alone).finditer(text)):
        yield f"{pattern!r} matches where nothing stands, and so in every text; leave out the empty alternative, ? or *"
    elif found is not None and _finds_any_word(found, moves):
        yield f"{pattern!r} matches any word; name the words that are meant"
    elif moves and _SWALLOWS.search(pattern):
        yield f"{pattern!r} takes in whatever else a text says, such as a question that has to stay; name the words"
    if slow := _slow_on(pattern, found or alone):
        yield f"{pattern!r} takes too long, such as on {slow!r}; repeat no group that itself repeats, as (a+)+ does"


def _finds_any_word(pattern: re.Pattern[str], moves: bool | None) -> bool:
    """Of one alphabet for what moves, of all for what stays: that all Cyrillic stays can be meant."""
    found = [all(pattern.search(text) for text in pair) for pair in _NONSENSE]
    return any(found) if moves else all(found)


def _slow_on(written: str, pattern: re.Pattern[str]) -> str:
    """A text that it takes too long on; texts grow step by step, so that finding it takes not much longer."""
    if not _REPEATS.search(written) and len(_OPEN.findall(written)) <= 2:
        return ""
    letters = dict.fromkeys("a" + "".join(_LITERAL.findall(written.lower())))
    parts = [*letters, "1", " ", "a ", "aa ", "a, ", *_words_of(written)]
    for length in _LENGTHS:
        for part in parts:
            text = (part * length)[:length] + "\x00"
            began = time.process_time()
            pattern.search(text)
            if time.process_time() - began > _TOO_LONG:
                return f"{part * 3}..."
    return ""


def _words_of(written: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"[^\W\d_]{2,}", written.lower())))[:20]
