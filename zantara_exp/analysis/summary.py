"""Everything the report shows, measured once from an open log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from zantara_exp.analysis import cost
from zantara_exp.analysis.breakeven import Curve, curve
from zantara_exp.analysis.engine import fetched, first_value
from zantara_exp.analysis.facts import UNKNOWN
from zantara_exp.analysis.log import BadLine, ComparisonLog
from zantara_exp.analysis.metrics import Counts, added
from zantara_exp.analysis.movable_share import Part, moving, parts
from zantara_exp.analysis.other_models import Market, market
from zantara_exp.analysis.smells import Smell, smells
from zantara_exp.analysis.tables import Cell, by, cells, faults, newest_epoch
from zantara_exp.analysis.volume import Volume, volume
from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.next_command import command
from zantara_exp.cost import billing
from zantara_exp.cost.prices import price_of
from zantara_exp.gates.evidence import Moving

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Spending:
    """The moved segment's cost, in US dollars; by the month at the volume that is judged by."""

    volume: Volume

    requests: int
    priced: int
    usd_per_request: float | None
    primary_usd: float
    """What the primary took for the requests in the log."""
    candidate_each: float | None
    tokens_input: float
    tokens_output: float
    estimated: int
    """Requests whose primary's tokens were estimated from the text."""
    unpriced: Mapping[str, int]
    """Requests of models whose name no price list knows."""
    prices: Sequence[str]
    """By which the primary's tokens are counted."""
    days: int
    candidate_usd: float
    """What it takes for these days."""
    seconds_each: float | None
    """Seconds of a worker a request, as the log measured them."""
    curve: Curve | None
    """Against requests a month; None where a cost is not known."""
    market: Market | None
    """What others would take for it; None where no token was counted."""

    @property
    def primary_monthly(self) -> float | None:
        """What the primary takes a month."""
        return None if self.usd_per_request is None else self.usd_per_request * self.volume.judged

    @property
    def candidate_monthly(self) -> float | None:
        """What it takes with the candidate."""
        return None if self.candidate_each is None else self.candidate_each * self.volume.judged

    @property
    def savings(self) -> float | None:
        """Share of the primary's cost that is saved."""
        return cost.savings(self.usd_per_request, self.candidate_each)


@dataclass(frozen=True)
class Summary:
    """The numbers of one epoch, from its first day (or `report.since`) to the last day looked at."""

    epoch: str
    first: date
    last: date
    whole: Counts
    days: Mapping[date, Counts]
    languages: Mapping[str, Counts]
    categories: Mapping[str, Counts]
    models: Mapping[str, Counts]
    """By the primary's model."""
    candidates: Mapping[str, Counts]
    """By the candidate's model and the endpoint that served it."""
    epochs: Mapping[str, Counts]
    """All epochs of the log, for comparison only: evidence is never added up over epochs."""
    faults: Mapping[str, int]
    users: int
    largest_user: float
    """Share of the requests that come from the busiest user."""
    spending: Spending
    drops: Mapping[str, int]
    bad: Sequence[BadLine]
    doubles: int
    smells: Sequence[Smell]
    noise: Counts
    """The A/A arm: the primary against itself."""
    parts: Sequence[Part]
    """The sampled requests by whether a rollout would move them, those that are no evidence too."""
    before: Counts
    """As many days of the epoch before these, where a weekly report compares them."""
    previous: tuple[str, Counts] | None
    """The epoch before, the last candidate's; None where the days looked at hold no other."""

    @property
    def moving(self) -> Moving:
        """What of the traffic a rollout would move."""
        return moving(self.parts)

    @property
    def unmeasured(self) -> int:
        """Sampled requests that no number speaks of: drops and unreadable lines."""
        return sum(self.drops.values()) + len(self.bad)

    @property
    def coverage(self) -> float:
        """Share of the sampled requests that the numbers speak of."""
        return self.whole.requests / (self.whole.requests + self.unmeasured)


