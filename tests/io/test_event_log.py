"""Parts of an event log: blocks of whole lines, and lines found again by their places."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.shadow import odd
from tests.shadow.examples import comparison
from zantara_exp.io import event_log
from zantara_exp.io.event_log import EventLog, lines_of
from zantara_exp.io.events import COMPARISONS, COMPLAINTS, SERVED, day_file
from zantara_exp.shadow.columns import Columns
from zantara_exp.shadow.record import to_line

GOOD = odd.GOOD + b"\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [3, 10, 1000])
def test_blocks_are_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, packed: bool) -> None:
    monkeypatch.setattr(event_log, "_BLOCK", size)
    content = b"one\n\nthree is \r long\nfour\r\nunfinished"
    path = day_file(tmp_path, COMPARISONS, "2025-10-21")
    path = path.with_name(path.name + ".1.gz") if packed else path
    path.write_bytes(gzip.compress(content) if packed else content)
    (part,) = EventLog(COMPARISONS, tmp_path).parts()
    found = list(part.blocks())
    assert b"".join(block.content for block in found) == content
    assert all(block.content.endswith(b"\n") for block in found[:-1])
    assert [content[: block.place].count(b"\n") + 1 for block in found] == [block.first for block in found]
    lines = [b"one\n", b"\n", b"three is \r long\n", b"four\r\n", b"unfinished"]
    assert list(lines_of(part)) == lines
    assert list(part.lines_at([0, 5, 21])) == [lines[0], lines[2], lines[3]]


def test_a_long_line_is_read(tmp_path: Path) -> None:
    path = day_file(tmp_path, COMPARISONS, "2025-10-21")
    path.write_bytes(GOOD + to_line(comparison(2, query="x" * (17 << 20))) + GOOD)
    (part,) = EventLog(COMPARISONS, tmp_path).parts()
    assert sum(table.num_rows for table in Columns(str).of(part)) == 3


def test_a_log_begins_where_it_is_asked_to_and_holds_its_own_kind(tmp_path: Path) -> None:
    for kind in (COMPARISONS, SERVED, COMPLAINTS):
        for day in ("2025-10-20", "2025-10-21"):
            day_file(tmp_path, kind, day).write_bytes(f"{kind.prefix} {day}\n".encode())
    log = EventLog(SERVED, tmp_path)
    assert list(log.lines()) == [b"served 2025-10-20\n", b"served 2025-10-21\n"]
    assert list(log.lines("2025-10-21")) == [b"served 2025-10-21\n"]


def test_a_part_is_another_as_soon_as_its_lines_are(tmp_path: Path) -> None:
    path = day_file(tmp_path, SERVED, "2025-10-21")
    path.write_bytes(b"a\n")
    (before,) = EventLog(SERVED, tmp_path).parts()
    (again,) = EventLog(SERVED, tmp_path).parts()
    path.write_bytes(b"a\nb\n")
    (after,) = EventLog(SERVED, tmp_path).parts()
    assert before.mark == again.mark != after.mark
