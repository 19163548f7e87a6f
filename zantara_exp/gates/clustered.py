"""Decides a criterion measured per user and day: evidence, vetoes, segments, sensitivity and forecast."""

from __future__ import annotations

import math
from dataclasses import replace

from zantara_exp.gates import users as selecting
from zantara_exp.gates.decision import (
    FAIL,
    NOTHING,
    PASS,
    UNDECIDED,
    CriterionDecision,
    SegmentView,
    Sensitivity,
    View,
    Window,
    missing,
)
from zantara_exp.gates.evidence import Evidence, UserDays
from zantara_exp.gates.forecast import forecast
from zantara_exp.gates.judge import Judged, good_and_bad, judge
from zantara_exp.gates.rules import Rule
from zantara_exp.gates.sound import unsound
from zantara_exp.gates.users import Users
from zantara_exp.gates.words import reason_of, shown, words_of

THIN_USERS = 30
"""A segment with fewer users is named as too thin to judge."""


def decide_users(rule: Rule, days: UserDays, no_go_days: Evidence | None, last: int | None) -> CriterionDecision:
    """Decide on user-days up to the day `last`; `no_go_days` counts a quantile against the limit of no_go."""
    wrong = malformed(days, rule)
    if not wrong and no_go_days is not None:
        wrong = malformed(no_go_days, rule) if isinstance(no_go_days, UserDays) else "no count against no_go's limit"
    if wrong:
        return missing(rule, f"{rule.criterion.metric}: {wrong}")
    until = selecting.last_day(days) if last is None else last
    if until is None:
        return missing(rule, f"{rule.criterion.metric}: nothing was measured")
    chosen = _chosen(rule, days, until)
    other = _chosen(rule, no_go_days, until) if isinstance(no_go_days, UserDays) else chosen
    if isinstance(chosen, str) or isinstance(other, str):
        return missing(rule, chosen if isinstance(chosen, str) else str(other))
    users = gather(rule, chosen, until)
    if isinstance(users, str):
        return missing(rule, users)
    # What was lost belongs to no segment: it is held against the requests of all segments, and counts fully here.
    lost_share = selecting.lost_share(selecting.between(days, None, until))
    return _decided(rule, chosen, other, users, until, lost_share)


def malformed(days: UserDays, rule: Rule) -> str:
    """What is wrong with the numbers, or nothing."""
    kind, wrong = rule.criterion.kind, unsound(days)
    if wrong:
        return wrong
    if kind in ("ratio", "paired") and days.baseline is None:
        return f"kind={kind} compares two arms, and the evidence holds one"
    if kind == "paired" and days.baseline is not None and (days.baseline < 0).any():
        return "the evidence holds negative counts"
    if kind not in ("mean", "ratio"):
        counted = days.total + (days.baseline if kind == "paired" and days.baseline is not None else 0.0)
        if (days.total < 0).any() or (counted > days.trials * (1 + 1e-9)).any():
            return "the evidence counts more successes than requests"
    return "" if (days.trials > 0).any() else "nothing was measured"


def _chosen(rule: Rule, days: UserDays, until: int) -> UserDays | str:
    return selecting.where(selecting.between(days, None, until), rule.criterion.where)


def gather(rule: Rule, days: UserDays, until: int) -> Users | str:
    """One row per user as the method wants it; a sentence where there is none."""
    c = rule.criterion
    control = None
    if c.kind == "non_inferiority":
        sides = selecting.arms(days)
        if isinstance(sides, str):
            return sides
        days, control = sides[0], selecting.per_user(sides[1])
        if not control.count:
            return "there is no baseline to compare with"
    if not (days.trials > 0).any():
        of = " and ".join(f"{name} {' or '.join(values)}" for name, values in c.where.items())
        return f"no request{' of ' + of if of else ''} was measured"
    if c.method == "strict":
        users = selecting.first_days(days, c.first_days, until)
        return users if users.count else f"no user's first {c.first_days} days are over yet"
    if c.kind == "ratio" and days.baseline is not None and days.baseline.sum() <= 0:
        return "what it is compared with sums to nothing"
    users = selecting.in_order(days) if c.method == "detector" else selecting.per_user(days)
    return replace(users, control=control)


def outcome(rule: Rule, judged: Judged, users: int, enough: bool) -> str:
    """PASS, FAIL or UNDECIDED; without go a criterion passes unless refuted. What is no number never passes."""
    c = rule.criterion
    if c.no_go.given and users >= rule.min_users_no_go and judged.log_no_go >= rule.needed_no_go:
        return FAIL
    if not enough or (c.go.given and not judged.log_go >= rule.needed_go):
        return UNDECIDED
    return UNDECIDED if c.no_go.given and math.isnan(judged.log_no_go) else PASS


