"""What smells: patterns that make good numbers worth nothing. None of them decides; each says where to look.

That the users are not the declared sample is found by the gate as well, which then says no GO.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from zantara_exp.analysis.engine import fetched, first_value
from zantara_exp.analysis.facts import SET_BACK
from zantara_exp.analysis.log import GONE, ComparisonLog
from zantara_exp.analysis.sample import sampled
from zantara_exp.gates.sample_ratio import sample_ratio
from zantara_exp.shadow.record import BY_HASH
from zantara_exp.text.wording import agreed, counted

if TYPE_CHECKING:
    import ibis.expr.types as ir

_FEW = 30
"""Below this many comparisons a pattern is chance."""


@dataclass(frozen=True)
class Smell:
    """One suspicious pattern."""

    what: str
    why: str
    """What it would mean."""


def smells(log: ComparisonLog, facts: ir.Table, first: date, alpha: float) -> list[Smell]:
    """Suspicious patterns in `facts`, one epoch of the log from its day `first`; the worst come first.

    `alpha`: of a false sample ratio mismatch, `gate.sample_ratio_alpha`.
    """
    requests = int(first_value(facts.count()))
    if requests < _FEW:
        return []
    answered = facts.filter(facts.candidate_ok)
    found = [
        _same(
            answered,
            "candidate_answer",
            0.2,
            "of the answers are word for word the same",
            "the candidate may not read the question",
        ),
        _same(
            answered,
            "candidate_bucket",
            0.4,
            "of the answers took the same time",
            "a fixed wait, or a cache, is being measured",
        ),
        _same(
            facts.filter(facts.candidate_ok & facts.chrf.notnull()),
            "chrf",
            0.5,
            "of the pairs score the same chrF",
            "the scores may not come from the answers",
        ),
        _copied(answered),
        _same(
            facts,
            "user",
            0.2,
            "of the requests come from one user",
            "the numbers speak of that user more than of the others",
        ),
        _share(
            facts,
            facts.candidate_fault.isin(["empty_answer", "placeholder"]),
            0.02,
            "of the replies are empty or dots",
            "the endpoint may cut its answers off",
        ),
        _share(
            answered,
            answered.candidate_latency_ms.isnull(),
            0.01,
            "of the answers have no usable latency",
            "a clock jumped back, or latency was not logged",
        ),
        _gone(log),
        _doubles(log, requests),
        _set_back(log, requests),
        _percent(facts),
        _load(facts),
        *_spread(facts, alpha),
        _silent(facts, first, log.until),
    ]
    return [smell for smell in found if smell is not None]


def _same(rows: ir.Table, column: str, limit: float, what: str, why: str) -> Smell | None:
    """The most frequent value of a column holds more than `limit` of the rows."""
    counts = rows.group_by(column).agg(rows=rows.count())
    row = fetched(counts.agg(most=counts.rows.max(), whole=counts.rows.sum())).to_pylist()[0]
    if not row["whole"] or row["whole"] < _FEW or row["most"] / row["whole"] <= limit:
        return None
    return Smell(f"{row['most'] / row['whole'] * 100:.0f} % {what}", why)


def _share(rows: ir.Table, condition: ir.BooleanValue, limit: float, what: str, why: str) -> Smell | None:
    share = fetched(rows.agg(share=condition.mean()))["share"][0].as_py()
    return Smell(f"{share * 100:.1f} % {what}", why) if share is not None and share > limit else None


def _copied(answered: ir.Table) -> Smell | None:
    same = answered.candidate_answer == answered.primary_answer
    return _share(
        answered, same, 0.5, "of the answers repeat the primary's", "the candidate may see what the primary said"
    )


def _gone(log: ComparisonLog) -> Smell | None:
    gone = {key: count for key, count in log.drops.items() if key[2] == GONE}
    if not gone:
        return None
    days, count = [day for day, _, _ in gone], sum(gone.values())
    return Smell(
        f"{counted(count, 'comparison')} from {min(days)} to {max(days)} "
        + ("was in the log and is gone" if count == 1 else "were in the log and are gone"),
        "a rotation or somebody removed them; bring the files back, packed as .gz will do; old days go by stage=forget",
    )


def _doubles(log: ComparisonLog, requests: int) -> Smell | None:
    if log.doubles <= 0.01 * requests:
        return None
    what = f"{agreed(log.doubles, 'comparison stands', 'comparisons stand')} in the log twice"
    return Smell(what, "a writer was started twice, or files were joined")


def _set_back(log: ComparisonLog, requests: int) -> Smell | None:
    if log.set_back <= 0.05 * requests:
        return None
    hours = SET_BACK.total_seconds() / 3600
    return Smell(
        f"{log.set_back:,} comparisons are dated more than {hours:g} h before one logged before them",
        "a clock jumped, or files were joined",
    )


def _spread(facts: ir.Table, alpha: float) -> list[Smell]:
    """Whether the users are those, and all those, that a sample of the logged percent takes, as the gate tests it."""
    found = sample_ratio(sampled(facts), alpha)
    wrong = [step for step in found.steps if step.mismatch]
    beyond = "they were sampled by another rule than the log says; no gate says GO on it"
    uneven = "a part of the sample is missing from the log; no gate says GO on it"
    return [Smell(step.mismatch, beyond if step.beyond else uneven) for step in wrong]


def _load(facts: ir.Table) -> Smell | None:
    """Latency is that of the load which the mirror brought."""
    percent = first_value(facts.filter(facts.sampling_reason == BY_HASH).sampling_percent.mean())
    if percent is None or not 0 < percent < 100:
        return None
    return Smell(
        f"the candidate bore {percent:.3g} % of the load that a rollout to all users brings",
        "its latency then is not known: stage=shadow primary.arrivals=recorded primary.load_percent=100 measures it",
    )


def _percent(facts: ir.Table) -> Smell | None:
    percents = fetched(facts.select("sampling_percent").distinct())["sampling_percent"].to_pylist()
    known = sorted(value for value in percents if value is not None)
    if len(known) < 2:
        return None
    listed = ", ".join(f"{value:g} %" for value in known)
    return Smell(f"the sampled share changed for one candidate: {listed}", "days are not drawn alike")


def _silent(facts: ir.Table, first: date, last: date) -> Smell | None:
    days = first_value(facts.day.nunique())
    silent = (last - first).days + 1 - days
    what = f"{counted(silent, 'day')} without a comparison"
    return Smell(what, "the mirror was off, or its log was lost") if silent > 0 else None
