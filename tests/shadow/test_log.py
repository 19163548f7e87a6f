import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tests.shadow.examples import START, comparison, read_folder
from tests.shadow.waiting import wait_for
from zantara_exp.io.daily_files import DailyFiles
from zantara_exp.io.events import COMPARISONS, day_file, event_files
from zantara_exp.io.lines import append_lines
from zantara_exp.shadow.log import ComparisonLog
from zantara_exp.shadow.reader import parse_line
from zantara_exp.shadow.record import Comparison, Drops, Side

ROOT = Path(__file__).resolve().parents[2]


def opened(folder: Path, **settings: object) -> ComparisonLog:
    files = DailyFiles(folder, COMPARISONS, 10**9)
    return ComparisonLog(files, "e1", lambda: str, **{"flush_seconds": 0.05, **settings})  # type: ignore[arg-type]


def rows(folder: Path) -> list[Comparison | Drops]:
    return read_folder(folder, str)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    log = opened(tmp_path)
    items = [comparison(number) for number in range(50)]
    assert all(log.write(item) for item in items)
    log.close()
    assert rows(tmp_path) == items
    assert (log.written, log.lost) == (50, {})


def test_the_day_is_the_utc_day_of_the_timestamp(tmp_path: Path) -> None:
    log = opened(tmp_path)
    late = datetime.fromisoformat("2025-10-21T23:59:59+00:00")
    elsewhere = datetime.fromisoformat("2025-10-22T07:30:00+08:00")  # Bali; 23:30 UTC the day before
    for number, moment in enumerate([late, late + timedelta(seconds=1), elsewhere]):
        log.write(comparison(number, timestamp=moment))
    log.close()
    lines = {path.name: len(path.read_bytes().splitlines()) for path in tmp_path.iterdir()}
    assert lines == {"shadow_comparison_2025-10-21.jsonl": 2, "shadow_comparison_2025-10-22.jsonl": 1}
    assert b"2025-10-21T23:30:00Z" in day_file(tmp_path, COMPARISONS, "2025-10-21").read_bytes()


def test_a_day_that_grows_large_goes_on_in_further_parts_and_is_one_log(tmp_path: Path) -> None:
    for process in range(2):  # the second finds the first one's parts
        log = ComparisonLog(DailyFiles(tmp_path / "logs", COMPARISONS, 20_000), "e1", lambda: str, flush_seconds=0.05)
        for number in range(60):
            log.write(comparison(60 * process + number))
            wait_for(lambda: log.written == number + 1)  # noqa: B023  called at once
        log.close()
    files = event_files(tmp_path / "logs", COMPARISONS)
    day = "shadow_comparison_2025-10-21"
    assert [path.name for path in files] == [
        f"{day}.jsonl", *(f"{day}.part{n}.jsonl" for n in range(2, len(files) + 1))
    ]  # fmt: skip
    assert len(files) > 2
    assert all(20_000 <= path.stat().st_size < 22_000 for path in files[:-1])
    assert [row.request_id for row in rows(tmp_path / "logs")] == [f"c-{number}:0" for number in range(120)]


def test_personal_data_is_out_of_every_text(tmp_path: Path) -> None:
    from zantara_exp.dataset.redact import Redactor

    redactor = Redactor()
    log = ComparisonLog(DailyFiles(tmp_path, COMPARISONS, 10**9), "e1", lambda: redactor.conversation().text)
    secret = "write to anna.rossi@example.org"
    chat = [
        {"role": "user", "content": secret},
        {"role": "assistant", "content": secret},
        {"role": "user", "content": secret},
    ]
    log.write(comparison(messages=chat, query=secret, primary=Side(secret), candidate=Side(secret)))
    log.close()
    text = day_file(tmp_path, COMPARISONS, "2025-10-21").read_text()
    assert "anna" not in text
    assert text.count("[EMAIL_1]") == 6


def test_a_text_that_cannot_be_redacted_is_lost_and_counted_not_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(text)

    log = ComparisonLog(DailyFiles(tmp_path, COMPARISONS, 10**9), "e1", lambda: fail, flush_seconds=0.05)
    log.write(comparison())
    log.close()
    assert log.lost == {"unwritable": 1}
    assert [row.dropped for row in rows(tmp_path)] == [{"unwritable": 1}]
    assert "Ciao" not in caplog.text


