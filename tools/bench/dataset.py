"""`scripts/bench dataset`: conversations of a kilobyte from the database to splits, and in how much memory.

The conversations are written of the demo's words by chance, so that no two are alike but those that are meant to be:
one in twenty is an earlier one with another word, one in thirty says what is personal. stage=extract and stage=prepare
are run as a user runs them, on a quarter of the rows and on all, and all their processes are watched.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any
from uuid import UUID

import orjson

from tools.bench.checkout import ROOT
from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.config.data import Demo
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.dataset.conversations import TABLE, Row, fill
from zantara_exp.dataset.demo.generate import rows as demo_rows
from zantara_exp.dataset.demo.phrases import product_of

ROWS = 200_000
ASKED = 1_000_000
"""Rows of which the goals speak; what fewer take is drawn out in a line."""
SECONDS, MEGABYTES = 600, 4096
CHARACTERS = 1_000
STAGES = ("extract", "prepare")
DATABASE = "bench"
_EVERY_SECONDS = 0.25
_CHATS_A_USER = 8
_PERSONAL = (
    "My number is +62 812 3456 7890.",
    "Scrivimi a anna.rossi@example.org.",
    "My card is 4111 1111 1111 1111.",
    "Il mio IBAN è IT60X0542811101000000123456.",
)


@dataclass(frozen=True)
class Run:
    """What a stage took."""

    rows: int
    seconds: float
    processor: float
    """Seconds of processor time, of all its processes."""
    megabytes: float
    """Peak of the memory of all its processes, what they share counted once."""


def run(size: int | None = None, seed: int = 7) -> Report:
    """Load, extract and prepare; about ten minutes for 200,000 rows."""
    started, rows = time.monotonic(), size or ROWS
    tables, goals, found = [], [], []
    for count in (rows // 4, rows):
        runs, made = _measured(count, seed)
        found.append(runs)
        tables.append(_table(f"{count:,} rows", runs))
        tables.append(_outcome(made))
    few, many = found
    seconds = sum(_at(ASKED, few[stage], many[stage], "seconds") for stage in STAGES)
    processor = sum(_at(ASKED, few[stage], many[stage], "processor") for stage in STAGES)
    memory = max(_at(ASKED, few[stage], many[stage], "megabytes") for stage in STAGES)
    goals.append(Goal(f"{ASKED:,} rows, drawn out: seconds", round(seconds), None, SECONDS))
    goals.append(Goal(f"{ASKED:,} rows, drawn out: seconds of processor time a core", round(processor / 2), None, 600))
    goals.append(Goal(f"{ASKED:,} rows, drawn out: MB", round(memory), None, MEGABYTES))
    intro = (
        f"Conversations of {CHARACTERS} characters in the embedded PostgreSQL, whose own time and memory are not "
        f"counted; what {ASKED:,} of them take is drawn out in a line through the two runs. Load average of the "
        f"machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores. Again by:"
    )
    command = f"scripts/bench dataset --rows {rows} --seed {seed}"
    return Report("dataset", command, intro, tables, goals, time.monotonic() - started)


def _measured(rows: int, seed: int) -> tuple[dict[str, Run], dict[str, Any]]:
    """What each stage took, and what prepare.json says of the outcome."""
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder, _loaded(Path(folder), rows, seed):
        runs = {stage: _stage(stage, Path(folder), rows) for stage in STAGES}
        return runs, orjson.loads((Path(folder) / "dataset" / "prepare.json").read_bytes())


def _at(rows: int, few: Run, many: Run, what: str) -> float:
    """Along the line through two runs; not less than in the larger one."""
    least, most = getattr(few, what), getattr(many, what)
    return float(most + max(0.0, most - least) / (many.rows - few.rows) * (rows - many.rows))


def _table(title: str, runs: dict[str, Run]) -> Table:
    lines = [
        [stage, f"{run.seconds:.1f}", f"{run.processor:.1f}", f"{run.rows / run.seconds:,.0f}", f"{run.megabytes:.0f}"]
        for stage, run in runs.items()
    ]
    return Table(title, ["stage", "seconds", "of processor time", "rows/s", "MB at most"], lines)


def _outcome(made: Mapping[str, Any]) -> Table:
    lines = [[what, str(made[what])] for what in ("conversations", "kept")]
    lines += [[f"rejected: {reason}", str(count)] for reason, count in made["rejected"].items()]
    return Table("what became of them", ["", ""], lines)


@contextmanager
def _loaded(folder: Path, rows: int, seed: int) -> Iterator[None]:
    """The conversations in a running server."""
    import psycopg

    from zantara_exp.dataset import embedded

    folder.chmod(0o755)  # root runs PostgreSQL as another account
    begun = time.monotonic()
    with embedded.server(folder / "state") as server:
        server.create_database(DATABASE)
        with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
            connection.execute(TABLE.replace("create table", "create unlogged table"))
            fill(connection, conversations(rows, seed))
            connection.execute("create index on conversations (created_at)")
            connection.execute("analyze")
        terminal.say(f"{rows:,} conversations loaded in {time.monotonic() - begun:.0f} s")
        yield


def conversations(rows: int, seed: int) -> Iterator[Row]:
    """Chats of two to four turns, the oldest first."""
    random = Random(seed)  # noqa: S311 - draws words
    words = _words(seed)
    earlier: list[list[dict[str, str]]] = []
    begin = datetime(2025, 6, 1, tzinfo=UTC)
    for number in range(rows):
        if earlier and random.random() < 0.05:
            messages = _nearly(random.choice(earlier), random)
        else:
            messages = _chat(random.choice(words), random)
            earlier = [*earlier[-199:], messages]
        yield Row(
            id=UUID(int=random.getrandbits(128), version=4),
            user_id=f"u{random.randrange(max(50, rows // _CHATS_A_USER))}",
            session_id=f"s{number}",
            messages=messages,
            metadata={"model": "claude-haiku-4-5", "tokens_input": 700, "tokens_output": 200, "latency_ms": 1200},
            created_at=begin + timedelta(seconds=10 * number),
        )


def _words(seed: int) -> list[list[str]]:
    """Of each of the demo's languages."""
    found: dict[str, set[str]] = {}
    for row in demo_rows(product_of(compose([]).domain), Demo(), seed):
        language = row.metadata.get("language")
        for message in row.messages if isinstance(row.messages, list) else ():
            if isinstance(message, dict) and isinstance(message.get("content"), str) and isinstance(language, str):
                found.setdefault(language, set()).update(word for word in message["content"].split() if word.isalpha())
    return [sorted(words) for _, words in sorted(found.items()) if len(words) > 200]


