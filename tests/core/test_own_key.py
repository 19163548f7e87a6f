"""A key that makes itself: once, however many processes ask, and for its account alone."""

from __future__ import annotations

from pathlib import Path

from zantara_exp.core.own_key import own_key


def test_it_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "state" / "key"
    first = own_key(file)
    assert len(first) == 64
    assert own_key(file) == first == file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["key"]


def test_whoever_comes_second_takes_the_key_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the first one's\n")
    assert own_key(tmp_path / "key") == b"the first one's"
