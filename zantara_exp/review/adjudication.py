"""Whose word counts, and what each pair is settled as.

counts     who answered hidden checks, and got no more of them wrong than `review.checks.most_wrong`
settled    by the majority of `review.labels_per_pair` votes; "cannot judge" abstains and is no vote
disputed   the votes are split: the adjudicator settles it, and judges no other pair
open       too few labels yet; what only an abstention is known of is settled as "cannot judge"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zantara_exp.config.decision import Review
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.review.labels import BETTER, CANNOT, EQUIVALENT, WORSE, Label
from zantara_exp.review.sample import IDENTICAL, Check, Item, Sample

_LEAST = 3
"""Checks that somebody has to answer before their word counts, or all there are for their languages."""
_SLIP = 1
"""Wrong answers that are forgiven whatever share they are, to who meets enough checks to be known by the others."""


@dataclass(frozen=True)
class Rater:
    """One reviewer, and how they did on the hidden checks."""

    name: str
    pairs: int
    """Pairs that they labelled."""
    answered: int
    """Hidden checks that they judged; "cannot judge" is no answer."""
    wrong: int
    counts: bool
    failed: bool
    """Whether others are to judge their pairs."""
    why: str
    """What keeps their word from counting, in words; empty where nothing does."""
    agrees: tuple[int, int]
    """Votes of others on the same pairs that say the same, and all of them."""


@dataclass(frozen=True)
class Panel:
    """What a sample's reviewers said, as far as it counts."""

    raters: tuple[Rater, ...]
    labels: tuple[Label, ...]
    """Of pairs that are evidence, by those who count; the adjudicator's are among them."""
    settled: Mapping[int, str]
    """Verdict by the pair's number."""
    disputed: tuple[int, ...]

    def note(self, adjudicator: str) -> str:
        """What a decision has to say of its reviewers; empty where there is nothing."""
        left_out = [rater for rater in self.raters if rater.pairs and not rater.counts]
        said = [f"the labels of {rater.name} do not count: {rater.why}" for rater in left_out]
        if self.disputed:
            said.append(f"{_pairs(len(self.disputed))} disputed, for {adjudicator} to settle")
        return "; ".join(said)


def _pairs(count: int) -> str:
    return "1 pair is" if count == 1 else f"{count} pairs are"


def panel(known: Sequence[Label], sample: Sample, terms: Review) -> Panel:
    """Of all labels on file, those of this sample. Raises ZantaraError when one was given without blinding."""
    labels = usable(known, sample)
    items = {item.number: item for item in sample.items}
    theirs = [label for label in labels if label.pair in items]
    votes = [label for label in theirs if label.verdict != CANNOT and label.reviewer != terms.adjudicator]
    alike = agreeing(votes)
    names = dict.fromkeys(label.reviewer for label in labels)
    raters = tuple(_rater(name, labels, sample, terms, alike.get(name, (0, 0))) for name in names)
    counting = {rater.name for rater in raters if rater.counts}
    counted = tuple(
        label
        for label in theirs
        if label.reviewer in counting and reads(terms, label.reviewer, items[label.pair].language)
    )
    failed = {rater.name for rater in raters if rater.failed}
    by_pair = _by_pair(counted)
    complete = {number: found for number, found in by_pair.items() if _is_complete(found, items[number], terms, failed)}
    verdicts = {number: _settled(found, terms.adjudicator) for number, found in sorted(complete.items())}
    settled = {number: verdict for number, verdict in verdicts.items() if verdict}
    return Panel(raters, counted, settled, tuple(number for number, verdict in verdicts.items() if not verdict))


def usable(labels: Sequence[Label], sample: Sample) -> list[Label]:
    """The labels of this sample, checks included; of two by one reviewer on one pair the later one.

    Raises ZantaraError when one of them was given without blinding.
    """
    items = {item.number: item.comparison_id for item in sample.shown}
    mine = [label for label in labels if label.sample == sample.hash and items.get(label.pair) == label.comparison_id]
    if not all(label.blind for label in mine):
        raise ZantaraError("the pairs were reviewed unblinded, which is no evidence", command("stage=review"))
    return list({(label.pair, label.reviewer): label for label in mine}.values())  # files are joined by hand as well


def reads(terms: Review, name: str, language: str) -> bool:
    """Whether somebody gets pairs in a language: it is one of theirs, or of none that is named."""
    if not terms.reviewers or name == terms.adjudicator:
        return True
    if language in terms.reviewers.get(name, ()):
        return True
    return name in terms.reviewers and not any(language in spoken for spoken in terms.reviewers.values())


def theirs(sample: Sample, found: Panel, terms: Review, name: str, said: Iterable[int]) -> list[Item]:
    """What somebody may judge: all in their languages; the adjudicator what is disputed, or was when they spoke."""
    if name == terms.adjudicator:
        mine = {*found.disputed, *said}
        return [item for item in sample.items if item.number in mine]
    return [item for item in sample.shown if reads(terms, name, item.language)]


