"""Days of the log that are rotated, packed, cut or removed: read where they can be, named where they are gone."""

import bz2
import gzip
import lzma
from datetime import timedelta
from pathlib import Path

import pytest

from tests.shadow.examples import START, comparison, read_folder
from zantara_exp.analysis.derive import Derived, derive
from zantara_exp.config import compose
from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.event_log import EventLog
from zantara_exp.io.events import COMPARISONS, event_files
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


def look(logs: Path) -> Derived:
    log = EventLog(COMPARISONS, logs)
    return derive(log.parts(), "here", logs, logs / "state", compose([]), str)


def turned(path: Path, behind: str) -> Path:
    """The file as logrotate leaves it."""
    packed = path.with_name(path.name + behind)
    packed.write_bytes(PACK[packed.suffix if packed.suffix in PACK else ""](path.read_bytes()))
    path.unlink()
    return packed


@pytest.mark.parametrize("behind", [".1.gz", "-20251130.gz", ".gz", ".2", ".1.bz2", ".12.xz", "-20251130"])
def test_a_rotated_day_is_read_as_before(logs: Path, behind: str) -> None:
    look(logs)
    before = [row.comparison_id for row in read_folder(logs, str)]  # type: ignore[union-attr]
    turned(event_files(logs, COMPARISONS)[0], behind)
    found = look(logs)
    assert (found.rows, found.gone, found.bad) == (12, {}, [])
    assert [row.comparison_id for row in read_folder(logs, str)] == before  # type: ignore[union-attr]


def test_turns_of_a_day_are_read_oldest_first(logs: Path) -> None:
    day = event_files(logs, COMPARISONS)[0]
    names = [f"{day.name}{behind}" for behind in (".10.gz", ".2.gz", "", ".1", "-20251101.gz", "-20251102.gz")]
    for name in names:
        (logs / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    found = [
        path.name.removeprefix(day.name) for path in event_files(logs, COMPARISONS) if path.name.startswith(day.name)
    ]
    assert found == [".10.gz", ".2.gz", ".1", "-20251101.gz", "-20251102.gz", ""]


def test_what_cannot_be_unpacked_is_said(logs: Path) -> None:
    packed = turned(event_files(logs, COMPARISONS)[0], ".1.gz")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ZantaraError, match="cannot be unpacked"):
        look(logs)
    packed.rename(logs / f"shadow_comparison_{DAYS[0]}.jsonl.zst")
    with pytest.raises(ZantaraError, match=r"\.zst is packed in a way that is not read"):
        look(logs)


def test_a_day_that_is_gone_is_named_until_it_is_back(logs: Path) -> None:
    assert look(logs).gone == {}
    away = event_files(logs, COMPARISONS)[0]
    kept = away.read_bytes()
    away.unlink()
    for _ in range(2):
        found = look(logs)
        assert (found.rows, found.gone) == (8, {(DAYS[0], "e1"): 4})
    away.write_bytes(kept)
    found = look(logs)
    assert (found.rows, found.gone) == (12, {})


def test_a_day_that_was_cut_is_named_and_one_that_grew_is_not(logs: Path) -> None:
    look(logs)
    first, second, _ = event_files(logs, COMPARISONS)
    first.write_bytes(b"".join(first.read_bytes().splitlines(keepends=True)[:1]))
    second.write_bytes(second.read_bytes() + to_line(comparison(99, timestamp=START + timedelta(days=1))))
    assert look(logs).gone == {(DAYS[0], "e1"): 3}
    assert look(logs).gone == {(DAYS[0], "e1"): 3}


def test_a_note_that_is_damaged_is_made_anew(logs: Path) -> None:
    look(logs)
    next((logs / "state").rglob("seen.json")).write_bytes(b'{"2025-10-21": [5')
    assert look(logs).gone == {}
    assert look(logs).gone == {}
