"""Files of lines are rewritten whole, under the lock of those who append to them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from zantara_exp.io.lines import append_lines
from zantara_exp.privacy.lines import edit_lines, locked, on_records


def test_a_writer_that_waited_for_a_file_which_was_replaced_meanwhile_writes_to_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "shadow_comparison_2025-10-20.jsonl"
    path.write_bytes(b"{}\n")
    waited = threading.Thread(target=append_lines, args=(path, [b'{"later":1}\n']))
    with locked(path):
        waited.start()
        fresh = path.with_suffix(".new")
        fresh.write_bytes(b"")
        fresh.replace(path)
    waited.join()
    assert path.read_bytes() == b'{"later":1}\n'


def test_what_nobody_changes_keeps_its_bytes_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{ "user": "a" }\n\nno json\n{"user":"b"}')
    inode = path.stat().st_ino
    assert edit_lines(path, on_records(lambda record: record)) == 0
    assert path.stat().st_ino == inode
    assert edit_lines(path, on_records(lambda record: None if record["user"] == "b" else record), dry=True) == 1
    assert edit_lines(path, on_records(lambda record: None if record["user"] == "b" else record)) == 1
    assert path.read_bytes() == b'{ "user": "a" }\n\nno json\n'


def test_an_edit_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{"user":"a"}\n{}\n')
    with pytest.raises(KeyError):
        edit_lines(path, on_records(lambda record: {"user": record["user"] + "!"}))
    assert [each.name for each in tmp_path.iterdir()] == ["some.jsonl"]
    assert path.read_bytes() == b'{"user":"a"}\n{}\n'
