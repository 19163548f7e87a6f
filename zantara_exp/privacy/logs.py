"""The logs: comparisons, what was served, complaints, incidents; files and the tables of PostgreSQL.

A comparison that goes takes its count of lost requests along only where a line with nothing but that count takes its
place: otherwise deleting a user would make the mirror look better than it was.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import closing
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.records import Record
from zantara_exp.io.database import LOG, STATE
from zantara_exp.io.events import COMPARISONS, COMPLAINTS, SERVED, Kind, event_files
from zantara_exp.io.lines import QUARANTINE
from zantara_exp.io.packed import reading
from zantara_exp.io.table import Table
from zantara_exp.privacy.lines import Edit, edit_lines, locked, on_records
from zantara_exp.privacy.what_goes import Whose
from zantara_exp.shadow.log import comparisons_of
from zantara_exp.shadow.record import SCHEMA_VERSION

BLANK = b'{"schema_version":"removed"}'
"""In the place of a line that nobody could read: still one, and without its text."""
_CALLED = {COMPARISONS: "comparisons", SERVED: "served", COMPLAINTS: "complaints"}


def learn(config: Config, layout: Layout, whose: Whose) -> int:
    """Note the comparisons that go, before anything is gone; how many lines cannot be read by anyone."""
    unreadable = 0
    with closing(comparisons_of(config, layout)) as log:
        for line in log.lines():
            record = _record(line)
            if record is None:
                unreadable += bool(line.strip()) and line.strip() != BLANK
            elif whose.goes(record):
                whose.learn(record)
    return unreadable


def _record(line: bytes) -> Record | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    known = isinstance(found, dict) and ("user" in found or "user_id" in found or found.get("record") == "drops")
    return found if known else None


def comparison_edit(whose: Whose, unreadable: str) -> Edit:
    """What becomes of a line of the comparison log."""
    raw = [name.encode() for name in (*whose.users, *whose.ids)]

    def named(line: bytes) -> bytes:
        ours = unreadable == "blank" or any(re.search(rb"(?<![\w-])" + re.escape(n) + rb"(?![\w-])", line) for n in raw)
        return BLANK if ours and line != BLANK else line

    def edit(line: bytes) -> bytes | None:
        record = _record(line)
        if record is None:
            return named(line)
        if not whose.goes(record):
            return line
        dropped = record.get("dropped")
        if not isinstance(dropped, dict) or not any(dropped.values()):
            return None
        if record.get("record") == "drops":
            return line
        counts = {
            name: record.get(name) for name in ("candidate_id", "epoch", "timestamp", "dropped") if name in record
        }
        return orjson.dumps({"schema_version": SCHEMA_VERSION, "record": "drops", **counts})

    return edit


def forget(config: Config, layout: Layout, whose: Whose, dry: bool) -> Counter[str]:
    """Remove their lines from every log on this machine and in the database; counts by log."""
    done: Counter[str] = Counter()
    compare = comparison_edit(whose, config.privacy.unreadable)
    plain = on_records(lambda record: None if whose.goes(record) else record)
    for kind, edit in ((COMPARISONS, compare), (SERVED, plain), (COMPLAINTS, plain)):
        name, where = _CALLED[kind], config.log.kind if kind == COMPARISONS else config.rollout.state
        if where == "postgres":
            done[name] += _in_table(config, kind, edit, dry)
        for path in event_files(layout.logs, kind):
            done[name] += _edited(path, edit, dry)
    done["unreadable fragments"] += _edited(layout.logs / QUARANTINE, _quarantined(config, whose), dry)
    done["incidents"] += edit_lines(layout.incidents, on_records(lambda row: _incident(row, whose)), dry=dry)
    return +done


def _edited(path: Path, edit: Edit, dry: bool) -> int:
    """Under the lock of the writers; a file in which nothing is left goes."""
    if not path.is_file():
        return 0
    with locked(path):
        changed = edit_lines(path, edit, dry=dry)
        if changed and not dry and _is_empty(path):
            path.unlink()
    return changed


def _is_empty(path: Path) -> bool:
    with reading(path) as file:
        return not file.read(1)


def _quarantined(config: Config, whose: Whose) -> Edit:
    """Fragments of lines: what was torn stays counted, its text goes."""

    def change(record: Record) -> Record | None:
        text = str(record.get("text", ""))
        ours = config.privacy.unreadable == "blank" or any(name in text for name in (*whose.users, *whose.ids))
        return {**record, "text": ""} if text and ours else record

    return on_records(change)


def _incident(row: Record, whose: Whose) -> Record:
    """The incident stays, for it counts; a note that names one of them goes."""
    note = str(row.get("note", ""))
    gone = note not in ("", "removed") and (whose.traces_in(note) or whose.too_old(row.get("day")))
    return {**row, "note": "removed"} if gone else row


def waiting_in_spools(layout: Layout, whose: Whose) -> int:
    """Lines of theirs in the spools of processes that run: they are sent in a moment, and can then be removed."""
    return sum(
        (record := _record(line)) is not None and whose.goes(record)
        for spool in (layout.log_spool, layout.served_spool)
        for path in spool.glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    )


def _in_table(config: Config, kind: Kind, edit: Edit, dry: bool) -> int:
    variable, asked_by = config.rollout.state_url_env, STATE
    if kind == COMPARISONS:
        variable, asked_by = config.log.url_env, LOG

    def change(line: str) -> str | None:
        now = edit(line.encode())
        return None if now is None else now.decode()

    with closing(Table(kind, variable, asked_by)) as table:
        return table.edit(change, dry)


def caches(layout: Layout) -> list[Path]:
    """What is made from the logs anew when it is not there; `comparisons` is of earlier versions."""
    return [path for path in (layout.state / "comparisons", layout.state / "facts") if os.path.lexists(path)]
