"""The verdict as the tables a person reads on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from zantara_exp.core.stage import Table
from zantara_exp.gates.clusters.bursts import shown_minutes
from zantara_exp.gates.decision import FAIL, GO, INCONCLUSIVE, PASS, CriterionDecision, Days, Outages, View
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.kind import Kind
from zantara_exp.gates.sample_ratio import UNTESTED, SampleRatio, SampleStep, shown_p
from zantara_exp.gates.undeclared_parts import shown
from zantara_exp.gates.verdict import Verdict
from zantara_exp.text.wording import counted

_COUNTED = {"eval_loss": "token", "token_accuracy": "token"}
"""Metrics whose evidence is something else than requests."""


def summary(verdict: Verdict) -> dict[str, str]:
    """The short table: the verdict, why, on what, and when there should be a decision."""
    lines = {"verdict": verdict.verdict, "why": verdict.reason}
    seen = f"{counted(verdict.requests, _counted(verdict))} of {counted(verdict.users, 'user')}"
    lines["evidence"] = f"{seen} up to {verdict.as_of or '-'}"
    lines["candidate id"] = verdict.epoch or "-"
    lines["gate"] = f"{verdict.gate}, {verdict.gate_hash}"
    if verdict.first_use:
        first = verdict.first_use
        lines["gate"] += f"; first used on {first.as_of or '-'} with {counted(first.requests, _counted(verdict))} seen"
    if verdict.verdict == INCONCLUSIVE and verdict.days:
        lines["days to a decision"] = shown_days(verdict.days)
    if verdict.thin_segments:
        lines["too thin to judge"] = ", ".join(verdict.thin_segments)
    if verdict.not_declared:
        lines["not declared"] = " ".join(shown(verdict.not_declared))
    if verdict.sample is not None:
        lines["sample"] = shown_sample(verdict.sample)
    if told := _of_training(verdict):
        lines["training gate"] = told
    if opens := shown_opening(verdict):
        lines["opens"] = opens
    return lines


def _of_training(verdict: Verdict) -> str:
    """What the gates on the trained model, whose names begin with `training`, said of it."""
    others = verdict.standing.others if verdict.standing else ()
    said = [other for other in others if other.gate.startswith("training") and other.gate != verdict.gate]
    return "; ".join(f"{o.verdict} by gate={o.gate}" + (f": {o.reason}" if o.verdict != GO else "") for o in said)


def note(verdict: Verdict) -> str:
    """The verdict in Markdown: the short table, and the criteria in the order of what decided."""
    criteria = criteria_table(verdict)
    return f"{markdown(Table('', ['what', 'found'], list(summary(verdict).items())))}\n\n{markdown(criteria)}"


def markdown(table: Table) -> str:
    """A table in Markdown."""
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in row)} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def shown_sample(found: SampleRatio) -> str:
    """Whether the users are those that the declared sample takes, in one line."""
    if not found.alpha:
        return f"{UNTESTED}: gate.sample_ratio_alpha=0"
    told = [found.mismatch or _filled(found.steps)] if found.steps else []
    if found.untested:
        told.append(f"{counted(found.untested, 'user')} not tested: their lines do not say that a hash sampled them")
    return "; ".join(told) or "no users"


def _filled(steps: Sequence[SampleStep]) -> str:
    return "; ".join(f"{step.users:,} users fill {step.percent:g} % evenly ({shown_p(step.p_value)})" for step in steps)


def sample_table(verdict: Verdict) -> Table | None:
    """The users of each declared share by tenth of it, where they are not as declared; nothing where they are."""
    if verdict.sample is None or not verdict.sample.mismatch:
        return None
    rows = [
        [f"{step.percent:g} %", f"{step.users:,}", f"{step.beyond:,}", ", ".join(f"{count:,}" for count in step.tenths)]
        + [shown_p(step.p_value), f"{step.alpha:.2g}"]
        for step in verdict.sample.steps
    ]
    columns = ["sampled", "users", "outside of it", "in its tenths", "p", "mismatch at"]
    return Table("sample ratio mismatch", columns, rows)


def shown_opening(verdict: Verdict) -> str:
    """What a rollout may do on this verdict, in one sentence; empty where it is no GO, and of the newest evidence."""
    refusals = verdict.standing.refusals if verdict.standing else ()
    if verdict.standing and verdict.standing.looks_back:
        return f"nothing: {'; '.join(refusals)}"
    if verdict.verdict != GO:
        return ""
    if refusals:
        return f"nothing: {'; '.join(refusals)}"
    if not verdict.authorises:
        return "nothing: this gate only watches; gate=go_no_go decides"
    moved = " and ".join(f"{dimension} {', '.join(values)}" for dimension, values in verdict.covers.items())
    stays = "; ".join(
        [*(f"{each.segment}: {each.why}" for each in verdict.not_covered), *map(_left_out, verdict.exclude)]
    )
    asks = "; a start asks for rollout.reason" if verdict.standing and verdict.standing.objections else ""
    return f"a rollout of {moved or 'everything'}" + (f", not of {stays}" if stays else "") + asks


def _left_out(part: str) -> str:
    return f"{part}: left out (rollout.exclude)"


def standing_table(verdict: Verdict) -> Table | None:
    """What stands against a start; nothing where nothing does."""
    objections = verdict.standing.objections if verdict.standing else ()
    return Table("what stands against a start", [], [[each] for each in objections]) if objections else None


def _counted(verdict: Verdict) -> str:
    """What the largest count of evidence counts."""
    widest = max(verdict.criteria, key=lambda d: d.view.requests, default=None)
    return _COUNTED.get(widest.criterion.metric, "request") if widest else "request"


def shown_days(days: Days | None) -> str:
    """`3 to 12`, `9 or more`."""
    if days is None:
        return "-"
    if days.high is None:
        return f"{days.low} or more"
    return f"{days.low} to {days.high}" if days.high > days.low else f"{days.low}"


def criteria_table(verdict: Verdict) -> Table:
    """One row per criterion."""
    columns = ["criterion", "estimate", "bounds", "threshold", "n", "users", "decision", "why"]
    return Table(f"gate {verdict.gate}", columns, [_criterion_row(d) for d in by_weight(verdict.criteria)])


def by_weight(criteria: Sequence[CriterionDecision]) -> list[CriterionDecision]:
    """Criteria in the order of what decided: failed ones first, then open ones that are required, then the others."""
    return sorted(criteria, key=lambda d: (d.decision != FAIL, d.decision == PASS, not d.criterion.required))


def _criterion_row(d: CriterionDecision) -> list[str]:
    c, view, kind = d.criterion, d.view, kind_named(d.criterion.kind)
    bounds = [kind.shown_threshold(c, c.go), f"no-go {kind.shown_threshold(c, c.no_go)}" if c.no_go.given else ""]
    why = d.reason + (f" (days: {shown_days(d.days)})" if d.days else "")
    return [
        d.name,
        kind.shown(view.estimate),
        shown_bounds(kind, view) if kind.random else "",
        "; ".join(text for text in bounds if text),
        f"{view.requests:,.0f}" if view.requests else "",
        f"{view.users:,}" if view.users else "",
        d.decision,
        why,
    ]


def shown_bounds(kind: Kind, view: View) -> str:
    """`97.1 % .. 99.2 %`; empty where there are none."""
    lower, upper = kind.shown(view.lower), kind.shown(view.upper)
    return "" if lower == upper == "-" else f"{lower} .. {upper}"


def _figures(d: CriterionDecision, view: View) -> list[str]:
    kind = kind_named(d.criterion.kind)
    return [kind.shown(view.estimate), shown_bounds(kind, view)]


_OF = {"request": "requests", "user": "users' means", "weighed": "users, weighed by rho"}


def assumptions_table(verdict: Verdict) -> Table | None:
    """What each share or mean is about, how alike one user's requests were taken to be, and what it holds for."""
    rows = [
        [d.name, _OF[d.per], kind_named(d.criterion.kind).shown(d.view.other), _rho(d.view), _holds(d)]
        for d in verdict.criteria
        if d.per
    ]
    columns = ["criterion", "is about", "the other one", "rho", "in time"]
    return Table("what was reckoned with", columns, rows) if rows else None


