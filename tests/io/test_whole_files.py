"""Files are written whole or not at all; what somebody killed left beside them goes with the next writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zantara_exp.io.whole_files import beside, unfinished, write_whole


def test_what_the_dead_left_goes_and_what_the_living_write_stays(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    for kind in ("file", "folder"):
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        left = tmp_path / f".report.html.{int(gone.stdout)}"
        left.with_name(f"{left.name}-journal").touch()
        if kind == "folder":
            left.mkdir()
        (left / "part" if kind == "folder" else left).write_text("a chat")
    (tmp_path / ".report.html.1").write_text("being written")
    write_whole(file, b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", ".report.html.1"}
    assert file.read_bytes() == b"whole"


def test_a_durable_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, synced = tmp_path / "state.json", []
    monkeypatch.setattr(
        "zantara_exp.io.whole_files.os.fsync",
        lambda opened: synced.append((Path(f"/proc/self/fd/{opened}").readlink(), file.exists())),
    )
    write_whole(file, b"{}", durable=True)
    assert synced == [(beside(file), False), (tmp_path, True)]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_whole(file, b"old")
    with pytest.raises(OSError, match="3"), unfinished(file) as partial:
        raise OSError(partial.write_bytes(b"new"))
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