def test_drops_are_carried_by_the_next_line_or_one_of_their_own(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.drop("queue_full", 3)
    log.write(comparison())
    log.close()
    log = opened(tmp_path)
    log.drop("queue_full", 2)
    log.close()
    found = rows(tmp_path)
    assert sum(row.dropped.get("queue_full", 0) for row in found) == 5
    assert sum(isinstance(row, Drops) for row in found) >= 1


def test_a_full_queue_drops_at_once_and_says_so(tmp_path: Path) -> None:
    log = opened(tmp_path, capacity=5)
    results = [log.write(comparison(number)) for number in range(2000)]
    log.close()
    found = rows(tmp_path)
    written = sum(isinstance(row, Comparison) for row in found)
    assert written == sum(results)
    assert written + sum(row.dropped.get("log_full", 0) for row in found) == 2000


def test_a_folder_that_cannot_be_written_counts_and_warns_and_recovers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "logs"
    blocked.write_text("a file where the folder should be")
    log = opened(blocked)
    with caplog.at_level(logging.WARNING):
        log.write(comparison(1))
        log.write(comparison(2))
        wait_for(lambda: log.lost["disk"] == 2)
    assert log.lost == {"disk": 2}
    assert caplog.text.count("cannot be written") == 1
    blocked.unlink()
    log.write(comparison(3))
    log.close()
    found = rows(blocked)
    assert sum(row.dropped.get("disk", 0) for row in found) == 2
    assert log.written == 1


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path: Path) -> None:
    code = f"""
import resource, sys, time
from pathlib import Path
from tests.shadow.examples import comparison
from tests.shadow.test_log import opened
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
log = opened(Path({str(tmp_path)!r}))
for number in range(100):
    log.write(comparison(number)); time.sleep(0.001)
log.close()
print(log.written, log.lost["disk"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    written, lost = map(int, done.stdout.split())
    assert written > 5
    assert lost > 5
    assert written + lost == 100
    data = day_file(tmp_path, COMPARISONS, "2025-10-21").read_bytes()
    assert data.endswith(b"\n")
    assert len([parse_line(line, str) for line in data.splitlines(keepends=True)]) == written


def test_a_torn_line_of_a_killed_writer_is_set_aside(tmp_path: Path) -> None:
    path = day_file(tmp_path, COMPARISONS, "2025-10-21")
    append_lines(path, [b'{"whole": 1}\n'])
    with path.open("ab") as file:
        file.write(b'{"torn": "' + b"x" * 100_000)
    append_lines(path, [b'{"whole": 2}\n'])
    assert path.read_bytes() == b'{"whole": 1}\n{"whole": 2}\n'
    (entry,) = [orjson.loads(line) for line in (tmp_path / "quarantine.jsonl").read_bytes().splitlines()]
    assert (entry["file"], entry["line"], entry["reason"]) == (path.name, 0, "torn by a killed writer")
    assert len(entry["text"]) == 200


def test_a_file_that_is_one_torn_line(tmp_path: Path) -> None:
    path = day_file(tmp_path, COMPARISONS, "2025-10-21")
    path.write_bytes(b"{")
    append_lines(path, [b"{}\n"])
    assert path.read_bytes() == b"{}\n"


def _write_many(folder: str, first: int) -> None:
    log = opened(Path(folder))
    for number in range(first, first + 500):
        log.write(comparison(number, query="x", messages=[{"role": "user", "content": "x" * (number % 3000)}]))
        if number % 10 == 0:
            time.sleep(0.001)
    log.close()


def test_four_processes_write_one_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(tmp_path), 1000 * place)) for place in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
        assert writer.exitcode == 0
    found = [row for row in rows(tmp_path) if isinstance(row, Comparison)]
    assert len({row.comparison_id for row in found}) == len(found) == 2000
    assert not (tmp_path / "quarantine.jsonl").exists()


_ENDLESS = """
import sys, time
from pathlib import Path
from tests.shadow.examples import comparison
from tests.shadow.test_log import opened
log = opened(Path(sys.argv[1]), flush_seconds=1.0)
number, start = 0, time.monotonic()
while True:
    log.write(comparison(number))
    number += 1
    if number % 20 == 0:
        print(log.written, flush=True)
        time.sleep(max(0, start + number / 1000 - time.monotonic()))
"""


def test_kill_9_tears_no_line_and_takes_none_that_was_written(tmp_path: Path) -> None:
    """How much is lost of what was waiting: `scripts/bench shadow`, at 1,000 a second."""
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        with subprocess.Popen(
            [sys.executable, "-c", _ENDLESS, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            last = 0
            for line in writer.stdout:
                last = int(line)
                if last >= 400 + attempt * 130:
                    break
            os.kill(writer.pid, signal.SIGKILL)
        path = day_file(folder, COMPARISONS, START.date().isoformat())
        log = opened(folder)  # the next start
        log.write(comparison(0, request_id="next"))
        log.close()
        found = [parse_line(line, str) for line in path.read_bytes().splitlines(keepends=True)]
        assert len(found) > last
        assert found[-1].request_id == "next"


def test_utc_now_is_what_a_drop_is_dated(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.drop("queue_full")
    log.close()
    (row,) = rows(tmp_path)
    assert abs(row.timestamp - datetime.now(UTC)) < timedelta(minutes=1)
