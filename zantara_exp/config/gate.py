"""Schema of a gate: its criteria, what they are judged by, and the traffic it is planned for."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator, ValuesView
from dataclasses import dataclass, fields
from itertools import pairwise

from zantara_exp.config.business import BUSINESS_METRICS
from zantara_exp.config.fields import setting
from zantara_exp.config.kinds import KINDS, METHODS, KindRow

_MINUTES = {"m": 1, "h": 60, "d": 1440}


def slots_of(block: str) -> int:
    """A block of time in slots of ten minutes: `1h` is 6, `none` 0.

    Raises ValueError where it is written otherwise, or where days are not made of whole blocks.
    """
    if block == "none":
        return 0
    match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", block)
    minutes = int(match[1]) * _MINUTES[match[2]] if match else 0
    if not minutes or minutes % 10 or 1440 % minutes:
        raise ValueError(f"is {block}; write none, or a block of which days are made, such as 10m, 1h, 4h, 8h or 1d")
    return minutes // 10


@dataclass
class Threshold:
    """A bound on a metric: exactly one of the four; counts, known exactly, may also meet their bound."""

    above: float | None = setting(None, "The metric must lie above this.")
    below: float | None = setting(None, "The metric must lie below this.")
    at_least: float | None = setting(None, "For counts: the metric must be this or more.")
    at_most: float | None = setting(None, "For counts: the metric must be this or less.")

    @property
    def given(self) -> dict[str, float]:
        """The bounds that are set, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(value) for name, value in values.items() if value is not None}

    @property
    def side(self) -> str:
        """`above`, `below`, `at_least`, `at_most`, or empty where there is no bound."""
        return next(iter(self.given), "")

    @property
    def value(self) -> float:
        """The bound. Raises StopIteration where there is none."""
        return next(iter(self.given.values()))

    @property
    def upwards(self) -> bool:
        """Whether larger values of the metric meet it."""
        return self.side in ("above", "at_least")


