"""Which looks are spent: a one-look criterion is looked at once, whatever gate asks and whatever it is called there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zantara_exp.config.gate import Criterion, Gate
from zantara_exp.gates.criteria import decide, evidence_hash
from zantara_exp.gates.decision import MISSING, CriterionDecision
from zantara_exp.gates.evidence import Missing, Reviews, UserDays
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.kind import Rule, Seen
from zantara_exp.gates.record import Look
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.verdict import Verdict
from zantara_exp.gates.verdict_record import SAID, verdict_hash
from zantara_exp.text.wording import agreed

_NOT_SPENT = "it was not looked at, and no look is spent"


def refusals(looks: Sequence[Look], gate: Gate, seen: Mapping[str, Seen], recorded: bool = False) -> dict[str, str]:
    """Criteria that may not be looked at, with the reason: too early, or their looks are spent on other evidence.

    The same evidence may be seen again. With `recorded` only what a look was recorded for may be seen at all.
    """
    rules, refused = resolve(gate), {}
    for name, criterion in gate.criteria.items():
        if not criterion.one_look or name not in seen or isinstance(seen[name].go, Missing):
            continue
        terms, earlier = _terms(gate, criterion), _earlier(looks, criterion, _epoch(name, seen))
        reason = _refusal(criterion, terms, seen[name], earlier) or _too_early(rules[name], seen[name])
        content = identity(criterion, seen[name])[1]
        if recorded and not reason and content not in [entry["evidence"] for entry in earlier]:
            reason = "stage=gate has not looked at this yet; what may be looked at once is not shown before"
        if reason:
            refused[name] = reason
    return refused


def as_begun(looks: Sequence[Look], gate: Gate, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """The evidence with the judge that the looks at a sample began with; with another one, labels count alone.

    Whoever chose a judge by what labels say would choose a result.
    """
    return {name: _as_begun(looks, gate.criteria[name], item, _epoch(name, seen)) for name, item in seen.items()}


def looked(
    gate: Gate,
    seen: Mapping[str, Seen],
    verdict: Verdict,
    run_id: str,
    after_loss: bool = False,
    seen_in: Mapping[str, Any] | None = None,
) -> Look:
    """A look, for the record. A one-look criterion whose numbers are shown has been looked at, whatever was decided.

    `seen_in` is when it was and what of the log it saw (`look_of`).
    """
    one_look = [d for d in verdict.criteria if d.criterion.one_look and d.decision != MISSING]
    said = verdict.to_json()
    return {
        **{name: said[name] for name in SAID},
        **(seen_in or {}),
        "verdict_hash": verdict_hash(said),
        "run_id": run_id,
        "evidence": {d.name: d.evidence_hash for d in verdict.criteria},
        "exact": {d.name: _entry(gate, d, seen) for d in one_look},
        "after_loss": after_loss,
    }


def identity(criterion: Criterion, seen: Seen, pairs: int | None = None) -> tuple[str, str]:
    """Which sample is looked at, and what a look sees in it; or saw in it when so many `pairs` were labelled."""
    of = kind_named(criterion.kind).looked(criterion, seen.go)
    if pairs is not None and isinstance(seen.go, Reviews):
        of = seen.go.first(pairs)
    content = evidence_hash(of, one_look=True)
    sample = of.sample_hash if isinstance(of, Reviews) else ""
    return sample or content, content


def _entry(gate: Gate, decided: CriterionDecision, seen: Mapping[str, Seen]) -> Look:
    sample, content = identity(decided.criterion, seen[decided.name])
    entry = {
        "metric": decided.criterion.metric,
        "where": _where(decided.criterion),
        "terms": _terms(gate, decided.criterion),
        "sample": sample,
        "evidence": content,
        "epoch": _epoch(decided.name, seen),
    }
    of = kind_named(decided.criterion.kind).looked(decided.criterion, seen[decided.name].go)
    if not decided.criterion.look_at or not isinstance(of, Reviews):
        return entry
    return {**entry, "pairs": of.size, "judge": decided.helped.judge if decided.helped else ""}


def _where(criterion: Criterion) -> dict[str, list[str]]:
    return {dimension: sorted(set(values)) for dimension, values in criterion.where.items()}


def _terms(gate: Gate, criterion: Criterion) -> Look:
    """What a criterion was to be judged by when it was first looked at."""
    return {
        "kind": criterion.kind,
        "go": criterion.go.given,
        "no_go": criterion.no_go.given,
        "alpha": gate.alpha if criterion.alpha is None else criterion.alpha,
        "rho0": gate.rho0 if criterion.rho0 is None else criterion.rho0,
        "quantile": criterion.quantile,
        "margin": criterion.margin,
        "looks": criterion.looks,
        **({"look_at": list(criterion.look_at)} if criterion.look_at else {}),
    }


def _earlier(looks: Sequence[Look], criterion: Criterion, epoch: str) -> list[Look]:
    """The looks at what a criterion measures, whatever gate and name it has; an unknown epoch may be any."""
    return [
        {**entry, "as_of": look["as_of"] or "an earlier day"}
        for look in looks
        for entry in look["exact"].values()
        if entry["metric"] == criterion.metric
        and entry["where"] == _where(criterion)
        and (entry["epoch"] == epoch or not entry["epoch"] or not epoch)
    ]


def _as_begun(looks: Sequence[Look], criterion: Criterion, seen: Seen, epoch: str) -> Seen:
    reviews = seen.go
    if not isinstance(reviews, Reviews) or not criterion.judge or reviews.judged is None:
        return seen
    earlier = [entry for entry in _earlier(looks, criterion, epoch) if entry["sample"] == reviews.sample_hash]
    if not earlier or earlier[0].get("judge") == reviews.judged.judge:
        return seen
    began = f"with the judge {earlier[0]['judge']}" if earlier[0].get("judge") else "without it"
    refused = replace(reviews.judged, refused=f"the looks at this sample began {began}")
    return replace(seen, go=replace(reviews, judged=refused))


def _refusal(criterion: Criterion, terms: Look, seen: Seen, earlier: Sequence[Look]) -> str:
    if not earlier:
        return ""
    spent = {entry["sample"]: entry for entry in earlier if entry["terms"] == terms}
    if not spent:
        first = earlier[0]
        changed = ", ".join(key for key in terms if first["terms"].get(key) != terms[key])
        return f"looked at on {first['as_of']}, and judged by another {changed} since: only what was declared counts"
    sample, content = identity(criterion, seen)
    if sample in spent:
        known = spent[sample]
        unchanged = known["evidence"] in (content, identity(criterion, seen, known.get("pairs"))[1])
        return "" if unchanged else f"what was measured changed after it was looked at on {known['as_of']}"
    if len(spent) < terms["looks"]:
        return ""
    looks = "its one look is" if terms["looks"] == 1 else f"its {terms['looks']} looks are"
    return f"{looks} spent, last on {list(spent.values())[-1]['as_of']}, and this is other evidence"


def _too_early(rule: Rule, seen: Seen) -> str:
    """Why a criterion is not looked at yet: looks before anything may be decided would let one choose when to stop.

    A review is looked at once every pair is labelled: of labels seen while others come in, no count shows a change.
    One that is looked at as it grows, once the first so many are.
    """
    of = rule.kind.looked(rule.criterion, seen.go)
    if isinstance(of, Reviews) and of.missing:
        due = f"of the first {of.size} pairs " if of is not seen.go else ""
        are = agreed(of.missing, *((f"{due}is", f"{due}are") if due else ("pair is", "pairs are")))
        return f"{are} not labelled yet (`cannot judge` is a label); {_NOT_SPENT}"
    decided = decide(rule, seen)
    waits = max(rule.min_users, rule.min_users_no_go if rule.criterion.no_go.given else 0)
    if decided.decision == MISSING or decided.view.users >= waits:
        return ""
    return f"waits for {waits} {rule.kind.counted}, there are {decided.view.users}; {_NOT_SPENT}"


def _epoch(name: str, seen: Mapping[str, Seen]) -> str:
    """The epoch that a criterion's evidence is about; a review does not say, and is of what else the gate sees."""
    own = [seen[name].go]
    epochs = [item.epoch for item in own + [other.go for other in seen.values()] if isinstance(item, UserDays)]
    return epochs[0] if epochs else ""
