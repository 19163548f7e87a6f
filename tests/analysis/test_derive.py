from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.shadow.examples import START, comparison, version_1
from zantara_exp.analysis.derive import Derived, derive
from zantara_exp.config import compose
from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.daily_files import DailyFiles
from zantara_exp.io.event_log import EventLog
from zantara_exp.io.events import COMPARISONS, day_file
from zantara_exp.io.lines import append_lines
from zantara_exp.shadow.log import ComparisonLog
from zantara_exp.shadow.record import Drops, Side, to_line


def write(logs: Path, *lines: bytes, day: str = "2025-10-21") -> None:
    append_lines(day_file(logs, COMPARISONS, day), [line if line.endswith(b"\n") else line + b"\n" for line in lines])


def found_in(tmp_path: Path) -> Derived:
    logs = tmp_path / "logs"
    log = EventLog(COMPARISONS, logs)
    return derive(log.parts(), log.identity, logs, tmp_path / "state", compose([]), lambda user: f"h({user})")


def quarantined(tmp_path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (tmp_path / "logs" / "quarantine.jsonl").read_bytes().splitlines()]


def test_both_versions_become_one_table(tmp_path: Path) -> None:
    import duckdb

    failed = comparison(2, candidate=Side(error="timeout", latency_ms=10_000.0))
    write(tmp_path / "logs", to_line(comparison(1)), to_line(failed), orjson.dumps(version_1()))
    write(tmp_path / "logs", to_line(Drops("e1", START, {"queue_full": 3, "disk": 1})))
    found = found_in(tmp_path)
    assert (len(found.facts), found.rows, found.bad) == (1, 3, [])
    columns = 'epoch, arm, day::text, "user", candidate_fault, candidate_latency_ms, candidate_billed_usd'
    assert duckdb.execute(f"select {columns} from read_parquet(?)", [str(found.facts[0])]).fetchall() == [
        ("e1", "candidate", "2025-10-21", "u-1", "", 120.5, 0.0001),
        ("e1", "candidate", "2025-10-21", "u-2", "timeout", None, None),
        ("unversioned", "candidate", "2025-10-21", "h(user-77)", "", 143.2, None),
    ]
    day = date(2025, 10, 21)
    assert found.drops == {(day, "e1", "queue_full"): 3, (day, "e1", "disk"): 1}


def test_only_a_changed_day_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "logs", to_line(comparison(1)))
    write(tmp_path / "logs", to_line(comparison(2)), day="2025-10-22")
    first, second = found_in(tmp_path).facts
    before = first.stat().st_ino, second.stat().st_ino  # a file written anew replaces the one before
    write(tmp_path / "logs", to_line(comparison(3)), day="2025-10-22")
    found_in(tmp_path)
    assert first.stat().st_ino == before[0]
    assert second.stat().st_ino != before[1]
    day_file(tmp_path / "logs", COMPARISONS, "2025-10-21").unlink()
    assert found_in(tmp_path).facts == [second]
    assert not first.exists()


def test_bad_lines_are_counted_and_quarantined_once(tmp_path: Path) -> None:
    write(tmp_path / "logs", to_line(comparison(1)), b"{nonsense", b"x" * 1000)
    for _ in range(2):
        found = found_in(tmp_path)
        assert len(found.bad) == 2
        entries = [(entry["line"], entry["reason"], len(entry["text"])) for entry in quarantined(tmp_path)]
        assert entries == [(2, "not JSON", 9), (3, "not JSON", 200)]


def test_a_latency_of_more_than_a_day_is_no_comparison(tmp_path: Path) -> None:
    lines = [to_line(comparison(n)) for n in range(3)]
    write(tmp_path / "logs", *lines, lines[0].replace(b":120.5", b":1e308"))
    assert len(found_in(tmp_path).bad) == 1
    assert quarantined(tmp_path)[0]["reason"] == "latency_ms is more than a day"


@pytest.mark.parametrize("number", [b"9e7", b"1e999", b"true"])
def test_a_day_without_a_comparison_has_no_rows(tmp_path: Path, number: bytes) -> None:
    write(tmp_path / "logs", to_line(comparison(1)).replace(b":120.5", b":" + number))
    write(tmp_path / "logs", to_line(comparison(2)), day="2025-10-22")
    found = found_in(tmp_path)
    assert [pq.read_metadata(path).num_rows for path in found.facts] == [0, 1]
    assert len(found.bad) == 1


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_file_that_somebody_removed_or_damaged_is_made_again(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path / "logs", to_line(comparison(1)), b"{nonsense")
    found_in(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("2025*")}
    assert len(before) == 2
    for spoilt in before:
        spoilt.unlink()
        if content is not None:
            spoilt.write_bytes(content)
        found_in(tmp_path)
        assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_day_that_is_no_file_is_named(tmp_path: Path, what: str) -> None:
    write(tmp_path / "logs", to_line(comparison(1)))
    gone = day_file(tmp_path / "logs", COMPARISONS, "2025-10-22")
    gone.mkdir() if what == "folder" else gone.symlink_to(tmp_path / "archive")
    with pytest.raises(ZantaraError, match=r"2025-10-22\.jsonl is named like a day"):
        found_in(tmp_path)


def test_what_the_writer_set_aside_stays_in_the_quarantine(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs, to_line(comparison(1)))
    with day_file(logs, COMPARISONS, "2025-10-21").open("ab") as file:
        file.write(b'{"torn')
    log = ComparisonLog(DailyFiles(logs, COMPARISONS, 10**9), "e1", lambda: str)
    log.write(comparison(2))
    log.close()
    assert len(found_in(tmp_path).bad) == 1
    assert len(found_in(tmp_path).bad) == 1


def test_a_log_of_nothing(tmp_path: Path) -> None:
    assert found_in(tmp_path) == Derived([], 0, {}, [], 0, [], 0, {})
    write(tmp_path / "logs", b"{nonsense")
    assert (found_in(tmp_path).rows, len(found_in(tmp_path).bad)) == (0, 1)


@pytest.mark.parametrize(
    "name", ["shadow_comparison_2025-10-21.jsonl.bak", "shadow_comparison_today.jsonl", "notes.jsonl"]
)
def test_other_files_are_no_logs(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / name).write_bytes(to_line(comparison(1)))
    assert found_in(tmp_path).facts == []


def test_a_comparison_in_another_days_log_counts_once(tmp_path: Path) -> None:
    lines = [to_line(comparison(number)) for number in range(3)]
    write(tmp_path / "logs", *lines[:2])
    write(tmp_path / "logs", *lines, to_line(comparison(9, timestamp=START + timedelta(days=1))), day="2025-10-22")
    write(tmp_path / "logs", lines[2], day="2025-10-23")
    found = found_in(tmp_path)
    assert (found.rows, found.doubles) == (7, 3)
    assert [place.partition(":")[0][-16:] for place in found.again] == ["2025-10-22.jsonl"] * 2 + ["2025-10-23.jsonl"]


def test_a_file_of_no_day_is_no_log(tmp_path: Path) -> None:
    write(tmp_path / "logs", to_line(comparison(1)), day="2025-13-45")
    assert found_in(tmp_path).facts == []


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "logs", to_line(comparison(1)))

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if tmp_path / "logs" in path.parents:
            raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert found_in(tmp_path).rows == 1
