"""The comparison log, opened for queries: facts, drops, and the lines that could not be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.analysis.engine import Engine, fetched, first_value, open_engine
from zantara_exp.analysis.facts import doubles_of, facts_of, newest_day, set_back_of
from zantara_exp.analysis.meaning import with_embedding
from zantara_exp.analysis.tables import newest_epoch
from zantara_exp.config.schema import Config
from zantara_exp.embedding import check_embedding
from zantara_exp.errors import MissingInputError
from zantara_exp.hints import command
from zantara_exp.layout import Layout
from zantara_exp.shadow.record import AA, ONLY_PRIMARY

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.shadow.compact import Compacted

_THREADS = 2
GONE = "gone"
"""The reason of what was in the log at an earlier look, and is there no more."""
"""Days whose facts are derived at once."""


@dataclass(frozen=True)
class BadLine:
    """A line of the log that could not be read. Its text stays in the quarantine file."""

    file: str
    line: int
    reason: str

    @property
    def day(self) -> date | None:
        """The UTC day that the file's name gives."""
        try:
            return date.fromisoformat(self.file.removeprefix("shadow_comparison_")[:10])
        except ValueError:
            return None


@dataclass(frozen=True)
class ComparisonLog:
    """One log, up to a day."""

    facts: ir.Table
    """One row per comparison of the candidate that is evidence: movable, doubles left out (`analysis.facts`)."""
    noise: ir.Table
    """The same of the A/A arm: the primary against itself, which no criterion may count."""
    aside: ir.Table
    """One row per sampled request that is no evidence: not movable, or without an answer to compare with."""
    files: tuple[Path, ...]
    """Compacted files with the text of every comparison."""
    drops: Mapping[tuple[date, str, str], int]
    """Requests the mirror lost, by day, epoch and reason."""
    bad: tuple[BadLine, ...]
    """Lines that could not be read."""
    doubles: int
    """Comparisons that stood in the log more than once; each is counted once."""
    set_back: int
    """Comparisons dated well before one that was logged before them."""
    until: date
    """Last UTC day looked at: on which something was compared, or lost."""
    horizon: date
    """Tomorrow, in UTC: what is dated later was written by a clock that is wrong, and counts as lost on `until`."""

    def lost(self, epoch: str, first: date) -> dict[date, int]:
        """Requests of an epoch that were sampled and cannot be measured, by day: drops and unreadable lines.

        An unreadable line does not say its epoch, so it counts against every epoch that was running.
        """
        lost: Counter[date] = Counter()
        for (day, of, _), count in self.drops.items():
            if of == epoch:
                lost[self._known(day)] += count
        lost.update(self._known(line.day) for line in self.bad if line.day is not None and line.day >= first)
        return {day: count for day, count in lost.items() if day <= self.until}

    def newest(self) -> tuple[str, date]:
        """The epoch of the newest comparison, and its first day. Raises MissingInputError where nothing is evidence."""
        self.check_evidence(self.facts)
        return newest_epoch(self.facts)

    def check_evidence(self, facts: ir.Table) -> None:
        """Raise MissingInputError where there is no comparison among the facts, and all requests were set aside."""
        if first_value(facts.count()):
            return
        aside = fetched(self.aside.group_by("why_aside").agg(requests=self.aside.count())).to_pylist()
        if aside:
            aside.sort(key=lambda row: (-row["requests"], row["why_aside"]))
            whys = ", ".join(f"{row['why_aside']}: {row['requests']:,}" for row in aside)
            raise MissingInputError(
                f"no request of the log is evidence, because a rollout would move none of them ({whys})",
                command("stage=power", note="and docs/shadow-mode.md, what would move"),
            )

    def _known(self, day: date) -> date:
        return self.until if day > self.horizon else day


