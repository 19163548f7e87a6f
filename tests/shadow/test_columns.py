"""What is read by the block is what is read line by line."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shadow.examples import comparison, version_1
from zantara_exp.shadow import columns
from zantara_exp.shadow.columns import Block, blocks, plain
from zantara_exp.shadow.compact import _batches
from zantara_exp.shadow.reader import read_lines
from zantara_exp.shadow.record import Drops, Side, to_line

GOOD = to_line(comparison(1))


def line_by_line(content: bytes) -> list[dict[str, Any]]:
    drops: list[Any] = []
    bad: list[Any] = []
    tables = list(_batches(read_lines(BytesIO(content), "x", 1, lambda user: f"h({user})"), drops, bad))
    assert not drops
    return [] if bad else [row for table in tables for row in table.to_pylist()]


def test_what_the_writer_writes_needs_no_reader() -> None:
    texts = ['"quotes" and \\', "bell \x07, nul \x00, tab\t, line\n", "emoji 😀", '"messages":[', '],"user":"', "/"]
    failed = Side(error="timeout", latency_ms=10_000)
    lines = [to_line(comparison(n, query=text, candidate=Side(response=text))) for n, text in enumerate(texts)]
    content = b"".join([*lines, to_line(comparison(9, candidate=failed, category=None, language=None))])
    table = plain(Block(1, content))
    assert table is not None
    assert table.to_pylist() == line_by_line(content)


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"{}",
        b"",
        b" " + GOOD[:-1],
        GOOD[:-1] + GOOD[:-1],
        GOOD[: len(GOOD) // 2] + b"}",
        orjson.dumps(version_1()),
        to_line(Drops("e1", comparison(1).timestamp, {"disk": 1}))[:-1],
        to_line(comparison(1, dropped={"queue_full": 2}))[:-1],
        GOOD[:-1].replace(b'"schema_version":2', b'"schema_version":3'),
        GOOD[:-1].replace(b'"schema_version":2', b'"schema_version":"2"'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":""'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":null'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":5'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":"e1","epoch":"e2"'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":"e1","further":1'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":"\xff"'),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":"\\ud800"'),
        GOOD[:-1].replace(b"120.5", b"NaN"),
        GOOD[:-1].replace(b"120.5", b"1e999"),
        GOOD[:-1].replace(b"120.5", b'"120.5"'),
        GOOD[:-1].replace(b"120.5", b"1e308"),
        GOOD[:-1].replace(b"120.5", b"86400001"),
        GOOD[:-1].replace(b'"epoch":"e1"', b'"epoch":"\xed\xa0\x80"'),
        GOOD[:-1].replace(b"2025-10-21T", b"0000-10-21T"),
        GOOD[:-1].replace(b"2025-10-21T", b"2025-02-30T"),
        re.sub(rb'Z"', rb'+01:00"', GOOD[:-1]),
        GOOD[:-1].replace(b"2025-10-21T", b"yesterday "),
        GOOD[:-1].replace(b'"role":"user"', b'"role":null'),
        GOOD[:-1].replace(b'"sampling":{', b'"sampling":null,"other":{'),
    ],
)
def test_anything_else_is_left_to_the_reader(line: bytes) -> None:
    assert line != GOOD[:-1]
    assert plain(Block(1, GOOD + line + b"\n" + GOOD)) is None


def test_another_order_of_keys_is_read_as_well() -> None:
    body = orjson.loads(GOOD)
    turned = orjson.dumps(dict(reversed(body.items()))) + b"\n"
    table = plain(Block(1, turned))
    assert table is not None
    assert table.to_pylist() == line_by_line(turned)


@given(st.integers(0, len(GOOD) - 2), st.binary(min_size=1, max_size=3))
def test_no_change_of_a_line_is_read_otherwise(place: int, change: bytes) -> None:
    content = GOOD[:place] + change + GOOD[place + 1 :]
    table = plain(Block(1, content))
    if table is not None:
        assert table.to_pylist() == line_by_line(content)


@pytest.mark.parametrize("size", [3, 10, 1000])
def test_blocks_are_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(columns, "_BLOCK", size)
    path = tmp_path / "log.jsonl"
    content = b"one\n\nthree is long\nfour\nunfinished"
    path.write_bytes(content)
    found = list(blocks(path))
    assert b"".join(block.content for block in found) == content
    for block in found:
        assert content.split(b"\n")[block.first - 1 :][: block.content.count(b"\n")] == block.content.split(b"\n")[:-1]
