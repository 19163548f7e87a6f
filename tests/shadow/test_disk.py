"""A disk that is really full: a tmpfs of a few pages, where this process may mount one."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endpoints.servers import raw_server
from tests.shadow.examples import START, comparison, read_folder
from tests.shadow.recorded import Candidate
from tests.shadow.test_log import opened as opened_log
from tests.shadow.test_log import rows
from tests.shadow.test_mirror import observe, opened
from tests.shadow.waiting import wait_for
from zantara_exp.io.events import COMPARISONS, day_file
from zantara_exp.shadow.reader import parse_line
from zantara_exp.shadow.record import Comparison

Resize = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system of 64 kB, and what gives it another size."""
    place = tmp_path / "small"
    place.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(["mount", *options, str(place)], check=True, capture_output=True)

    try:
        mount("-t", "tmpfs", "-o", "size=64k", "tmpfs")
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("this process may not mount a tmpfs")
    try:
        yield place, lambda size: mount("-o", f"remount,size={size}")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_whole_lines_counts_the_others_and_goes_on(disk: tuple[Path, Resize]) -> None:
    folder, resize = disk
    log = opened_log(folder)
    for number in range(200):
        log.write(comparison(number))
    wait_for(lambda: log.written + log.lost["disk"] == 200)
    assert log.written > 20
    assert log.lost["disk"] > 20
    full = day_file(folder, COMPARISONS, START.date().isoformat()).read_bytes()
    assert [parse_line(line, str) for line in full.splitlines(keepends=True)] == rows(folder)
    assert full.endswith(b"\n")
    resize("2m")
    before = log.written
    log.write(comparison(200))
    log.close()
    found = rows(folder)
    assert sum(isinstance(row, Comparison) for row in found) == log.written == before + 1
    assert sum(row.dropped.get("disk", 0) for row in found) == log.lost["disk"] == 200 - before


def test_what_will_be_asked_for_again_is_not_told_as_lost(disk: tuple[Path, Resize]) -> None:
    folder, resize = disk
    log = opened_log(folder, tell_drops=False)
    for number in range(200):
        log.write(comparison(number))
    wait_for(lambda: log.written + log.lost["disk"] == 200)
    resize("2m")
    log.write(comparison(200))
    log.close()
    assert log.lost["disk"] > 20
    assert not any(row.dropped for row in rows(folder))


@pytest.mark.usefixtures("workdir")
def test_the_app_of_a_mirror_on_a_full_disk_notices_nothing(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    with raw_server(Candidate("Ciao! " * 100)) as url:
        mirror = opened(url, f"paths.logs={folder}")
        observe(mirror, 150)
        wait_for(lambda: mirror.stats.compared + mirror.stats.dropped.get("disk", 0) == 150)
        asyncio.run(mirror.close())
    stats = mirror.stats
    assert stats.dropped["disk"] > 0
    assert stats.restarts == 0
    assert sum(isinstance(row, Comparison) for row in read_folder(folder, str)) == stats.compared > 0