def _decided(
    rule: Rule, days: UserDays, other: UserDays, users: Users, until: int, lost_share: float
) -> CriterionDecision:
    c, lost = rule.criterion, selecting.lost(days)
    now = _judged(rule, users, days, other, until, lost)
    window, segments = _window(rule, days, until), _segments(rule, days, other, until, lost)
    hindrance = _hindrance(rule, users, lost_share, window)
    decision = outcome(rule, now, users.compared, not hindrance)
    reason = reason_of(rule, now, decision, hindrance)
    failing = [segment for segment in segments if segment.view.decision == FAIL]
    if failing and decision != FAIL:
        decision, worst = FAIL, failing[0]
        reason = f"in {worst.segment} shown to be {words_of(c, c.no_go)}: measured {shown(worst.view.estimate, c.kind)}"
    observed = until - int(days.day[days.trials > 0].min()) + 1
    return CriterionDecision(
        name=rule.name,
        criterion=c,
        decision=decision,
        reason=reason,
        view=_view(rule, now, users, decision),
        needed_go=rule.needed_go if c.go.given else None,
        needed_no_go=rule.needed_no_go if c.no_go.given else None,
        request_estimate=_request_estimate(rule, users),
        lost=lost,
        window=window,
        days=forecast(rule, users, lost, observed, now) if decision == UNDECIDED else None,
        sensitivity=_sensitivity(rule, users, lost, hindrance),
        segments=segments,
        epoch=days.epoch,
    )


def _judged(rule: Rule, users: Users, days: UserDays, other: UserDays, until: int, lost: float) -> Judged:
    now = judge(rule, users, lost)
    if other is days:
        return now
    beyond = gather(rule, other, until)
    return now if isinstance(beyond, str) else replace(now, log_no_go=judge(rule, beyond, lost).log_no_go)


def _view(rule: Rule, judged: Judged, users: Users, decision: str) -> View:
    c = rule.criterion
    return View(
        decision=decision,
        estimate=judged.estimate,
        lower=judged.lower,
        upper=judged.upper,
        requests=users.requests,
        users=users.count,
        effective=judged.effective,
        log_go=judged.log_go if c.go.given else None,
        log_no_go=judged.log_no_go if c.no_go.given else None,
    )


def _hindrance(rule: Rule, users: Users, lost_share: float, window: Window | None) -> str:
    c = rule.criterion
    if not lost_share <= rule.max_lost:  # written so that what is no number is held against it
        return f"{100 * lost_share:.1f} % of the requests were lost, more than the {100 * rule.max_lost:g} % allowed"
    if users.count < rule.min_users:
        return f"{users.count} users, at least {rule.min_users} are needed"
    if users.compared < rule.min_users:
        return f"{users.compared} users in the baseline, at least {rule.min_users} are needed"
    if window is None or window.agrees:
        return ""
    if window.users < c.window_min_users:
        return f"{window.users} users in the last {window.days} days, {c.window_min_users} are needed"
    measured = shown(window.estimate, c.kind)
    return f"the last {window.days} days disagree: measured {measured}, needs {words_of(c, c.go)}"


def _window(rule: Rule, days: UserDays, until: int) -> Window | None:
    """The veto: the last days' point estimate, with what was lost in them as failures."""
    c = rule.criterion
    if c.window is None or not c.go.given:
        return None
    width = int(c.window.rstrip("d"))
    recent = selecting.between(days, until - width + 1, until)
    users = selecting.per_user(recent)
    if not users.count:
        return Window(width, None, 0, False)
    if c.kind in ("proportion", "quantile"):
        good, bad = good_and_bad(rule, users)
        estimate = good / (good + bad + selecting.lost(recent))
        estimate = 1.0 - estimate if rule.flipped else estimate
    else:
        estimate = judge(rule, users).estimate
    bound = c.quantile if c.kind == "quantile" else c.go.value
    beyond = estimate > bound if c.go.upwards or c.kind == "quantile" else estimate < bound
    return Window(width, estimate, users.count, beyond and users.count >= c.window_min_users)


def _segments(rule: Rule, days: UserDays, other: UserDays, until: int, lost: float) -> list[SegmentView]:
    found = []
    for dimension, values in rule.segments.items():
        for value in values:
            part = selecting.where(days, {dimension: [value]})
            users = part if isinstance(part, str) else gather(rule, part, until)
            if isinstance(part, str) or isinstance(users, str):
                found.append(SegmentView(f"{dimension}={value}", NOTHING, thin=True))
                continue
            beyond = part if other is days else selecting.where(other, {dimension: [value]})
            share = lost * float(part.trials.sum() / days.trials.sum())
            judged = _judged(rule, users, part, part if isinstance(beyond, str) else beyond, until, share)
            view = _view(rule, judged, users, outcome(rule, judged, users.count, users.count >= rule.min_users))
            found.append(SegmentView(f"{dimension}={value}", view, users.count < THIN_USERS))
    return found


def _sensitivity(rule: Rule, users: Users, lost: float, hindrance: str) -> list[Sensitivity]:
    """What full trust in every request (rho0 = 0) and one voice per user (rho0 = 1) would say."""
    if rule.criterion.method != "weighted" or rule.criterion.kind == "ratio":
        return []
    views = []
    for rho0 in (0.0, 1.0):
        judged = judge(replace(rule, rho0=rho0), users, lost)
        decision = outcome(rule, judged, users.compared, not hindrance)
        views.append(Sensitivity(rho0, _view(rule, judged, users, decision)))
    return views


def _request_estimate(rule: Rule, users: Users) -> float | None:
    kind, requests = rule.criterion.kind, users.requests
    if kind in ("proportion", "quantile", "mean"):
        return float(users.total.sum()) / requests
    if kind == "paired" and users.baseline is not None:
        discordant = float(users.total.sum() + users.baseline.sum())
        return float(users.total.sum()) / discordant if discordant else None
    return None
