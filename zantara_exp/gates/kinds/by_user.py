"""What all kinds share that are decided on numbers per user and day: looks, vetoes, segments, forecast."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Traffic
from zantara_exp.config.kinds import METHODS
from zantara_exp.gates import users as selecting
from zantara_exp.gates.clusters import weeks
from zantara_exp.gates.decision import (
    FAIL,
    NOTHING,
    PASS,
    UNDECIDED,
    CriterionDecision,
    Days,
    Outages,
    SegmentView,
    Sensitivity,
    View,
    Window,
    missing,
)
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.forecast import forecast
from zantara_exp.gates.kinds.hindrance import Compared, hindrance_of
from zantara_exp.gates.kinds.kind import Estimate, Kind, Outcomes, Planned, Rule, Seen, Weighed, outcomes
from zantara_exp.gates.kinds.words import reason_of
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.user_visits import Flags, Floats, Ints, Measured, Visits, of_log
from zantara_exp.gates.user_visits import Window as Sums
from zantara_exp.gates.wellformed import unsound

THIN_USERS = 30
"""A segment with fewer users is named as too thin to judge."""


class Recent(NamedTuple):
    """The veto of the last days; arrays of (rollouts, looks)."""

    estimate: Floats
    users: Ints
    agrees: Flags


class ByUser(Kind):
    """Decided on sums over users. Subclasses say what the sums are, and what they show."""

    takes = UserDays
    two_arms: ClassVar[bool] = False
    """Whether the evidence must hold another arm's sum over the same requests."""
    counts: ClassVar[bool] = True
    """Whether the total counts requests, so that it lies between none and all."""

    # What a kind says of its statistics.

    @abstractmethod
    def sums(self, rule: Rule, measured: Measured) -> Any:
        """All that the answers below are computed from, at each look; its field `of` holds the rows looked at."""

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """From as many on the method is trusted."""
        return max(criterion.min_users, self.min_users_no_go(criterion) if criterion.go.given else 0)

    def users(self, sums: Any) -> Ints:
        """Distinct users at each look; of the smaller side, where two are compared."""
        return np.asarray(sums.of.at.users_seen)

    @abstractmethod
    def evidence(self, rule: Rule, sums: Any, outlook: Outlook = NOW) -> Weighed:
        """Log evidence for GO and NO-GO; zeros for a threshold that is not given."""

    @abstractmethod
    def estimate(self, rule: Rule, sums: Any) -> Estimate:
        """Estimate and bounds, at one look."""

    @abstractmethod
    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """What is measured on the traffic `at`, with the truth in the metric's unit."""

    def spread(self, view: View) -> float:
        """What an outlook's shift is by one standard error."""
        return 1.0

    def recent_estimate(self, rule: Rule, recent: Sums) -> Floats:
        """The estimate of the last days' requests; kinds that have none are never asked."""
        raise NotImplementedError

    def recent_agrees(self, rule: Rule, recent: Sums, estimate: Floats) -> Flags:
        """Whether the last days' estimate meets the go threshold."""
        go = rule.criterion.go
        return estimate > go.value if go.upwards else estimate < go.value

    @abstractmethod
    def point(self, rule: Rule, sums: Any) -> Floats:
        """What was measured, in the metric's unit, of the requests that NO-GO counts; at each look."""

    def withheld(self, rule: Rule, sums: Any) -> Flags | None:
        """Where something else than evidence withholds a pass; None where nothing can.

        Without go a criterion passes unless it is refuted: but not where what was measured lies beyond `no_go`.
        """
        no_go = rule.criterion.no_go
        if rule.criterion.go.given or METHODS[rule.criterion.method].alarms:
            return None
        limit, found = self.at_threshold(rule, no_go), self.point(rule, sums)
        return found > limit if no_go.upwards else found < limit

    def withheld_because(self, rule: Rule, view: View) -> str:
        """Why, in words."""
        found, no_go = self.shown(view.estimate), self.words_of(rule.criterion, rule.criterion.no_go)
        return f"not refuted, but measured {found}: that is {no_go}, and neither is shown"

    def per(self, rule: Rule) -> str:
        """What it is about: `request`, `user`, or users `weighed`."""
        return rule.clusters.per

    def detailed(self, rule: Rule, sums: Any, view: View) -> View:
        """The view with what else it rests on, at one look."""
        return view

    def outages(self, rule: Rule, sums: Any) -> Outages | None:
        """What the evidence over blocks of time holds for, at one look; None where time is no cluster."""
        return None

    def gathered(self, rule: Rule, days: UserDays, until: int) -> Measured | str:
        """The measurements of these rows; a sentence where there are none."""
        measured = of_log(days, until)
        if measured.at.users:
            return measured
        of = " and ".join(f"{name} {' or '.join(values)}" for name, values in rule.criterion.where.items())
        return f"no request{' of ' + of if of else ''} was measured"

    def malformed(self, days: UserDays) -> str:
        """What is wrong with the numbers, or nothing."""
        if wrong := unsound(days):
            return wrong
        if self.two_arms and days.baseline is None:
            return f"kind={self.name} compares two arms, and the evidence holds one"
        if self.counts:
            others = days.baseline if self.two_arms and days.baseline is not None else np.zeros(1)
            if (others < 0).any():
                return "the evidence holds negative counts"
            if (days.total < 0).any() or (days.total + others > days.trials * (1 + 1e-9)).any():
                return "the evidence counts more successes than requests"
        return "" if (days.trials > 0).any() else "nothing was measured"

    # Many looks at many rollouts.

    def simulate(
        self, rule: Rule, truth: float, at: Visits, traffic: Traffic, plan: Planned, rng: np.random.Generator
    ) -> Outcomes:
        """Draw what is measured if `truth` is true, and decide every look."""
        return self.looks(rule, self.draw(rule, truth, at, traffic, rng), plan)

    def looks(self, rule: Rule, measured: Measured, plan: Planned) -> Outcomes:
        """Decide every look of every rollout; of simulated requests none is lost."""
        sums = self.sums(rule, measured)
        users, recent = self.users(sums), self.recent(rule, measured)
        enough = users >= max(rule.min_users, 1)
        if rule.timed:
            enough &= weeks.long_enough(measured.at.per_day() > 0, measured.at.start, rule.min_days)
        if recent is not None:
            enough &= recent.agrees
        if (withheld := self.withheld(rule, sums)) is not None:
            enough &= ~withheld
        found = outcomes(rule, self.evidence(rule, sums), users, enough)
        fails = found.fails
        for codes in plan.segments if rule.criterion.no_go.given and rule.segments else ():
            parts = int(codes.max(initial=0)) + 1
            of_part = self.sums(rule, measured.split(codes, parts))
            failing = outcomes(rule, self.evidence(rule, of_part), self.users(of_part), False).fails
            fails = fails | failing.reshape(-1, parts, failing.shape[1]).any(axis=1)
        looks = rule.criterion.looks
        passes, fails = (rule.method.held(flags, plan.horizon, looks) for flags in (found.passes, fails))
        return Outcomes(passes & ~fails, fails)

    def recent(self, rule: Rule, measured: Measured) -> Recent | None:
        """The veto of the last days, where one is declared."""
        c = rule.criterion
        if c.window is None or not c.go.given:
            return None
        width = int(c.window.rstrip("d"))
        of = measured.window(width)
        estimate = self.recent_estimate(rule, of)
        agrees = self.recent_agrees(rule, of, estimate) & (of.users >= c.window_min_users)
        return Recent(estimate, of.users, agrees & measured.at.days_at_least(width))

    # One look at one log.

    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """Decide on user-days up to the day `last`."""
        c, days, other = rule.criterion, seen.go, seen.no_go
        assert isinstance(days, UserDays)  # noqa: S101  `criteria.decide` asks `takes`
        wrong = self.malformed(days)
        if not wrong and other is not None:
            wrong = self.malformed(other) if isinstance(other, UserDays) else "no count against no_go's limit"
        if wrong:
            return missing(rule.name, c, f"{c.metric}: {wrong}")
        until = selecting.last_day(days) if last is None else last
        if until is None:
            return missing(rule.name, c, f"{c.metric}: nothing was measured")
        chosen = _chosen(rule, days, until)
        beyond = _chosen(rule, other, until) if isinstance(other, UserDays) else None
        if isinstance(chosen, str) or isinstance(beyond, str):
            return missing(rule.name, c, chosen if isinstance(chosen, str) else str(beyond))
        measured = self._measured(rule, chosen, beyond, until)
        if isinstance(measured, str):
            return missing(rule.name, c, measured)
        # What was lost belongs to no segment: it is held against the requests of all segments, and counts fully here.
        segments = self._segments(rule, chosen, beyond, until, measured)
        lost_share = selecting.lost_share(selecting.between(days, None, until))
        return self._decided(rule, measured, segments, lost_share, days.epoch)

    def go_evidence(self, rule: Rule, seen: Seen, last: int) -> float | None:
        """Log evidence for GO up to the day `last`, and nothing else; None where nothing was measured by then."""
        days = seen.go
        if not isinstance(days, UserDays) or self.malformed(days):
            return None
        chosen = _chosen(rule, days, last)
        measured = chosen if isinstance(chosen, str) else self._measured(rule, chosen, None, last)
        if isinstance(measured, str):
            return None
        return float(self.evidence(rule, self.sums(rule, measured)).log_go[0, 0])

    def _measured(self, rule: Rule, days: UserDays, beyond: UserDays | None, until: int) -> Measured | str:
        measured = self.gathered(rule, days, until)
        if isinstance(measured, str):
            return measured
        if not rule.method.chosen(measured).at.users:
            return rule.method.nobody()
        other = "" if beyond is None else self.gathered(rule, beyond, until)
        return measured if isinstance(other, str) else replace(measured, beyond=other)

    def _decided(
        self, rule: Rule, measured: Measured, segments: list[SegmentView], lost_share: float, epoch: str
    ) -> CriterionDecision:
        c, sums, window = rule.criterion, self.sums(rule, measured), self._window(rule, measured)
        there = Compared(sums.of.at.users, int(self.users(sums)[0, 0]), lost_share, window)
        hindrance = hindrance_of(rule, measured, there)
        view = self.detailed(rule, sums, self._view(rule, sums, not hindrance))
        if view.decision == PASS and self._withheld(rule, sums):
            hindrance, view = self.withheld_because(rule, view), replace(view, decision=UNDECIDED)
        reason, decision = reason_of(rule, view, hindrance), view.decision
        failing = [segment for segment in segments if segment.view.decision == FAIL]
        if failing and decision != FAIL:
            decision, worst = FAIL, failing[0]
            found = f"shown to be {self.words_of(c, c.no_go)}: measured {self.shown(worst.view.estimate)}"
            reason, view = f"in {worst.segment} {found}", replace(view, decision=FAIL)
        # At the same rate of losses there will be no decision.
        open_ = decision == UNDECIDED and lost_share <= rule.max_lost
        return CriterionDecision(
            name=rule.name,
            criterion=c,
            decision=decision,
            reason=reason,
            view=view,
            needed_go=rule.needed_go if c.go.given else None,
            needed_no_go=rule.needed_no_go if c.no_go.given else None,
            per=self.per(rule) if view.other is not None else "",
            outages=self.outages(rule, sums),
            lost=measured.lost,
            window=window,
            days=self._days(rule, measured, sums, view) if open_ else None,
            sensitivity=self._sensitivity(rule, measured, not hindrance),
            segments=segments,
            epoch=epoch,
        )

    def _view(self, rule: Rule, sums: Any, enough: bool) -> View:
        c, at = rule.criterion, sums.of.at
        weighed = self.evidence(rule, sums)
        estimate, lower, upper, effective = (float(values[0, 0]) for values in self.estimate(rule, sums))
        return View(
            decision=outcomes(rule, weighed, self.users(sums), enough).word(),
            estimate=estimate,
            lower=lower,
            upper=upper,
            requests=float(at.trials.sum()),
            users=at.users,
            effective=effective,
            log_go=float(weighed.log_go[0, 0]) if c.go.given else None,
            log_no_go=float(weighed.log_no_go[0, 0]) if c.no_go.given else None,
        )

    def _withheld(self, rule: Rule, sums: Any) -> bool:
        withheld = self.withheld(rule, sums)
        return withheld is not None and bool(withheld[0, 0])

    def _window(self, rule: Rule, measured: Measured) -> Window | None:
        recent, width = self.recent(rule, measured), rule.criterion.window
        if recent is None or width is None:
            return None
        users, days = int(recent.users[0, 0]), int(width.rstrip("d"))
        return Window(days, float(recent.estimate[0, 0]) if users else None, users, bool(users and recent.agrees[0, 0]))

    def _segments(
        self, rule: Rule, days: UserDays, beyond: UserDays | None, until: int, whole: Measured
    ) -> list[SegmentView]:
        found, lost = [], whole.lost_by_day
        for dimension, values in rule.segments.items():
            for value in values:
                wanted = {dimension: [value]}
                part = selecting.where(days, wanted)
                other = None if beyond is None else selecting.where(beyond, wanted)
                other = None if isinstance(other, str) else other
                measured = part if isinstance(part, str) else self._measured(rule, part, other, until)
                if isinstance(part, str) or isinstance(measured, str):
                    found.append(SegmentView(f"{dimension}={value}", NOTHING, thin=True))
                    continue
                share = float(part.trials.sum() / days.trials.sum())
                of_part = {day: count * share for day, count in lost.items()}
                sums = self.sums(rule, replace(measured, lost_by_day=of_part))
                users = sums.of.at.users
                view = self._view(rule, sums, users >= rule.min_users)
                found.append(SegmentView(f"{dimension}={value}", view, users < THIN_USERS))
        return found

    def _sensitivity(self, rule: Rule, measured: Measured, enough: bool) -> list[Sensitivity]:
        """What full trust in every request (rho0 = 0) and one voice per user (rho0 = 1) would say."""
        if not rule.method.weighs:
            return []
        assumed = {
            rho0: replace(rule, clusters=replace(rule.clusters, rho0=rho0, estimated=False)) for rho0 in (0.0, 1.0)
        }
        return [
            Sensitivity(rho0, self._view(other, self.sums(other, measured), enough)) for rho0, other in assumed.items()
        ]

    def _days(self, rule: Rule, measured: Measured, sums: Any, view: View) -> Days | None:
        if not rule.method.forecasts:
            return None
        observed = measured.at.days - int(measured.at.day.min())
        return forecast(
            rule,
            lambda outlook: self.evidence(rule, sums, outlook),
            self.users(sums),
            observed,
            self.spread(view),
            rule.min_days if rule.timed else 0,
        )


def _chosen(rule: Rule, days: UserDays, until: int) -> UserDays | str:
    """The rows up to a day that the criterion is about; a sentence where there is no such segment."""
    return selecting.where(selecting.between(days, None, until), rule.criterion.where)
