"""The comparison log, opened for queries: facts, drops, and the lines that could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.analysis.derive import Derived, derive
from zantara_exp.analysis.engine import Engine, fetched, first_value, open_engine
from zantara_exp.analysis.excluded import evidence_of, left_out
from zantara_exp.analysis.meaning import with_embedding
from zantara_exp.analysis.tables import newest_epoch
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.io.event_log import Part
from zantara_exp.io.events import COMPARISONS
from zantara_exp.shadow.identity import hash_user
from zantara_exp.shadow.log import comparisons_of
from zantara_exp.shadow.record import AA, CANDIDATE, MOVED, ONLY_PRIMARY
from zantara_exp.text.embedding import check_embedding

if TYPE_CHECKING:
    import ibis.expr.types as ir

GONE = "gone"
"""The reason of what was in the log at an earlier look, and is there no more."""


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
    moved: ir.Table
    """Of a rollout: what the candidate answered users, beside what the primary says to it; no evidence for a gate."""
    aside: ir.Table
    """One row per sampled request that is no evidence: not movable, or without an answer to compare with."""
    parts: tuple[Part, ...]
    """The log itself, with the text of every comparison (`analysis.texts`)."""
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

    def evidence(self, epoch: str, config: Config, layout: Layout) -> ir.Table:
        """The facts of an epoch that a gate may count. Raises MissingInputError, see `analysis.excluded`."""
        seen = self.facts.select("user", "day", "epoch").union(self.aside.select("user", "day", "epoch"))
        return evidence_of(self.facts.filter(self.facts.epoch == epoch), seen, epoch, config, layout)

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
    check_embedding(config.evaluation.embedding)
    source = comparisons_of(config, layout)
    try:
        parts = source.parts()
        found = derive(parts, source.identity, layout.logs, layout.state, config, hash_user(layout))
        if not found.rows:
            raise MissingInputError(f"{layout.logs} holds no comparison", command("stage=shadow"))
        with open_engine(config.engine, layout.state) as engine:
            yield _opened(engine, found, parts, config, layout, until)
    finally:
        source.close()


def _opened(
    engine: Engine, found: Derived, parts: Sequence[Part], config: Config, layout: Layout, until: date | None
) -> ComparisonLog:
    import ibis

    everything = engine.read(found.facts)
    if config.evaluation.embedding is None:
        everything = everything.mutate(embedding=ibis.null("float64"))
    else:
        scores = layout.state / "facts" / "embeddings"
        everything = with_embedding(engine, everything, found.facts, parts, scores, config.evaluation.embedding)
    horizon = datetime.now(UTC).date() + timedelta(days=1)
    drops = dict(found.drops) | {
        (date.fromisoformat(day), epoch, GONE): count for (day, epoch), count in found.gone.items()
    }
    bad = (*(BadLine(str(row["file"]), int(row["line"]), str(row["reason"])) for row in found.bad),)
    bad = (*bad, *_future(found.facts, horizon))
    last = _last_day(everything.filter(everything.day <= horizon), drops, bad, horizon)
    if last is None:
        raise MissingInputError(f"{layout.logs} holds no comparison dated up to today", command("stage=shadow"))
    last = min(until, last) if until else last
    once = everything.filter((everything.day <= last) & everything.first)
    if found.again:
        once = once.filter(~(once.part + ":" + once.place.cast("string")).isin(found.again))
    once = left_out(once, config)
    noise = once.filter((once.arm == AA) & once.movable)
    moved = once.filter(once.arm == MOVED)
    if config.candidate is not None and config.endpoints:
        once, noise = _of_candidate(once, noise, config.candidate)
    extra = once.arm.isin([AA, MOVED])
    aside = (once.arm == ONLY_PRIMARY) | (~extra & ~once.movable)
    return ComparisonLog(
        facts=engine.view("facts", once.filter(~extra & ~aside).drop("first")),
        noise=engine.view("noise", noise.drop("first")),
        moved=engine.view("moved", moved.drop("first")),
        aside=engine.view("aside", once.filter(aside).drop("first")),
        parts=tuple(parts),
        drops={key: count for key, count in drops.items() if key[0] <= last or key[0] > horizon},
        bad=bad,
        doubles=found.doubles,
        set_back=found.set_back,
        until=last,
        horizon=horizon,
    )


def _of_candidate(once: ir.Table, noise: ir.Table, name: str) -> tuple[ir.Table, ir.Table]:
    """What is one candidate's: the versions that the endpoint of its name answered for.

    The primary against itself is logged with the first candidate, and is everyone's noise.
    """
    import ibis

    answers = once.filter(once.arm == CANDIDATE)
    named = answers.candidate_provider == name
    last = fetched(answers.group_by("epoch").agg(last=answers.timestamp.max(), named=named.any())).to_pylist()
    mine = [row for row in last if row["named"]]
    newest = max((row["last"], row["epoch"]) for row in mine)[1] if mine else ""
    return once.filter(once.epoch.isin([row["epoch"] for row in mine])), noise.mutate(epoch=ibis.literal(newest))


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
        if _newest_day(path) > horizon:
            rows = pq.read_table(path, columns=["day", "first"])
            late = pc.sum(pc.and_(pc.greater(rows["day"], horizon), rows["first"])).as_py() or 0
            found += [BadLine(f"{COMPARISONS.prefix}_{path.stem}.jsonl", 0, "timestamp lies in the future")] * late
    return found


def _newest_day(facts: Path) -> date:
    """The last day in a file of facts, from its statistics."""
    import pyarrow.parquet as pq

    written = pq.read_metadata(facts)
    place = written.schema.names.index("day")
    groups = [written.row_group(number).column(place).statistics for number in range(written.num_row_groups)]
    return max((group.max for group in groups if group is not None and group.has_min_max), default=date.min)