def _chat(words: Sequence[str], random: Random) -> list[dict[str, str]]:
    turns = random.randint(2, 4)
    messages = []
    for _ in range(turns):
        messages.append({"role": "user", "content": _said(words, random, CHARACTERS // turns // 4)})
        messages.append({"role": "assistant", "content": _said(words, random, 3 * CHARACTERS // turns // 4)})
    return messages


def _said(words: Sequence[str], random: Random, characters: int) -> str:
    sentences, said = [], 0
    if random.random() < 1 / 30:
        sentences.append(random.choice(_PERSONAL))
    while said < characters:
        sentences.append(" ".join(random.choices(words, k=random.randint(6, 12))).capitalize() + ".")
        said += len(sentences[-1]) + 1
    return " ".join(sentences)


def _nearly(messages: Sequence[dict[str, str]], random: Random) -> list[dict[str, str]]:
    """The same chat with a word more, or none."""
    *rest, last = messages
    more = random.choice(["", " Arrivederci.", " Goodbye.", " Dadah."])
    return [*rest, {**last, "content": last["content"] + more}]


def _stage(stage: str, folder: Path, rows: int) -> Run:
    given = [
        f"stage={stage}",
        f"source.database={DATABASE}",
        "source.days=36500",
        "source.models=[]",
        f"source.limit={rows}",
        f"paths.state={folder / 'state'}",
        f"paths.dataset={folder / 'dataset'}",
        "source=embedded",
    ]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "zantara_exp", *given], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    with _watched(process.pid) as peak:
        said, _ = process.communicate()
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(f"stage={stage} ended with {process.returncode}: {said}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    terminal.say(f"stage={stage}, {rows:,} rows: {seconds:.1f} s, {peak[0]:.0f} MB")
    return Run(rows, seconds, processor, peak[0])


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """The most megabytes that a process and those it started hold together."""
    peak, ended = [0.0], Event()

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            peak[0] = max(peak[0], sum(map(_megabytes, _family(pid))))

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    family, fresh = [], [pid]
    while fresh:
        family += fresh
        fresh = [child for each in fresh for child in parents.get(each, ())]
    return family


def _megabytes(pid: int) -> float:
    """Memory of a process, of what it shares its part."""
    try:
        said = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(said.split("Pss:")[1].split()[0]) / 1024
