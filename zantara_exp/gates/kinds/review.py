"""kind=review: people's labels of a random sample, at most one pair per user, by the exact binomial.

  exact       one look, at all of the sample
  sequential  looks at the first so many pairs of it (`look_at`), which together err as one look would (`gates.looks`);
              with `judge` a judge's verdicts on many pairs count beside the labels (`gates.prediction`)

What cannot be judged or is not labelled counts against GO, and not for NO-GO. What a look has shown stands.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zantara_exp.config.gate import Criterion, Traffic
from zantara_exp.gates import prediction
from zantara_exp.gates.decision import UNDECIDED, CriterionDecision, Helped, View, missing
from zantara_exp.gates.evidence import Evidence, Reviews
from zantara_exp.gates.kinds import review_plan
from zantara_exp.gates.kinds.kind import Kind, Outcomes, Planned, Rule, Seen
from zantara_exp.gates.kinds.labels import (
    Labels,
    agreement,
    at_looks,
    drawn,
    evidence,
    labels_at,
    looks_of,
    measured,
    of_go,
    planned_judge,
    usable,
)
from zantara_exp.gates.kinds.words import reason_of
from zantara_exp.gates.methods import OneLook
from zantara_exp.gates.user_visits import Flags, Visits
from zantara_exp.text.wording import agreed


class Review(Kind):
    """Good answers of a sample, which are equivalent or better."""

    name = "review"
    takes = Reviews
    methods = {"exact": OneLook, "sequential": OneLook}
    counted = "reviewed pairs"

    def looked(self, criterion: Criterion, evidence: Evidence) -> Evidence:
        """The pairs up to the last look that is due, or up to the first one where none is yet."""
        if not isinstance(evidence, Reviews) or not criterion.look_at:
            return evidence
        looks = looks_of(criterion, evidence.size)
        return evidence.first(max((look for look in looks if look <= evidence.labelled), default=looks[0]))

    def simulate(
        self, rule: Rule, truth: float, at: Visits, traffic: Traffic, plan: Planned, rng: np.random.Generator
    ) -> Outcomes:
        """All looks at a whole review, which is done from the first day on."""
        looks = looks_of(rule.criterion, plan.review_size)
        right = planned_judge(rule, traffic)
        found = at_looks(rule, drawn(looks, truth, at.simulations, rng, right, traffic.judged_users), looks)
        return Outcomes(*(np.repeat(flags[:, -1:], at.days, axis=1) for flags in found))

    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """Every look that is due, in their order; what is told is the one that decided, or else the newest."""
        c, reviews = rule.criterion, seen.go
        assert isinstance(reviews, Reviews)  # noqa: S101  `criteria.decide` asks `takes`
        if reviews.size - reviews.missing <= 0:
            return missing(rule.name, c, "no pair has been labelled by a reviewer yet")
        looks = looks_of(c, reviews.size)
        due = looks if not c.look_at else tuple(look for look in looks if look <= reviews.labelled)
        if not due:
            return missing(rule.name, c, f"the first {looks[0]} pairs are not all labelled yet: nothing is looked at")
        if len(due) > 1 and not reviews.in_order:
            return missing(rule.name, c, "the labels come without the order of their pairs, and looks follow it")
        judged, useless = usable(c, reviews, due[-1])
        labels = labels_at(due, reviews, judged)
        at, view = self._newest(rule, labels, looks)
        few = f"{due[at]} reviewed pairs, {rule.min_users} are asked for" if due[at] < rule.min_users else ""
        reason = self._reason(rule, labels, looks, view, few)
        if reviews.missing and not c.look_at:
            not_yet = "pair is not labelled yet and counts", "pairs are not labelled yet and count"
            reason += f"; {agreed(reviews.missing, *not_yet)} against"
        if useless:
            reason += f"; the judge counts for nothing: {useless}"
        helped = None
        if judged is not None:
            without = labels.alone.looks(0, at + 1)
            _, alone = self._newest(rule, without, looks)
            agrees = agreement(reviews, judged, due[at])
            helped = Helped(judged.judge, judged.users, judged.share, agrees, view.effective, alone.decision)
            reason += f"; {_help(due[at], view.effective)}; without it: {self._reason(rule, without, looks, alone)}"
        needs = rule.needed_go if c.go.given else None, rule.needed_no_go if c.no_go.given else None
        return CriterionDecision(rule.name, c, view.decision, reason, view, *needs, helped=helped)

    def _newest(self, rule: Rule, labels: Labels, looks: tuple[int, ...]) -> tuple[int, View]:
        """The look of one review that decided, or else the newest: its place, and what it shows."""
        found = at_looks(rule, labels, looks)
        at = _first(found.passes | found.fails)
        of = Outcomes(*(flags[:, at : at + 1] for flags in found))
        return at, self._view(rule, labels.looks(at, at + 1), looks, of)

    def _reason(self, rule: Rule, labels: Labels, looks: tuple[int, ...], view: View, few: str = "") -> str:
        if view.decision != UNDECIDED or few or not rule.criterion.go.given:
            return reason_of(rule, view, few)
        at = looks.index(int(view.requests))
        if labels.share is not None:
            return reason_of(rule, view) + _next(looks, at)
        needed = of_go(rule, looks).needed[at]
        would = f"{needed if needed <= looks[at] else 'more pairs than that'} would show it"
        return f"{labels.good[0, at].sum():.0f} of {looks[at]} are equivalent or better; {would}{_next(looks, at)}"

    def _view(self, rule: Rule, labels: Labels, looks: tuple[int, ...], found: Outcomes) -> View:
        """Of one look."""
        c, size = rule.criterion, int(labels.sizes[0])
        weighed = evidence(rule, labels, looks)
        of = measured(rule, labels, looks)
        judged = labels.judged(labels.good)
        mark = c.go.value if c.go.given else c.no_go.value
        return View(
            decision=found.word(),
            **of._asdict(),
            requests=size,
            users=size,
            effective=size if judged is None else float(prediction.worth(judged, mark)[0, 0]),
            log_go=float(weighed.log_go[0, 0]) if c.go.given else None,
            log_no_go=float(weighed.log_no_go[0, 0]) if c.no_go.given else None,
        )

    def planned(self, rule: Rule, size: int) -> Iterator[tuple[str, bool, str]]:
        """Whether the answers planned can show what is asked, and how often they would by chance."""
        return review_plan.checked(rule, size)

    def promise(self, rule: Rule, size: int, traffic: Traffic) -> str:
        """How likely the review shows what is expected."""
        return review_plan.promise(rule, size, traffic)


def _first(decided: Flags) -> int:
    """The look of one rollout that decided, or the last."""
    return int(np.argmax(decided[0])) if decided.any() else decided.shape[1] - 1


def _next(looks: tuple[int, ...], at: int) -> str:
    """When it is looked at again; nothing where there is one look."""
    if len(looks) == 1:
        return ""
    return f"; the next look is at {looks[at + 1]}" if at + 1 < len(looks) else ", and no look is left"


def _help(labels: int, worth: float) -> str:
    """What a judge saved, in words."""
    saved = f", {worth - labels:.0f} saved" if worth >= labels + 1 else ""
    return f"with the judge {labels} labels tell as much as {worth:.0f}{saved}"


KIND = Review()