@dataclass
class Criterion:
    """One measured condition of a gate."""

    metric: str = setting("", "Name of the metric, as an area's evidence module lists it.")
    kind: str = setting("proportion", "How the metric is judged.", choices=list(KINDS))
    go: Threshold = setting(Threshold(), "Must be shown for GO; without it the criterion passes unless refuted.")
    no_go: Threshold = setting(Threshold(), "What, once shown, is NO_GO.")
    method: str = setting(
        "weighted",
        "weighted: daily looks, users weighed; strict: each user once, proven; exact: one look; "
        "sequential: a review in looks, as it grows; detector: a guardrail that reacts to change.",
        choices=list(METHODS),
    )
    alpha: float | None = setting(None, "False passes, all looks together; default: the gate's.", gt=0, le=0.25)
    rho0: float | None = setting(None, "Correlation of one user's requests at most; default: the gate's.", ge=0, le=1)
    per: str = setting(
        "request",
        "Of shares, which one is meant: request, or user for the mean over users. The other one is shown, and "
        "withholds a GO where it misses go.",
        choices=["request", "user"],
    )
    where: dict[str, list[str]] = setting({}, "Only requests of these segments, such as {language: [en]}.")
    window: str | None = setting(None, "Veto: the estimate of the last days, such as 7d, must agree for GO.")
    window_min_users: int = setting(30, "Users the veto window needs.", ge=1)
    min_users: int = setting(0, "Distinct users needed for GO, where more than the statistics ask for.", ge=0)
    quantile: float = setting(0.95, "For kind=quantile: the share of requests that must keep the limit.", gt=0, lt=1)
    bound: float | None = setting(
        None,
        "For kind=mean, looked at daily: the most a value can be, in the metric's unit, such as the time-out; "
        "larger ones count as that.",
        gt=0,
    )
    margin: float = setting(0.0, "For kind=non_inferiority: how much worse than the baseline is tolerated.", ge=0, lt=1)
    looks: int = setting(1, "For method=exact: looks planned per candidate; alpha is divided by them.", ge=1, le=100)
    look_at: list[int] = setting(
        [], "For method=sequential: the numbers of labelled pairs at which a review is looked at, such as [50, 100]."
    )
    judge: bool = setting(
        False,
        "For method=sequential: a judge's verdicts on many pairs count beside people's labels on few, and save some of "
        "these; without such verdicts the labels count alone.",
    )
    first_days: int = setting(3, "For method=strict: a user's days, from the first on, that count.", ge=1, le=60)
    required: bool = setting(True, "Whether a GO waits for this evidence; only a criterion without go may say false.")
    expected: float | None = setting(None, "The truth you expect, in the metric's unit; stage=check plans with it.")

    @property
    def one_look(self) -> bool:
        """Whether it may be looked at only as often as declared."""
        return METHODS[self.method].one_look

    def rules(self) -> Iterator[tuple[str, str]]:
        """Thresholds that can be met, on the right side of each other, by a method that fits the kind."""
        if self.kind not in KINDS or self.method not in METHODS:
            return  # named already, and nothing can be said about the rest
        row = KINDS[self.kind]
        if not self.metric:
            yield "metric", "is empty; name what is measured, such as success"
        for name, bound in (("go", self.go), ("no_go", self.no_go)):
            yield from self._threshold_rules(name, bound, row)
        if not self.go.given and not self.no_go.given:
            yield "go", "neither go nor no_go is given; such as go: {above: 0.98}"
        if row.methods and self.method not in row.methods:
            yield "method", f"kind={self.kind} takes {' or '.join(row.methods)}"
        if self.where and row.one_number:
            yield "where", f"kind={self.kind} is one number for all requests; remove it"
        if self.metric in BUSINESS_METRICS and self.kind == "proportion" and self.where != {"arm": ["candidate"]}:
            why = f"{self.metric} also has the days before the candidate, and kind=proportion judges now alone"
            yield "where", why + ": write where: {arm: [candidate]}, or kind: non_inferiority to compare both"
        if self.per == "user" and not row.share:
            shares = ", ".join(name for name, other in KINDS.items() if other.share)
            yield "per", f"says which share is meant, of kind {shares}; kind={self.kind} is none"
        if METHODS[self.method].alarms and self.go.given:
            yield "go", f"a {self.method} only ever alarms: give it no_go alone"
        if self.go.given and not self.required:
            yield "required", "a criterion with a go threshold cannot be optional; remove go or required=false"
        yield from self._look_rules()
        yield from self._window_rules(row)
        yield from self._bound_rules(row)
        yield from self._order_rules()
        # stage=check and stage=power simulate the expected truth.
        if self.expected is not None and (problem := row.values.problem(self.expected, self.kind, truth=True)):
            yield "expected", problem

    def _look_rules(self) -> Iterator[tuple[str, str]]:
        """Looks at a sample that grows rise, and pay for one sample."""
        if self.method != "sequential":
            if self.look_at:
                yield "look_at", "only method=sequential looks at a review as it grows; remove it"
            if self.judge:
                yield "judge", "counts beside labels by method=sequential alone; remove it"
            return
        if not self.look_at:
            yield "look_at", "is empty: say at how many labelled pairs to look, such as [50, 100, 150, 200]"
        elif self.look_at[0] < 1 or any(a >= b for a, b in pairwise(self.look_at)):
            yield "look_at", f"is {self.look_at}: write numbers of pairs that rise, such as [50, 100]"
        if self.looks != 1:
            yield "looks", "is for method=exact; the looks of method=sequential are look_at"

    def _window_rules(self, row: KindRow) -> Iterator[tuple[str, str]]:
        if self.window is None:
            return
        if not re.fullmatch(r"[1-9]\d{0,2}d", self.window):
            yield "window", "is written as days, such as 7d"
        if not self.go.given or not row.windowed:
            windowed = ", ".join(name for name, other in KINDS.items() if other.windowed)
            yield "window", f"withholds a GO of kind {windowed}; this criterion has none"

    def _bound_rules(self, row: KindRow) -> Iterator[tuple[str, str]]:
        daily = row.bounded and not self.one_look
        if self.bound is None and daily and self.method in row.methods:
            yield (
                "bound",
                f"kind={self.kind} looked at daily bets on values from 0 to a bound: say the most a value can be, such "
                "as bound: 10000 for milliseconds with a time-out of 10 s; or method: exact for one look at values of "
                "any size",
            )
        if self.bound is None:
            return
        if not daily:
            bounded = " or ".join(name for name, other in KINDS.items() if other.bounded)
            yield "bound", f"only kind={bounded} with method=weighted has one; remove it"
        for name, threshold in (("go", self.go), ("no_go", self.no_go)):
            if len(threshold.given) == 1 and threshold.value >= self.bound:
                yield f"{name}.{threshold.side}", f"must lie below bound={self.bound:g}, the most a value can be"

    def _threshold_rules(self, name: str, bound: Threshold, row: KindRow) -> Iterator[tuple[str, str]]:
        sides = list(bound.given)
        if len(sides) > 1:
            yield name, f"give exactly one bound, not {' and '.join(sides)}"
        elif sides and not row.counted and sides[0] in ("at_least", "at_most"):
            yield f"{name}.{sides[0]}", "only for kind=count; an estimate is shown to lie above or below"
        elif sides and (problem := row.values.problem(bound.value, self.kind)):
            yield f"{name}.{sides[0]}", problem
        elif sides and row.good_is and (sides[0] == row.good_is) != (name == "go"):
            yield f"{name}.{sides[0]}", row.good_is_because

    def _order_rules(self) -> Iterator[tuple[str, str]]:
        if len(self.go.given) != 1 or len(self.no_go.given) != 1:
            return
        if self.go.upwards == self.no_go.upwards:
            yield "no_go", f"go and no_go are both '{self.go.side}': one value would be GO and NO_GO at once"
            return
        go, no_go = self.go.value, self.no_go.value
        if (go < no_go) if self.go.upwards else (go > no_go):
            yield (
                "go",
                (
                    f"contradicts no_go: a value between {min(go, no_go):g} and {max(go, no_go):g} "
                    f"would be GO and NO_GO at once"
                ),
            )


