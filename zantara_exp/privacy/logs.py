"""The logs: comparisons, what was served, complaints, incidents; files and the tables of PostgreSQL.

A comparison that goes takes its count of lost requests along only where a line with nothing but that count takes its
place: otherwise deleting a user would make the mirror look better than it was.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.dataset.records import Record
from zantara_exp.errors import ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.packed import reading
from zantara_exp.privacy.lines import Edit, edit_lines, locked, on_records
from zantara_exp.privacy.whose import Whose
from zantara_exp.rollout.complaints import complaint_files
from zantara_exp.rollout.served_store import served_files
from zantara_exp.shadow.jsonl import QUARANTINE
from zantara_exp.shadow.reader import log_files
from zantara_exp.shadow.record import SCHEMA_VERSION

if TYPE_CHECKING:
    from psycopg import Connection

BLANK = b'{"schema_version":"removed"}'
"""In the place of a line that nobody could read: still one, and without its text."""
_READ_AT_ONCE = 2000


def learn(layout: Layout, whose: Whose) -> int:
    """Note the comparisons that go, before anything is gone; how many lines cannot be read by anyone."""
    unreadable = 0
    for path in log_files(layout.logs):
        with reading(path) as lines:
            for line in lines:
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
        counts = {name: record.get(name) for name in ("epoch", "timestamp", "dropped")}
        return orjson.dumps({"schema_version": SCHEMA_VERSION, "record": "drops", **counts})

    return edit


def forget(config: Config, layout: Layout, whose: Whose, dry: bool) -> Counter[str]:
    """Remove their lines from every log on this machine and in the database; counts by log."""
    done: Counter[str] = Counter()
    compare = comparison_edit(whose, config.privacy.unreadable)
    if config.log.kind == "postgres":
        done["comparisons"] += _in_table(config.log.url_env, "zantara_comparisons", "position", compare, whose, dry)
        if not dry:
            _copied_anew(layout)
    plain = on_records(lambda record: None if whose.goes(record) else record)
    for path in log_files(layout.logs):
        done["comparisons"] += _edited(path, compare, dry)
    for path in served_files(layout.logs):
        done["served"] += _edited(path, plain, dry)
    if config.rollout.state == "postgres":
        done["served"] += _in_table(config.rollout.state_url_env, "zantara_served", "ctid", plain, whose, dry)
        done["complaints"] += _in_table(config.rollout.state_url_env, "zantara_complaints", "ctid", plain, whose, dry)
    for path in complaint_files(layout.logs):
        done["complaints"] += _edited(path, plain, dry)
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


def _copied_anew(layout: Layout) -> None:
    """The copy of the table on this machine goes; the next reader fetches what is left."""
    from zantara_exp.shadow.fetch import SUFFIX

    for path in (*layout.logs.glob(f"*{SUFFIX}"), layout.logs / "postgres.json"):
        path.unlink(missing_ok=True)


def waiting_in_spools(layout: Layout, whose: Whose) -> int:
    """Lines of theirs in the spools of processes that run: they are sent in a moment, and can then be removed."""
    return sum(
        (record := _record(line)) is not None and whose.goes(record)
        for path in layout.log_spool.glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    )


def _in_table(variable: str, table: str, name: str, edit: Edit, whose: Whose, dry: bool) -> int:
    """The same for the lines of a table. A line of comparisons stays as an empty one: spools are known by their end."""

    def work(connection: Connection) -> int:
        changed = 0
        with connection.transaction():
            found = connection.execute("select to_regclass(%s)", [table]).fetchone()
            if found is None or found[0] is None:
                return 0
            connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [table])
            cursor = connection.cursor(name="forget")
            batch: list[tuple[str, str]] = []
            for place, line in cursor.execute(f"select {name}::text, line from {table}"):  # noqa: S608  our own names
                text = line.encode()
                now = edit(text) if text.strip() else text
                if now != text:
                    changed += 1
                    batch.append((("" if now is None else now.decode()), place))
            cursor.close()
            if not dry:
                kind = "bigint" if name == "position" else "tid"
                for first in range(0, len(batch), _READ_AT_ONCE):
                    connection.cursor().executemany(
                        f"update {table} set line = %s where {name} = %s::{kind}",  # noqa: S608
                        batch[first : first + _READ_AT_ONCE],
                    )
                if name == "ctid":
                    connection.execute(f"delete from {table} where line = ''")  # noqa: S608
        return changed

    return connected(variable, work)


def connected(variable: str, work: Callable[[Any], int]) -> int:
    """Do `work` with a connection to the database of a variable. Raises ZantaraError where it cannot be used."""
    import psycopg

    from zantara_exp.shadow.table import checked_url

    url = checked_url(variable)
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True, application_name="zantara-exp forget") as opened:
            return work(opened)
    except psycopg.Error as broken:  # its words may quote the URL
        raise ZantaraError(
            f"the database of {variable} cannot be used: {type(broken).__name__}",
            f"check {variable}, and run the same command again: what is removed already stays so",
        ) from None


def caches(layout: Layout) -> list[Path]:
    """What is made from the logs anew when it is not there."""
    return [path for path in (layout.state / "comparisons", layout.state / "facts") if os.path.lexists(path)]
