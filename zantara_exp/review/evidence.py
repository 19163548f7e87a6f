"""What people said to a gate: `review_equivalent`, one adjudicated label per pair, and `critical_bugs`.

A review speaks of the model that was sampled: labels of another epoch, of a sample that was changed, or given
without blinding are no evidence, and the reason is named. Drawing again is no way out: what was drawn first counts for
as many looks as the gate declares, and a critical bug of the epoch counts whatever sample it was found in, and whoever
found it. For the rest only those count who pass the hidden checks (`panel.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from zantara_exp.config.rollout import part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.gates import evidence as letters
from zantara_exp.gates.criteria import decide
from zantara_exp.gates.decision import FAIL
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Judgements, Missing, Number, Reviews, reviews_of
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.rules import resolve
from zantara_exp.review.adjudication import Panel, panel
from zantara_exp.review.judge_verdicts import judgements
from zantara_exp.review.labels import BETTER, CANNOT, EQUIVALENT, WORSE, Label, load
from zantara_exp.review.not_evidence import kept_samples
from zantara_exp.review.sample import Sample, is_check
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
        found = panel(known, sample, config.review)
    except ZantaraError as error:
        return [Missing(error.message)] * len(requests)
    hindrance = _other_days(sample, until) or _other_parts(sample, config)
    if hindrance := hindrance or _other_epoch(sample, until, config, layout):
        return [Missing(hindrance)] * len(requests)
    known = of_epoch(known, sample, layout)
    of = {
        "critical_bugs": lambda: _critical_bugs(known, found, sample, config),
        "review_equivalent": lambda: _reviews(known, found, sample, config, layout),
    }
    return [of[request.metric]() for request in requests]


def _reviews(known: Sequence[Label], found: Panel, sample: Sample, config: Config, layout: Layout) -> Evidence:
    """One adjudicated label per pair, and what a judge said of the pairs."""
    if drawn_again := _drawn_again(known, sample, config, layout):
        return Missing(drawn_again)
    if not found.labels:
        return Missing(found.note(config.review.adjudicator) or _none())
    return reviewed(sample, found, config, judgements(layout.judged, sample, _counted(sample, config, layout)))


def _counted(sample: Sample, config: Config, layout: Layout) -> set[str] | None:
    """The comparisons of which a judge's word counts; None where all of them do."""
    from zantara_exp.analysis.engine import fetched
    from zantara_exp.analysis.log import open_log

    if not config.rollout.exclude:
        return None
    with open_log(config, layout, date.fromisoformat(sample.until)) as log:
        rows = fetched(log.evidence(sample.epoch, config, layout).select("comparison_id"))
    return {str(each) for each in rows["comparison_id"].to_pylist()}


_LETTERS = dict.fromkeys([BETTER, EQUIVALENT], letters.GOOD) | {WORSE: letters.WORSE, CANNOT: letters.CANNOT}


def reviewed(sample: Sample, found: Panel, config: Config, judged: Judgements | None = None) -> Reviews:
    """The sample's pairs in their order, with one adjudicated label each or none yet, and what a judge said of them."""
    settled = found.settled
    said = (_LETTERS[settled[item.number]] if item.number in settled else letters.OPEN for item in sample.items)
    reviews = replace(reviews_of("".join(said), sample.hash), judged=judged)
    notes = found.note(config.review.adjudicator), _lost(reviews, config)
    return replace(reviews, note="; ".join(filter(None, notes)))


def _lost(reviews: Reviews, config: Config) -> str:
    """A sentence where the next look says NO_GO, whatever the pairs that are open turn out to be."""
    for rule in (each for each in resolve(config.gate).values() if each.criterion.metric == "review_equivalent"):
        ahead = (look for look in rule.criterion.look_at if reviews.labelled < look <= reviews.size)
        size = next(ahead, reviews.size)
        first, rest = reviews.in_order[:size], reviews.in_order[size:]
        best = reviews_of(first.replace(letters.OPEN, letters.GOOD) + rest, reviews.sample_hash)
        best = replace(best, judged=reviews.judged)
        worse, left = first.count(letters.WORSE), first.count(letters.OPEN)
        if left and decide(rule, best).decision == FAIL:
            return f"a NO_GO is certain: {worse} of the first {size} pairs are worse, whatever the {left} open ones are"
    return ""