@dataclass
class Traffic:
    """What a gate is planned for: the population that stage=power and stage=check simulate."""

    comparisons_per_day: float = setting(100.0, "Comparisons a day that the criteria look at.", gt=0, le=1e6)
    population: str = setting(
        "churning",
        "churning: users come, ask P(m) ~ m^-1.5 up to 100 over 14 days, and go; pool: always the same, Zipf(1).",
        choices=["churning", "pool"],
    )
    users: int = setting(300, "For population=pool: how many users.", ge=1)
    icc: float = setting(0.2, "Correlation of one user's outcomes.", ge=0, lt=1)
    shape: str = setting("beta", "How users' success probabilities are spread.", choices=["beta", "two_point"])
    variation: float = setting(0.5, "For means, ratios, quantiles: standard deviation over mean.", gt=0, le=10)
    values: str = setting(
        "gamma",
        "How values are spread around their mean: gamma, seldom far; lognormal, some far, as token counts; "
        "cold_starts, one in fifty takes ten times the mean.",
        choices=["gamma", "lognormal", "cold_starts"],
    )
    discordant: float = setting(0.3, "For kind=paired: share of comparisons in which the two differ.", gt=0, le=1)
    baseline_bad: float = setting(
        0.05, "For kind=non_inferiority: share of bad outcomes in the baseline, which is as large.", gt=0, lt=1
    )
    judge_right: float | None = setting(
        None,
        "How often a judge says of a pair what people say, where one counts beside a review; null: labels alone.",
        ge=0,
        le=1,
    )
    judged_users: int = setting(1000, "Users of whom such a judge sees a pair.", ge=1, le=10_000_000)
    night: float = setting(0.2, "Requests in an hour from 0 to 8 o'clock UTC, for one by day.", ge=0, le=10)
    weekend: float = setting(1.0, "Requests on a Saturday or a Sunday, for one on another day.", gt=0, le=10)
    weekend_failures: float = setting(1.0, "Of shares: failures at weekends, for one on another day.", ge=0, le=50)
    outage_share: float = setting(
        0.0, "Of shares: part of all failures that come in outages, which fail everybody at once.", ge=0, lt=1
    )
    outage_minutes: int = setting(60, "How long an outage lasts.", ge=10, le=10_080)
    simulations: int = setting(1000, "Rollouts that stage=power and stage=check simulate.", ge=200, le=100_000)