def summary(log: ComparisonLog, config: Config) -> Summary:
    """Measure the log's newest epoch. Raises MissingInputError when no comparison lies in the days asked for."""
    since = first_day(config, log.until)
    asked = log.facts.filter(log.facts.day >= since)
    log.check_evidence(asked)
    if not first_value(asked.count()):
        start = f"from {since} " if since > date.min else ""
        some_days = config.as_of or since > date.min
        days = ["as_of", "report.since", "report.days"]
        all_days = command("stage=report", without=days, note="all of its days")
        hint = all_days if some_days else command("stage=shadow")
        raise MissingInputError(f"the log holds no comparison {start}to {config.as_of or log.until}", hint)
    by_volume = volume(log, config)
    config = by_volume.config(config)
    epoch, first = newest_epoch(asked)
    everything = cells(asked, config)
    found = [cell for cell in everything if cell.epoch == epoch]
    facts = asked.filter(asked.epoch == epoch)
    users, largest = _users(facts)
    drops: Counter[str] = Counter()
    for (day, of, reason), count in log.drops.items():
        if of == epoch and day >= first:
            drops[reason] += count
    noise = log.noise.filter((log.noise.epoch == epoch) & (log.noise.day >= first))
    return Summary(
        epoch=epoch,
        first=first,
        last=log.until,
        whole=added(cell.counts for cell in found),
        days=_days(found, first, log.until, config.report.days),
        languages=by(found, lambda cell: cell.language),
        categories=by(found, lambda cell: cell.category),
        models=by(found, lambda cell: cell.primary_model),
        candidates=by(found, _candidate),
        epochs=by(everything, lambda cell: cell.epoch),
        faults=faults(facts),
        users=users,
        largest_user=largest,
        spending=_spending(found, facts, (log.until - first).days + 1, by_volume, config),
        drops=dict(drops),
        bad=[line for line in log.bad if line.day is None or first <= line.day <= log.until],
        doubles=log.doubles,
        smells=smells(log, facts, first, config.gate.sample_ratio_alpha),
        noise=added(cell.counts for cell in cells(noise, config)),
        parts=parts(log, epoch, first, config),
        before=_before(log, epoch, first, config),
        previous=_previous(everything, epoch),
    )


def first_day(config: Config, until: date) -> date:
    """The first day a report looks at: `report.since`, or a week's first for a weekly report; date.min for all."""
    if config.report.since:
        return date.fromisoformat(config.report.since)
    return until - timedelta(days=6) if config.report.name == "weekly" else date.min


def _before(log: ComparisonLog, epoch: str, first: date, config: Config) -> Counts:
    if config.report.name != "weekly":
        return Counts()
    start = first - ((log.until - first) + timedelta(days=1))
    facts = log.facts.filter((log.facts.epoch == epoch) & (log.facts.day >= start) & (log.facts.day < first))
    return added(cell.counts for cell in cells(facts, config))


def _previous(everything: Sequence[Cell], epoch: str) -> tuple[str, Counts] | None:
    others = [cell for cell in everything if cell.epoch != epoch]
    if not others:
        return None
    last = max(others, key=lambda cell: (cell.day, cell.epoch)).epoch
    return last, added(cell.counts for cell in others if cell.epoch == last)


def _candidate(cell: Cell) -> str:
    served = "" if cell.candidate_provider == UNKNOWN else f" at {cell.candidate_provider}"
    return f"{cell.candidate_model}{served}"


def _days(found: Sequence[Cell], first: date, last: date, count: int) -> dict[date, Counts]:
    """The last `count` days, those without a request too."""
    measured = by(list(found), lambda cell: cell.day)
    start = max(first, last - timedelta(days=count - 1))
    days = [start + timedelta(days=offset) for offset in range((last - start).days + 1)]
    return {day: measured.get(day, Counts()) for day in days}


def _users(facts: ir.Table) -> tuple[int, float]:
    """How many users, and the busiest one's share of the requests."""
    per_user = facts.group_by("user").agg(requests=facts.count())
    row = per_user.agg(users=per_user.count(), most=per_user.requests.max(), all=per_user.requests.sum())
    found = fetched(row).to_pylist()[0]
    return int(found["users"]), float(found["most"]) / float(found["all"])


def _spending(found: Sequence[Cell], facts: ir.Table, days: int, by_volume: Volume, config: Config) -> Spending:
    cells = [cell for cell in found if cell.category in config.rollout.categories]
    moved, unpriced = added(cell.counts for cell in cells), Counter[str]()
    prices = set()
    for cell in cells:
        price = price_of(cell.primary_model, config.cost, cell.day)
        if price is None:
            unpriced[cell.primary_model] += cell.counts.requests
        else:
            prices.add(price.basis)
    each, own = moved.usd_per_request, moved.candidate_usd_per_request
    fixed = billing.usd_per_month(config.endpoint, config.cost)
    return Spending(
        volume=by_volume,
        requests=moved.requests,
        priced=moved.priced,
        usd_per_request=each,
        primary_usd=moved.primary_usd,
        candidate_each=own,
        tokens_input=moved.primary_tokens_input,
        tokens_output=moved.primary_tokens_output,
        estimated=moved.estimated,
        unpriced=dict(unpriced.most_common()),
        prices=sorted(prices),
        days=days,
        candidate_usd=fixed * days / billing.DAYS_A_MONTH if fixed else moved.candidate_usd,
        seconds_each=_seconds_each(moved),
        curve=curve(facts, each, config),
        market=market(facts, {cell.primary_model for cell in cells}, config, clock.now().date()),
    )


def _seconds_each(moved: Counts) -> float | None:
    """Of a worker: as the jobs report them, or as the answers took, without what they waited for a free place."""
    return moved.seconds / moved.timed if moved.timed else None