@contextmanager
def open_log(config: Config, layout: Layout, until: date | None = None) -> Iterator[ComparisonLog]:
    """Open the comparison log for queries, up to and with UTC day `until` (default: its newest day, be all of it lost).

    Raises MissingInputError when there is no comparison to look at.
    """
    from zantara_exp.shadow.compact import compact
    from zantara_exp.shadow.fetch import fetch

    check_embedding(config.evaluation.embedding)
    fetch(config, layout)
    compacted = compact(layout)
    if not compacted.comparisons:
        raise MissingInputError(f"{layout.logs} holds no comparison", command("stage=shadow"))
    with open_engine(config.engine) as engine:
        yield _opened(engine, compacted, config, layout, until)


def _opened(engine: Engine, compacted: Compacted, config: Config, layout: Layout, until: date | None) -> ComparisonLog:
    import ibis

    with ThreadPoolExecutor(_THREADS) as pool:  # Arrow computes without the interpreter's lock
        cache = layout.state / "facts"
        files = list(pool.map(lambda source: facts_of(source, cache, config), compacted.comparisons))
    everything = engine.read(files)
    if config.evaluation.embedding is None:
        everything = everything.mutate(embedding=ibis.null("float64"))
    else:
        everything = with_embedding(
            engine, everything, files, compacted.comparisons, cache / "embeddings", config.evaluation.embedding
        )
    horizon = datetime.now(UTC).date() + timedelta(days=1)
    drops = _drops(compacted.drops) | {
        (date.fromisoformat(day), epoch, GONE): count for (day, epoch), count in compacted.gone.items()
    }
    bad = (*_bad_lines(compacted.quarantine), *_future(files, horizon))
    last = _last_day(everything.filter(everything.day <= horizon), drops, bad, horizon)
    if last is None:
        raise MissingInputError(f"{layout.logs} holds no comparison dated up to today", command("stage=shadow"))
    last = min(until, last) if until else last
    once = everything.filter((everything.day <= last) & everything.first)
    aside = (once.arm == ONLY_PRIMARY) | ((once.arm != AA) & ~once.movable)
    return ComparisonLog(
        facts=engine.view("facts", once.filter((once.arm != AA) & ~aside).drop("first")),
        noise=engine.view("noise", once.filter((once.arm == AA) & once.movable).drop("first")),
        aside=engine.view("aside", once.filter(aside).drop("first")),
        files=tuple(compacted.comparisons),
        drops={key: count for key, count in drops.items() if key[0] <= last or key[0] > horizon},
        bad=bad,
        doubles=sum(doubles_of(path) for path in files),
        set_back=sum(set_back_of(path) for path in files),
        until=last,
        horizon=horizon,
    )


def _last_day(
    known: ir.Table, drops: Mapping[tuple[date, str, str], int], bad: Sequence[BadLine], horizon: date
) -> date | None:
    """The last day with a comparison or a loss; None where no comparison is known."""
    newest: date | None = first_value(known.day.max())
    if newest is None:
        return None
    lost = [day for day, _, _ in drops] + [line.day for line in bad if line.day is not None]
    return max([newest, *(day for day in lost if day <= horizon)])


def _future(files: Sequence[Path], horizon: date) -> list[BadLine]:
    """Comparisons dated after `horizon`, as lines that cannot be read: their day is not known."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found = []
    for path in files:
        if newest_day(path) > horizon:
            rows = pq.read_table(path, columns=["day", "first"])
            late = pc.sum(pc.and_(pc.greater(rows["day"], horizon), rows["first"])).as_py() or 0
            # A file of facts is named after its source, behind a hash of where that lies.
            name = f"{path.stem.partition('-')[2]}.jsonl"
            found += [BadLine(name, 0, "timestamp lies in the future")] * late
    return found


def _drops(files: Sequence[Path]) -> dict[tuple[date, str, str], int]:
    import pyarrow.parquet as pq

    drops: Counter[tuple[date, str, str]] = Counter()
    for path in files:
        for row in pq.read_table(path).to_pylist():
            drops[row["day"], row["epoch"], row["reason"]] += int(row["count"])
    return dict(drops)


def _bad_lines(quarantine: Path | None) -> tuple[BadLine, ...]:
    if quarantine is None or not quarantine.is_file():
        return ()
    with quarantine.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(BadLine(str(row["file"]), int(row["line"]), str(row["reason"])) for row in rows)