def _rho(view: View) -> str:
    return "" if view.rho is None else f"{view.rho:.2f}"


def _holds(d: CriterionDecision) -> str:
    """What the decision holds for in time: outages as long as a block, and the longest burst that was seen."""
    found = d.outages
    if found is None:
        return ""
    seen = "" if found.longest is None else "; none was seen"
    if found.longest:
        seen = f"; the longest seen was {shown_minutes(found.longest)}"
    if d.decision == FAIL or not found.block:
        return f"a no-go counts blocks of {shown_minutes(found.no_go_block)}{seen}" if found.no_go_block else ""
    holds = "holds" if d.decision == PASS else "would hold"
    return f"{holds} for outages of up to {shown_minutes(found.block)}{seen}{_longer(found)}"


def _longer(found: Outages) -> str:
    """Whether longer blocks show it too; users' evidence is another matter."""
    if not found.longer:
        return ""
    blocks = f"; blocks of {shown_minutes(found.longer)}"
    if found.longer_day is None:
        return f"{blocks} are not in sight of it"
    if found.longer_day <= found.observed:
        return f"{blocks} show it already"
    return f"{blocks} would show it about day {found.longer_day}"


def bursts_table(verdict: Verdict) -> Table | None:
    """Stretches of time in which far more users failed than usually do; nothing where none was seen."""
    rows = [
        [d.name, burst.begin.replace("T", " "), shown_minutes(burst.minutes), f"{burst.users:,}", f"{burst.failing:,}"]
        for d in verdict.criteria
        for burst in (d.outages.bursts if d.outages else ())
    ]
    columns = ["criterion", "from (UTC)", "for at least", "users", "of them failing"]
    return Table("bursts of failures", columns, rows) if rows else None


def segments_table(verdict: Verdict) -> Table | None:
    """Each declared segment of each criterion; nothing where none is declared."""
    rows = [
        [d.name, s.segment, *_figures(d, s.view)]
        + [f"{s.view.requests:,.0f}", f"{s.view.users:,}", "too thin" if s.thin else s.view.decision]
        for d in verdict.criteria
        for s in d.segments
    ]
    columns = ["criterion", "segment", "estimate", "bounds", "n", "users", "decision"]
    return Table("by segment", columns, rows) if rows else None


def sensitivity_table(verdict: Verdict) -> Table | None:
    """What every request on its own (rho0 = 0) and one voice per user (rho0 = 1) would have said."""
    rows = []
    for d in verdict.criteria:
        for s in d.sensitivity:
            rows.append([d.name, f"{s.rho0:g}", *_figures(d, s.view), f"{s.view.effective:,.0f}", s.view.decision])
    columns = ["criterion", "rho0", "estimate", "bounds", "effective n", "decision"]
    return Table("if one user's requests were correlated otherwise", columns, rows) if rows else None
