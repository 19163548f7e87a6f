from pathlib import Path

import orjson
import pytest

from tests.shadow.examples import START, comparison, version_1
from zantara_exp.errors import ZantaraError
from zantara_exp.shadow.compact import Compacted, compact_folder, main
from zantara_exp.shadow.daily_files import DailyFiles
from zantara_exp.shadow.jsonl import append_lines, day_file
from zantara_exp.shadow.log import ComparisonLog
from zantara_exp.shadow.record import Drops, Side, to_line


def write(logs: Path, *lines: bytes, day: str = "2025-10-21") -> None:
    append_lines(day_file(logs, day), [line if line.endswith(b"\n") else line + b"\n" for line in lines])


def compacted(tmp_path: Path) -> Compacted:
    return compact_folder(tmp_path / "logs", tmp_path / "cache", lambda user: f"h({user})")


def test_both_versions_become_one_table(tmp_path: Path) -> None:
    import duckdb

    failed = comparison(2, candidate=Side(error="timeout", latency_ms=10_000.0))
    write(tmp_path / "logs", to_line(comparison(1)), to_line(failed), orjson.dumps(version_1()))
    write(tmp_path / "logs", to_line(Drops("e1", START, {"queue_full": 3, "disk": 1})))
    found = compacted(tmp_path)
    assert (len(found.comparisons), len(found.drops), found.malformed, found.quarantine) == (1, 1, 0, None)
    columns = 'epoch, arm, day::text, "user", candidate_error, candidate_latency_ms, candidate_billed_usd'
    columns += ", json_array_length(messages)"
    query = f"select {columns} from read_parquet(?)"
    assert duckdb.execute(query, [str(found.comparisons[0])]).fetchall() == [
        ("e1", "candidate", "2025-10-21", "u-1", None, 120.5, 0.0001, 2),
        ("e1", "candidate", "2025-10-21", "u-2", "timeout", 10_000.0, None, 2),
        ("unversioned", "candidate", "2025-10-21", "h(user-77)", None, 143.2, None, 1),
    ]
    drops = duckdb.execute(
        'select day::text, epoch, reason, "count" from read_parquet(?)', [str(found.drops[0])]
    ).fetchall()
    assert drops == [("2025-10-21", "e1", "queue_full", 3), ("2025-10-21", "e1", "disk", 1)]


def test_only_a_changed_day_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "logs", to_line(comparison(1)))
    write(tmp_path / "logs", to_line(comparison(2)), day="2025-10-22")
    first, second = compacted(tmp_path).comparisons
    before = first.stat().st_ino, second.stat().st_ino  # a file written anew replaces the one before
    write(tmp_path / "logs", to_line(comparison(3)), day="2025-10-22")
    compacted(tmp_path)
    assert first.stat().st_ino == before[0]
    assert second.stat().st_ino != before[1]
    day_file(tmp_path / "logs", "2025-10-21").unlink()
    assert compacted(tmp_path).comparisons == [second]
    assert not first.exists()


def test_bad_lines_are_counted_and_quarantined_once(tmp_path: Path) -> None:
    write(tmp_path / "logs", to_line(comparison(1)), b"{nonsense", b"x" * 1000)
    for _ in range(2):
        found = compacted(tmp_path)
        assert found.malformed == 2
        assert found.quarantine is not None
        entries = [orjson.loads(line) for line in found.quarantine.read_bytes().splitlines()]
        assert [(entry["line"], entry["reason"], len(entry["text"])) for entry in entries] == [
            (2, "not JSON", 9),
            (3, "not JSON", 200),
        ]


def test_a_latency_of_more_than_a_day_is_no_comparison(tmp_path: Path) -> None:
    lines = [to_line(comparison(n)) for n in range(3)]
    write(tmp_path / "logs", *lines, lines[0].replace(b":120.5", b":1e308"))
    found = compacted(tmp_path)
    assert found.malformed == 1
    assert found.quarantine is not None
    assert orjson.loads(found.quarantine.read_bytes())["reason"] == "latency_ms is more than a day"


@pytest.mark.parametrize("number", [b"9e7", b"1e999", b"true"])
def test_a_day_without_a_comparison_has_no_table(tmp_path: Path, number: bytes) -> None:
    write(tmp_path / "logs", to_line(comparison(1)).replace(b":120.5", b":" + number))
    write(tmp_path / "logs", to_line(comparison(2)), day="2025-10-22")
    found = compacted(tmp_path)
    assert [path.stem[-10:] for path in found.comparisons] == ["2025-10-22"]
    assert found.malformed == 1


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_table_that_somebody_removed_or_damaged_is_made_again(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path / "logs", to_line(comparison(1)), to_line(Drops("e1", START, {"disk": 1})))
    before = {path: path.read_bytes() for path in (*compacted(tmp_path).comparisons, *compacted(tmp_path).drops)}
    for spoilt in before:
        spoilt.unlink()
        if content is not None:
            spoilt.write_bytes(content)
        found = compacted(tmp_path)
        assert {path: path.read_bytes() for path in (*found.comparisons, *found.drops)} == before


@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_day_that_is_no_file_is_named(tmp_path: Path, what: str) -> None:
    write(tmp_path / "logs", to_line(comparison(1)))
    gone = day_file(tmp_path / "logs", "2025-10-22")
    gone.mkdir() if what == "folder" else gone.symlink_to(tmp_path / "archive")
    with pytest.raises(ZantaraError, match=r"2025-10-22\.jsonl is named like a day"):
        compacted(tmp_path)


def test_what_the_writer_set_aside_stays_in_the_quarantine(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs, to_line(comparison(1)))
    with day_file(logs, "2025-10-21").open("ab") as file:
        file.write(b'{"torn')
    log = ComparisonLog(DailyFiles(logs, 10**9), "e1", lambda: str)
    log.write(comparison(2))
    log.close()
    assert compacted(tmp_path).malformed == 1
    assert compacted(tmp_path).malformed == 1


@pytest.mark.usefixtures("workdir")
def test_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("logs/shadow_mode"), to_line(comparison(1)), b"{nonsense")
    assert main([]) == 0
    assert "1 comparisons of 1 days, 1 unreadable lines: " in capsys.readouterr().out
    assert main(["paths.log=x"]) == 2
    assert "paths.log" in capsys.readouterr().out


def test_a_log_of_nothing(tmp_path: Path) -> None:
    assert compacted(tmp_path) == Compacted([], [], 0, None, {})
    write(tmp_path / "logs", b"{nonsense")
    assert compacted(tmp_path).comparisons == []


@pytest.mark.parametrize(
    "name", ["shadow_comparison_2025-10-21.jsonl.bak", "shadow_comparison_today.jsonl", "notes.jsonl"]
)
def test_other_files_are_no_logs(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / name).write_bytes(to_line(comparison(1)))
    assert compacted(tmp_path).comparisons == []