@dataclass
class Segments:
    """Config node `gate.segments`: parts of the traffic that are judged one by one, and what a GO is worth there."""

    language: list[str] = setting([], "Languages judged one by one, such as [it, en].")
    category: list[str] = setting([], "Categories judged one by one, such as ${domain.moves}.")
    thin: str = setting(
        "exclude",
        "A part with too little evidence, or whose own estimate misses go: exclude, a GO does not cover it and no "
        "rollout moves it; wait, there is no GO before all have enough.",
        choices=["exclude", "wait"],
    )

    @property
    def declared(self) -> dict[str, list[str]]:
        """The values of each dimension that is declared."""
        named = {"language": self.language, "category": self.category}
        return {dimension: values for dimension, values in named.items() if values}

    def items(self) -> ItemsView[str, list[str]]:
        """Declared dimensions with their values."""
        return self.declared.items()

    def values(self) -> ValuesView[list[str]]:
        """The values of the declared dimensions."""
        return self.declared.values()


@dataclass
class Gate:
    """Config group `gate`: a named set of criteria."""

    name: str = setting("go_no_go", "Name of the gate.")
    criteria: dict[str, Criterion] = setting({}, "The criteria, by name.")
    alpha: float = setting(0.05, "Probability of a false GO, and of a false NO_GO, over all looks.", gt=0, le=0.25)
    alpha_shares: dict[str, float] = setting(
        {}, "Of several candidates, each one's part of alpha, together at most 1; empty: even parts (Bonferroni)."
    )
    rho0: float = setting(0.2, "Correlation of one user's requests: the most that is reckoned with.", ge=0, le=1)
    rho: str = setting(
        "estimated",
        "Of shares: estimated from the evidence, between 0.02 and rho0, or assumed to be rho0.",
        choices=["estimated", "assumed"],
    )
    time_block: str = setting(
        "1h",
        "What fails together in time: a GO holds for outages as long as this, such as 1h or 4h, and at a threshold of "
        "98 % needs about 149 such blocks with requests. none: time is no cluster.",
    )
    time_block_no_go: str = setting("8h", "The same for NO_GO: an outage shorter than that refutes nothing alone.")
    min_days: int = setting(
        14,
        "Days with evidence that a GO of an authorising gate needs, of criteria over time; from 7 on with each day of "
        "the week among them.",
        ge=0,
        le=365,
    )
    segments: Segments = setting(Segments(), "Parts judged one by one, for NO_GO and for what a GO covers.")
    max_lost_percent: float = setting(1.0, "More requests lost than this and there is no GO, in percent.", ge=0, lt=100)
    sample_ratio_alpha: float = setting(
        0.001,
        "Probability, over all looks, of finding the users of a log to be another sample than the declared one where "
        "they are not; what is found withholds a GO. 0: not tested, and a start asks for a reason.",
        ge=0,
        le=0.05,
    )
    exclude: list[dict[str, str]] = setting([], "Parts it does not judge: those of rollout.exclude.")
    authorises: bool = setting(True, "Whether a GO opens the rollout; false for watches and progress gates.")
    horizon_days: int = setting(14, "Days within which a decision is planned.", ge=1, le=365)
    planned_users: int = setting(3000, "For method=detector: users the ramp is planned for.", ge=1)
    traffic: Traffic = setting(Traffic(), "The traffic planned for.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """A name that can be part of a file's; at least one criterion."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            yield "name", "is part of a file's name: letters, digits, _ and -, such as go_no_go"
        for name, block in (("time_block", self.time_block), ("time_block_no_go", self.time_block_no_go)):
            try:
                slots_of(block)
            except ValueError as error:
                yield name, str(error)
        if not self.criteria:
            yield "criteria", "a gate without criteria would decide nothing; choose one by gate=go_no_go"
