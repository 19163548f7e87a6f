"""What people said to a gate: `review_equivalent`, one adjudicated label per pair, and `critical_bugs`.

A review speaks of the model that was sampled: labels of another epoch, of a sample that was changed, or given
without blinding are no evidence, and the reason is named. Drawing again is no way out: what was drawn first counts for
as many looks as the gate declares, and a critical bug of the epoch counts whatever sample it was found in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from zantara_exp.config.schema import Config
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Missing, Number, Reviews
from zantara_exp.hints import command
from zantara_exp.layout import Layout
from zantara_exp.review.labels import BETTER, CANNOT, EQUIVALENT, WORSE, Label, adjudicated, load
from zantara_exp.review.sample import Sample
from zantara_exp.review.sample import load as load_sample

METRICS = frozenset({"review_equivalent", "critical_bugs"})


def _none() -> str:
    return f"no review: run `{command('stage=review')}`"


def evidence(requests: Sequence[EvidenceRequest], until: date | None, config: Config, layout: Layout) -> list[Evidence]:
    """The review of the newest epoch, up to `until`; Missing with the reason where there is none."""
    if not layout.review_labels.is_file():
        return [Missing(_none())] * len(requests)
    try:
        sample = load_sample(layout.review_sample)
        known = load(layout.review_labels)
        labels = usable(known, sample)
    except ZantaraError as error:
        return [Missing(error.message)] * len(requests)
    hindrance = _other_days(sample, until) or _other_epoch(sample, until, config, layout)
    if hindrance:
        return [Missing(hindrance)] * len(requests)
    known = of_epoch(known, sample, layout)
    return [_of(request.metric, known, labels, sample, config) for request in requests]


def _of(metric: str, known: Sequence[Label], labels: Sequence[Label], sample: Sample, config: Config) -> Evidence:
    if metric == "critical_bugs":
        return _critical_bugs(known, labels, sample)
    return _reviews(known, labels, sample, config)


def _reviews(known: Sequence[Label], labels: Sequence[Label], sample: Sample, config: Config) -> Evidence:
    """One adjudicated label per pair."""
    drawn_again = _drawn_again(known, sample, config)
    if drawn_again:
        return Missing(drawn_again)
    if not labels:
        return Missing(_none())
    votes = Counter(adjudicated(labels, config.review.adjudicator).values())
    return Reviews(
        equivalent_or_better=votes[BETTER] + votes[EQUIVALENT],
        worse=votes[WORSE],
        cannot_judge=votes[CANNOT],
        missing=len(sample.items) - votes.total(),
        sample_hash=sample.hash,
    )


def usable(labels: Sequence[Label], sample: Sample) -> list[Label]:
    """The labels of this sample. Raises ZantaraError when one of them was given without blinding."""
    items = {item.number: item.comparison_id for item in sample.items}
    mine = [label for label in labels if label.sample == sample.hash and items.get(label.pair) == label.comparison_id]
    if not all(label.blind for label in mine):
        raise ZantaraError("the pairs were reviewed unblinded, which is no evidence", command("stage=review"))
    return mine


def of_epoch(labels: Sequence[Label], sample: Sample, layout: Layout) -> list[Label]:
    """The labels of all samples but those known to be of another epoch: a sample that is gone may be of this one."""
    elsewhere = set()
    for path in layout.review_sample.parent.glob("sample-*.json"):
        try:
            other = load_sample(path)
        except ZantaraError:
            continue
        if other.epoch != sample.epoch:
            elsewhere.add(other.hash)
    return [label for label in labels if label.sample not in elsewhere]


def _drawn_again(known: Sequence[Label], sample: Sample, config: Config) -> str:
    """A sentence when more samples of the epoch were labelled before this one than a gate may look at."""
    drawn = Counter(label.sample for label in known if label.sample != sample.hash)
    order = list(dict.fromkeys([*(label.sample for label in known), sample.hash]))
    terms = [rule.looks for rule in config.gate.criteria.values() if rule.metric == "review_equivalent"]
    if order.index(sample.hash) < min(terms, default=1):
        return ""
    return (
        f"another sample of this epoch has labels: review.jsonl holds {drawn[order[0]]} of {order[0]}; "
        "what was drawn first counts"
    )


def _critical_bugs(known: Sequence[Label], labels: Sequence[Label], sample: Sample) -> Evidence:
    """Pairs whose candidate has a critical bug, in any sample; none is known only once every pair of this was read."""
    found = {(label.sample, label.pair) for label in known if label.critical_bug}
    if not found and not labels:
        return Missing(_none())
    unread = len(sample.items) - len({label.pair for label in labels})
    if not found and unread:
        return Missing(f"{unread} of {len(sample.items)} pairs have not been read for critical bugs yet")
    return Number(float(len(found)), 0 if found else len(sample.items))


def _other_days(sample: Sample, until: date | None) -> str:
    if until is not None and date.fromisoformat(sample.until) > until:
        return f"the sample was drawn from days up to {sample.until}, after {until}"
    return ""


def _other_epoch(sample: Sample, until: date | None, config: Config, layout: Layout) -> str:
    """A sentence when the newest comparisons are of another epoch than the sample."""
    from zantara_exp.analysis.log import open_log

    try:
        with open_log(config, layout, until) as log:
            epoch, _ = log.newest()
    except MissingInputError:
        return ""
    return "" if epoch == sample.epoch else f"the review is of epoch {sample.epoch}, the log is at {epoch}: review anew"
