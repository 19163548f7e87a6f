"""What is read by the block is what is read line by line."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shadow import odd
from tests.shadow.examples import comparison, version_1
from tests.shadow.odd import ODD, changed
from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.io.event_log import Block
from zantara_exp.shadow import columns
from zantara_exp.shadow.columns import Columns, Taken, take
from zantara_exp.shadow.reader import Quarantined
from zantara_exp.shadow.record import Side, to_line

GOOD = odd.GOOD + b"\n"
TEXTS = [
    *(
        '"quotes" and \\',
        "bell \x07, nul \x00, del \x7f, tab\t, line\n",
        "emoji 😀, è, \u2028",
        '"messages":[',
        '],"user":"',
    ),
    *(
        "/",
        "\\",
        '\\"',
        '":',
        '\\":',
        '"},{"role":"',
        "5",
        "true",
        "null",
        "[]",
        "{}",
        "",
        " ",
        "\r\n",
        '","content":"',
    ),
]


class Read(tuple[list[str], list[Any], list[Quarantined]]):
    """Rows as they print, so that 5 is not 5.0, what was dropped, and what could not be read."""


def hashed(user: str) -> str:
    return f"h({user})"


def by_block(content: bytes) -> Read:
    read = Columns(hashed)
    return _read(list(read.of_block(Block(content, 1, 0), "x")), read)


def by_line(content: bytes) -> Read:
    read = Columns(hashed)
    found = []
    place = 0
    for number, line in enumerate(BytesIO(content), start=1):
        with patch.object(
            columns, "take", lambda content: Taken(None, [], [(0, content)], np.array([len(content) - 1]))
        ):
            found += list(read.of_block(Block(line, number, place), "x"))
        place += len(line)
    return _read(found, read)


def _read(found: list[Any], read: Columns) -> Read:
    assert len({str(table.schema) for table in found}) <= 1
    whole = pa.concat_tables(found) if found else None
    if whole is not None:
        whole.validate(full=True)
    rows = [repr(row) for row in whole.to_pylist()] if whole is not None else []
    return Read((rows, sorted(read.drops.items()), read.bad))


def test_what_the_writer_writes_needs_no_reader() -> None:
    failed = Side(error="timeout", latency_ms=10_000)
    messages = [[], [{"role": "user", "content": "x"}] * 9, *([{"role": text, "content": text}] for text in TEXTS)]
    lines = [
        *(to_line(comparison(n, query=text, candidate=Side(response=text))) for n, text in enumerate(TEXTS)),
        *(to_line(comparison(n, messages=said)) for n, said in enumerate(messages)),
        to_line(comparison(9, candidate=failed, category=None, language=None)),
        to_line(
            comparison(9, candidate=Side("x", usage=Usage(2**62), billed=Billed(6.8e-9), latency_ms=1e-7, ttft_ms=0.1))
        ),
    ]
    read_one_by_one = [line for line in lines if take(line).left]
    assert all(b"\\u00" in line for line in read_one_by_one)  # hardly any text has another control character
    content = b"".join(lines)
    assert len(take(content).left) == len(read_one_by_one) < 5
    assert by_block(content) == by_line(content)
    assert not by_line(content)[2]


@pytest.mark.parametrize("line", ODD)
def test_what_is_odd_is_read_as_the_reader_reads_it(line: bytes) -> None:
    for content in (line + b"\n", GOOD + line + b"\n" + GOOD, GOOD + line, line):
        assert by_block(content) == by_line(content)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        GOOD[: len(GOOD) // 2],
        changed(b'"candidate_id":"e1"', b'"candidate_id":5'),
        changed(b'"candidate_id":"e1"', b'"candidate_id":"e"1"'),
        changed(b"120.5", b'"120.5"'),
        changed(b"120.5", b"1e308"),
        orjson.dumps(version_1()),
    ],
)
def test_one_odd_line_leaves_the_others_to_the_fast_way(line: bytes) -> None:
    assert len(take(GOOD + line + b"\n" + GOOD).left) == 1


spoken = st.one_of(st.sampled_from(TEXTS), st.text(max_size=8), st.text('"\\,:{}[]n u0\n', max_size=12))
maybe = st.none() | spoken
counts = st.none() | st.integers(0, 2**61)
amounts = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**6)
usages = st.builds(Usage, counts, counts, counts, counts, counts, st.booleans())
billed = st.builds(Billed, amounts, maybe, maybe, amounts)
sides = st.builds(Side, spoken, maybe, maybe, usages, amounts, amounts, maybe, maybe, maybe, billed)
said = st.lists(st.fixed_dictionaries({"role": spoken, "content": spoken}), max_size=4)
written = st.builds(
    comparison,
    st.integers(0, 99),
    query=spoken,
    user=spoken,
    epoch=spoken,
    category=maybe,
    primary=sides,
    candidate=sides,
    messages=said,
).map(lambda item: to_line(item)[:-1])


oddities = st.integers(0, len(ODD) - 1).map(lambda number: ODD[number])


@st.composite
def damaged(draw: Any) -> bytes:
    """A line with some bytes put in the place of others."""
    line = draw(st.one_of(written, oddities))
    begin = draw(st.integers(0, max(0, len(line) - 1)))
    put = draw(
        st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b'":', b",", b"null", b"}", b"\n", b'\\"', b"\x00"])
    )
    return line[:begin] + put + line[begin + draw(st.integers(0, 3)) :]


mixed = st.one_of(written, st.just(GOOD[:-1]), oddities, damaged())


@settings(max_examples=200)
@given(st.lists(st.deferred(lambda: mixed), max_size=8), st.sampled_from([b"", b"\n"]))
def test_any_mixture_of_lines_is_read_as_the_reader_reads_it(lines: list[bytes], end: bytes) -> None:
    content = b"\n".join(lines) + end
    assert by_block(content) == by_line(content)


@settings(max_examples=200)
@given(st.integers(0, len(GOOD) - 2), st.binary(min_size=1, max_size=3))
def test_no_change_of_a_line_is_read_otherwise(place: int, change: bytes) -> None:
    content = GOOD + GOOD[:place] + change + GOOD[place + 1 :] + GOOD
    assert by_block(content) == by_line(content)


def test_a_line_is_found_where_its_place_says() -> None:
    content = b"".join([b"\n", GOOD, b"not json\n", odd.GOOD + b" \n", orjson.dumps(version_1()) + b"\n", GOOD[:-1]])
    (table,) = Columns(hashed).of_block(Block(content, 1, 1000), "x")
    lines = [content[place - 1000 :].split(b"\n")[0] for place in table["place"].to_pylist()]
    assert lines == [GOOD[:-1], odd.GOOD + b" ", orjson.dumps(version_1()), GOOD[:-1]]
    (table,) = Columns(hashed).of_block(Block(content, 1, 0, [7, 11, 13, 20, 30, 31]), "x")
    assert table["place"].to_pylist() == [11, 20, 30, 31]
