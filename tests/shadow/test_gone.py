"""Days of the log that are rotated, packed, cut or removed: read where they can be, named where they are gone."""

import bz2
import gzip
import lzma
from datetime import timedelta
from pathlib import Path

import pytest

from tests.shadow.examples import START, comparison
from zantara_exp.errors import ZantaraError
from zantara_exp.shadow.compact import Compacted, compact_folder
from zantara_exp.shadow.reader import log_files, read_log
from zantara_exp.shadow.record import to_line

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, "": bytes}
DAYS = [(START + timedelta(days=day)).date().isoformat() for day in range(3)]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three days of four comparisons each."""
    for day, name in enumerate(DAYS):
        rows = [comparison(10 * day + number, timestamp=START + timedelta(days=day)) for number in range(4)]
        (tmp_path / f"shadow_comparison_{name}.jsonl").write_bytes(b"".join(map(to_line, rows)))
    return tmp_path


def look(logs: Path) -> Compacted:
    return compact_folder(logs, logs / "cache", str)


def rows(found: Compacted) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in found.comparisons)


def turned(path: Path, behind: str) -> Path:
    """The file as logrotate leaves it."""
    packed = path.with_name(path.name + behind)
    packed.write_bytes(PACK[packed.suffix if packed.suffix in PACK else ""](path.read_bytes()))
    path.unlink()
    return packed


@pytest.mark.parametrize("behind", [".1.gz", "-20251130.gz", ".gz", ".2", ".1.bz2", ".12.xz", "-20251130"])
def test_a_rotated_day_is_read_as_before(logs: Path, behind: str) -> None:
    look(logs)
    before = [row.comparison_id for row in read_log(logs, str)]  # type: ignore[union-attr]
    turned(log_files(logs)[0], behind)
    found = look(logs)
    assert (rows(found), found.gone, found.malformed) == (12, {}, 0)
    assert [row.comparison_id for row in read_log(logs, str)] == before  # type: ignore[union-attr]


def test_turns_of_a_day_are_read_oldest_first(logs: Path) -> None:
    day = log_files(logs)[0]
    names = [f"{day.name}{behind}" for behind in (".10.gz", ".2.gz", "", ".1", "-20251101.gz", "-20251102.gz")]
    for name in names:
        (logs / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    found = [path.name.removeprefix(day.name) for path in log_files(logs) if path.name.startswith(day.name)]
    assert found == [".10.gz", ".2.gz", ".1", "-20251101.gz", "-20251102.gz", ""]


def test_what_cannot_be_unpacked_is_said(logs: Path) -> None:
    packed = turned(log_files(logs)[0], ".1.gz")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ZantaraError, match="cannot be unpacked"):
        look(logs)
    packed.rename(logs / f"shadow_comparison_{DAYS[0]}.jsonl.zst")
    with pytest.raises(ZantaraError, match=r"\.zst is packed in a way that is not read"):
        look(logs)


def test_a_day_that_is_gone_is_named_until_it_is_back(logs: Path) -> None:
    assert look(logs).gone == {}
    away = log_files(logs)[0]
    kept = away.read_bytes()
    away.unlink()
    for _ in range(2):
        found = look(logs)
        assert (rows(found), found.gone) == (8, {(DAYS[0], "e1"): 4})
    away.write_bytes(kept)
    found = look(logs)
    assert (rows(found), found.gone) == (12, {})


def test_a_day_that_was_cut_is_named_and_one_that_grew_is_not(logs: Path) -> None:
    look(logs)
    first, second, _ = log_files(logs)
    first.write_bytes(b"".join(first.read_bytes().splitlines(keepends=True)[:1]))
    second.write_bytes(second.read_bytes() + to_line(comparison(99, timestamp=START + timedelta(days=1))))
    assert look(logs).gone == {(DAYS[0], "e1"): 3}
    assert look(logs).gone == {(DAYS[0], "e1"): 3}


def test_a_note_that_is_damaged_is_made_anew(logs: Path) -> None:
    look(logs)
    (logs / "cache" / "seen.json").write_bytes(b'{"2025-10-21": [5')
    assert look(logs).gone == {}
    assert look(logs).gone == {}