def _rater(name: str, labels: Sequence[Label], sample: Sample, terms: Review, agrees: tuple[int, int]) -> Rater:
    checks = {check.item.number: check for check in sample.checks if reads(terms, name, check.item.language)}
    pairs = {item.number for item in sample.items}
    mine = [label for label in labels if label.reviewer == name]
    met = [label for label in mine if label.pair in checks]
    judged = [label for label in met if label.verdict != CANNOT]
    wrong = sum(_is_wrong(label, checks[label.pair]) for label in judged)
    why = _why_not(name, wrong, len(judged), len(checks), terms)
    errs = _errs(wrong, len(judged), len(checks), terms)
    waits = len(met) < len(checks) and not errs and not _is_stranger(name, terms)
    count = sum(label.pair in pairs for label in mine)
    return Rater(name, count, len(judged), wrong, not why, bool(why) and not waits, why, agrees)


def _why_not(name: str, wrong: int, judged: int, checks: int, terms: Review) -> str:
    least = min(_LEAST, checks)
    if name == terms.adjudicator:
        return ""  # who meets no check
    if _is_stranger(name, terms):
        return "not among review.reviewers"
    if _errs(wrong, judged, checks, terms):
        return f"{wrong} of {judged} hidden checks wrong, at most {100 * terms.checks.most_wrong:g} % may be"
    return f"{judged} hidden checks answered, {least} are asked for" if judged < least else ""


def _is_stranger(name: str, terms: Review) -> bool:
    return bool(terms.reviewers) and name not in terms.reviewers


def _errs(wrong: int, judged: int, checks: int, terms: Review) -> bool:
    forgiven = _SLIP if checks >= _LEAST else 0
    return wrong > forgiven and wrong > terms.checks.most_wrong * judged


def _is_wrong(label: Label, check: Check) -> bool:
    return label.verdict != (EQUIVALENT if check.kind == IDENTICAL else WORSE)


def _by_pair(labels: Iterable[Label]) -> dict[int, list[Label]]:
    found: dict[int, list[Label]] = {}
    for label in labels:
        found.setdefault(label.pair, []).append(label)
    return found


def _is_complete(found: Sequence[Label], item: Item, terms: Review, failed: set[str]) -> bool:
    """As many votes as config asks for, or as many labels where nobody is left to ask about an abstention."""
    given = {label.reviewer: label.verdict for label in found if label.reviewer != terms.adjudicator}
    if sum(verdict != CANNOT for verdict in given.values()) >= terms.labels_per_pair:
        return True
    left = [name for name in terms.reviewers if name not in given and name not in failed]
    return len(given) >= terms.labels_per_pair and not any(reads(terms, name, item.language) for name in left)


def adjudicated(labels: Iterable[Label], adjudicator: str) -> dict[int, str]:
    """The verdict of every pair whose votes are not split, or were settled by the adjudicator, however few they are.

    Better and equivalent count as one vote, since the criterion asks for "equivalent or better".
    """
    verdicts = {pair: _settled(found, adjudicator) for pair, found in sorted(_by_pair(labels).items())}
    return {pair: verdict for pair, verdict in verdicts.items() if verdict}


def _settled(labels: Sequence[Label], adjudicator: str) -> str | None:
    """None where the votes are split and the adjudicator has not spoken."""
    votes = [label.verdict for label in labels if label.verdict != CANNOT and label.reviewer != adjudicator]
    worse = sum(verdict == WORSE for verdict in votes)
    if 2 * worse > len(votes):
        return WORSE
    if 2 * worse < len(votes):
        return EQUIVALENT if EQUIVALENT in votes else BETTER
    if not votes and any(label.reviewer != adjudicator for label in labels):
        return CANNOT
    return next((label.verdict for label in labels if label.reviewer == adjudicator), None)


def agreeing(votes: Iterable[Label]) -> dict[str, tuple[int, int]]:
    """By reviewer: votes of others on the same pairs that say the same, and all of them."""
    found: dict[str, tuple[int, int]] = {}
    for of_pair in _by_pair(votes).values():
        for mine in of_pair:
            others = [_word(other) for other in of_pair if other is not mine]
            same, of = found.get(mine.reviewer, (0, 0))
            found[mine.reviewer] = (same + others.count(_word(mine)), of + len(others))
    return found


def _word(label: Label) -> str:
    return EQUIVALENT if label.verdict == BETTER else label.verdict


def agreement(labels: Iterable[Label]) -> float | None:
    """Krippendorff's alpha (2011) of better-or-equivalent and worse: 1 is agreement, 0 is chance.

    "Cannot judge" is no vote. None where no pair has two votes. With no variation at all it is undefined in theory;
    here it is 1.
    """
    votes = [label for label in labels if label.verdict != CANNOT]
    units = [Counter(map(_word, found)) for found in _by_pair(votes).values() if len(found) > 1]
    if not units:
        return None
    whole = sum(units, Counter[str]())
    everyone = whole.total()
    observed = sum((v.total() ** 2 - sum(c * c for c in v.values())) / (v.total() - 1) for v in units) / everyone
    expected = (everyone**2 - sum(count * count for count in whole.values())) / (everyone * (everyone - 1))
    return 1.0 if expected == 0 else 1 - observed / expected