def due(reviews: Reviews, config: Config) -> int:
    """How many of the first pairs the gate looks at now, or waits for: the sample's end where it looks once."""
    of_review = [c for c in config.gate.criteria.values() if c.metric == "review_equivalent"]
    seen = [kind_named(criterion.kind).looked(criterion, reviews) for criterion in of_review]
    return max((part.size for part in seen if isinstance(part, Reviews)), default=reviews.size)


def looks(sample: Sample, found: Panel, config: Config) -> str:
    """Whether there is something for the gate to look at, in words."""
    reviews = reviewed(sample, found, config)
    size = due(reviews, config)
    if reviews.labelled < size:
        return f"the gate looks at the first {size} pairs once they are labelled: {reviews.first(size).missing} to go"
    return f"the first {size} pairs are labelled: stage=gate looks at them, and says whether more are needed"


def of_epoch(labels: Sequence[Label], sample: Sample, layout: Layout) -> list[Label]:
    """The labels of all samples but those known to be of another epoch: a sample that is gone may be of this one."""
    elsewhere = {other.hash for other in kept_samples(layout) if other.epoch != sample.epoch}
    return [label for label in labels if label.sample not in elsewhere]


def _drawn_again(known: Sequence[Label], sample: Sample, config: Config, layout: Layout) -> str:
    """A sentence when more samples of the epoch were labelled before this one than a gate may look at."""
    others = {other.hash for other in kept_samples(layout) if other.exclude != sample.exclude}
    known = [label for label in known if label.sample not in others]  # what they were drawn from is another question
    drawn = Counter(label.sample for label in known if label.sample != sample.hash)
    order = list(dict.fromkeys([*(label.sample for label in known), sample.hash]))
    terms = [rule.looks for rule in config.gate.criteria.values() if rule.metric == "review_equivalent"]
    if order.index(sample.hash) < min(terms, default=1):
        return ""
    return (
        f"another sample of this candidate has labels: review.jsonl holds {drawn[order[0]]} of {order[0]}; "
        "what was drawn first counts"
    )


def _critical_bugs(known: Sequence[Label], counted: Panel, sample: Sample, config: Config) -> Evidence:
    """Pairs whose candidate has a critical bug, in any sample; none is known only once all that are due were read."""
    found = {(label.sample, label.pair) for label in known if label.critical_bug and not is_check(label.comparison_id)}
    note = counted.note(config.review.adjudicator)
    if not found and not counted.labels:
        return Missing(note or _none())
    read, size = {label.pair for label in counted.labels}, due(reviewed(sample, counted, config), config)
    unread = sum(item.number not in read for item in sample.items[:size])
    if not found and unread:
        why = f"{unread} of {size} pairs have not been read for critical bugs yet"
        return Missing(f"{why}; {note}" if note else why)
    return Number(float(len(found)), 0 if found else size)


def _other_days(sample: Sample, until: date | None) -> str:
    if until is not None and date.fromisoformat(sample.until) > until:
        return f"the sample was drawn from days up to {sample.until}, after {until}"
    return ""


def parts_left_out(config: Config) -> tuple[str, ...]:
    """What `rollout.exclude` leaves out."""
    return tuple(sorted(map(part_name, config.rollout.exclude)))


def _other_parts(sample: Sample, config: Config) -> str:
    if sample.exclude == (now := parts_left_out(config)):
        return ""
    then, now_ = ("; ".join(parts) or "nothing" for parts in (sample.exclude, now))
    return f"the sample was drawn without {then}, rollout.exclude leaves out {now_}: run `{command('stage=review')}`"


def _other_epoch(sample: Sample, until: date | None, config: Config, layout: Layout) -> str:
    """A sentence when the newest comparisons are of another epoch than the sample."""
    from zantara_exp.analysis.log import open_log

    try:
        with open_log(config, layout, until) as log:
            epoch, _ = log.newest()
    except MissingInputError:
        return ""
    return (
        ""
        if epoch == sample.epoch
        else f"the review is of candidate {sample.epoch}, the log is at {epoch}: review anew"
    )
