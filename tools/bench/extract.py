"""`scripts/bench extract`: how fast conversations come out of PostgreSQL beside a bare COPY, and in how much memory.

The demo's conversations, copied under new ids and times until there are enough, lie in the embedded PostgreSQL in both
of production's schemas: with JSON metadata and an index on the time, and flat, with text messages and no index. Every
reading is done by a process of its own; a bare COPY of all columns, read and thrown away, and ours take turns.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.config.schema import Config
from zantara_exp.core import terminal
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Table

ROWS = 1_000_000
TURNS = 3
LABELLED = 20_000
"""Rows that are redacted and labelled as well; their time grows with their number."""
DATABASE = "bench"
_COPIES = """
create unlogged table {table} as select {columns} from (
    select *, created_at - n * interval '7 seconds' as moment
    from conversations, generate_series(0, {rows} / (select count(*) from conversations)) n
) c order by moment limit {rows}
"""
_JSON = "gen_random_uuid() as id, user_id, session_id, messages, metadata, moment as created_at"
_FLAT = (
    "gen_random_uuid()::text as id, user_id, session_id, messages::text as messages, metadata, "
    "moment at time zone 'UTC' as \"timestamp\", metadata ->> 'model' as ai_model_used"
)
_INDEX = "create index on with_metadata (created_at)"
SCHEMAS = {
    "with_metadata": ["source.table=with_metadata"],
    "flat": ["source.table=flat", "source.columns.created_at=timestamp", "source.columns.model=ai_model_used"],
}


@dataclass(frozen=True)
class Reading:
    """What reading a table took."""

    rows: int
    seconds: float
    megabytes: float
    """Peak of resident memory above what the process held before it read the first row."""


def run(rows: int | None = None, seed: int = 7) -> Report:
    """Load and read; about four minutes for a million rows."""
    started, rows = time.monotonic(), rows or ROWS
    tables, goals = [], []
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder, _loaded(Path(folder), rows, seed) as loading:
        for schema, overrides in SCHEMAS.items():
            given = [f"paths.state={folder}", "source=embedded", f"source.database={DATABASE}", *overrides]
            found = _compared([*given, "source.days=36500", "source.models=[]", f"source.limit={rows}"], schema)
            tables.append(_table(f"{schema}, {rows} rows", found))
            times = median(ours.seconds / bare.seconds for bare, ours in found.turns)
            goals.append(Goal(f"{schema}: reading, in times of a bare COPY", round(times, 2), None, 2.0))
            most = max(reading.megabytes for reading in (*(ours for _, ours in found.turns), found.labelled))
            goals.append(Goal(f"{schema}: memory over start-up, MB", round(most), None, 300))
        tables.append(Table("loading", ["table", "rows/s"], [[name, f"{speed:,.0f}"] for name, speed in loading]))
    intro = (
        f"{rows} conversations of the demo in the embedded PostgreSQL; a bare COPY and ours took turns {TURNS} times, "
        "each in a process of its own; goals hold the median of the turns' ratios. Redaction and labels are measured "
        f"on {min(rows, LABELLED)} rows, written to a file. Load average of the machine at the end: "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. Again by:"
    )
    command = f"scripts/bench extract --rows {rows} --seed {seed}"
    return Report("extract", command, intro, tables, goals, time.monotonic() - started)


@dataclass(frozen=True)
class _Found:
    turns: list[tuple[Reading, Reading]]
    labelled: Reading


def _compared(overrides: list[str], schema: str) -> _Found:
    turns = []
    for turn in range(TURNS):
        turns.append((_alone(_bare, overrides), _alone(_ours, overrides)))
        bare, ours = turns[-1]
        if bare.rows != ours.rows:
            raise RuntimeError(f"{schema}: a bare COPY gives {bare.rows} rows, ours {ours.rows}")
        terminal.say(f"{schema}, turn {turn + 1}: bare {bare.seconds:.1f} s, ours {ours.seconds:.1f} s")
    return _Found(turns, _alone(_labelled, overrides))


def _table(title: str, found: _Found) -> Table:
    bare, ours = ([turn[side] for turn in found.turns] for side in (0, 1))
    rows = []
    for name, readings in (("bare COPY", bare), ("ours", ours), ("ours, redacted and labelled", [found.labelled])):
        seconds = sorted(reading.seconds for reading in readings)
        speeds = [reading.rows / reading.seconds for reading in readings]
        peak = max(reading.megabytes for reading in readings)
        spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f}" if len(seconds) > 1 else f"{seconds[0]:.1f}"
        rows.append([name, str(readings[0].rows), spread, f"{median(speeds):,.0f}", f"{peak:.0f}"])
    return Table(title, ["", "rows", "seconds", "rows/s (median)", "MB over start-up"], rows)


@contextmanager
def _loaded(folder: Path, rows: int, seed: int) -> Iterator[list[tuple[str, float]]]:
    """Both tables in a running server; yields the speed of their loading."""
    import psycopg
    from psycopg import sql

    from zantara_exp.dataset import embedded
    from zantara_exp.dataset.demo.fill import ensure_demo
    from zantara_exp.dataset.demo.phrases import product_of

    folder.chmod(0o755)  # root runs PostgreSQL as another account
    speeds = []
    with embedded.server(folder) as server:
        server.create_database(DATABASE)
        with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
            shipped = compose([])
            demo = shipped.demo
            begun = time.monotonic()
            ensure_demo(connection, product_of(shipped.domain), demo, seed)
            speeds.append(("the demo, generated and copied in", demo.conversations / (time.monotonic() - begun)))
            for table, columns in (("with_metadata", _JSON), ("flat", _FLAT)):
                begun = time.monotonic()
                parts = {"table": sql.Identifier(table), "columns": sql.SQL(columns), "rows": sql.Literal(rows)}
                connection.execute(sql.SQL(_COPIES).format(**parts))
                speeds.append((table, rows / (time.monotonic() - begun)))
            connection.execute(_INDEX)
            connection.execute("analyze")
        yield speeds


def _alone(read: Callable[[Config], Reading], overrides: list[str]) -> Reading:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_composed, (read, overrides))


def _composed(read: Callable[[Config], Reading], overrides: list[str]) -> Reading:
    return read(compose(overrides))


def _bare(config: Config) -> Reading:
    from psycopg import sql

    from zantara_exp.dataset.sources import open_database

    statement = sql.SQL("copy (select * from {}) to stdout").format(sql.Identifier(config.source.table))
    with open_database(config, Layout(config)) as source, source.connection.cursor() as cursor:
        before, begun = _start(), time.monotonic()
        with cursor.copy(statement) as copy:
            rows = sum(1 for _ in copy)  # one message a row
        return Reading(rows, time.monotonic() - begun, megabytes("VmHWM") - before)


def _ours(config: Config) -> Reading:
    from zantara_exp.dataset.sources import open_database

    with open_database(config, Layout(config)) as source:
        before, begun = _start(), time.monotonic()
        rows = sum(1 for _ in source.rows())
        return Reading(rows, time.monotonic() - begun, megabytes("VmHWM") - before)


def _labelled(config: Config) -> Reading:
    from zantara_exp.dataset import records
    from zantara_exp.dataset.messages import Malformed
    from zantara_exp.dataset.row_reader import RowReader
    from zantara_exp.dataset.sources import open_database

    config.source.limit = min(config.source.limit, LABELLED)
    reader, refused = RowReader(config, b"0123456789abcdef"), 0
    out = Path(config.paths.state) / "labelled.jsonl"
    with open_database(config, Layout(config)) as source, records.writer(out) as written:
        rows = source.rows()
        reader.read(list(islice(rows, 1)))  # loads what the first row loads
        before, begun = _start(), time.monotonic()
        while batch := list(islice(rows, 200)):
            for record in reader.read(batch):
                if isinstance(record, Malformed):
                    refused += 1
                else:
                    written.write(record)
        return Reading(written.count + refused, time.monotonic() - begun, megabytes("VmHWM") - before)


def _start() -> float:
    """Forget the peak of loading; return the megabytes held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return megabytes("VmRSS")


def megabytes(what: str) -> float:
    """Resident memory of this process, now or at its peak; `ru_maxrss` would count the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{what}:")[1].split()[0]) / 1024
