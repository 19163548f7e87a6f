"""Hands pairs out to whoever is free, in the sample's order, until each has the labels that config asks for.

Nobody gets a pair that others have judged enough, or have before them; a hidden check is for everybody who reads its
language. The adjudicator gets what is disputed. What is handed out is kept for a while, then given to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.config.decision import Review
from zantara_exp.review.adjudication import Panel, panel, theirs
from zantara_exp.review.labels import CANNOT, Label, load
from zantara_exp.review.sample import Item, Sample

_KEPT_FOR = 900.0
"""Seconds that somebody has for a pair before it is offered to others."""


@dataclass(frozen=True)
class Turn:
    """What somebody has judged, and what comes next."""

    said: list[tuple[Item, Label]]
    next: Item | None
    open: int
    """How many are left for them, the next one included."""
    panel: Panel


class Desk:
    """One sample's pairs and its file of labels; what is handed out is known to this process alone."""

    def __init__(self, sample: Sample, path: Path, terms: Review, now: Callable[[], float] = time.monotonic) -> None:
        self._sample, self._path, self._terms, self._now = sample, path, terms, now
        self._held: dict[tuple[int, str], float] = {}

    def turn(self, name: str, skipped: Collection[int] = ()) -> Turn:
        """Somebody's turn; what they skipped comes last. Raises ZantaraError where the labels cannot be read."""
        labels = load(self._path)
        found = panel(labels, self._sample, self._terms)
        mine = {label.pair: label for label in labels if (label.sample, label.reviewer) == (self._sample.hash, name)}
        items = theirs(self._sample, found, self._terms, name, mine)
        taken = self._taken(labels, found, name)
        enough = 1 if name == self._terms.adjudicator else self._terms.labels_per_pair
        checks = {check.item.number for check in self._sample.checks}
        left = [
            item
            for item in items
            if item.number not in mine and (item.number in checks or taken.get(item.number, 0) < enough)
        ]
        following = next((item for item in left if item.number not in skipped), left[0] if left else None)
        self._hold(name, following)
        said = [(item, mine[item.number]) for item in items if item.number in mine]
        return Turn(said, following, len(left), found)

    def may(self, name: str, number: int) -> bool:
        """Whether somebody may judge that pair."""
        labels = load(self._path)
        found = panel(labels, self._sample, self._terms)
        said = [label.pair for label in labels if (label.sample, label.reviewer) == (self._sample.hash, name)]
        return any(item.number == number for item in theirs(self._sample, found, self._terms, name, said))

    def _taken(self, labels: Collection[Label], found: Panel, name: str) -> dict[int, int]:
        """By pair: others who have judged it so that it counts, or have it before them.

        Where reviewers are named an abstention leaves the pair to the others.
        """
        failed = {rater.name for rater in found.raters if rater.failed}
        mine = [label for label in labels if label.sample == self._sample.hash]
        spoken = {(label.pair, label.reviewer) for label in mine}
        abstained = {(label.pair, label.reviewer) for label in mine if label.verdict == CANNOT}
        judged = {key for key in spoken if key[1] not in failed} - (abstained if self._terms.reviewers else set())
        now = self._now()
        self._held = {key: since for key, since in self._held.items() if now - since < _KEPT_FOR}
        settles = name == self._terms.adjudicator
        taken: dict[int, int] = {}
        for number, other in judged | (self._held.keys() - spoken):
            if other != name and (other == self._terms.adjudicator) == settles:
                taken[number] = taken.get(number, 0) + 1
        return taken

    def _hold(self, name: str, item: Item | None) -> None:
        self._held = {key: since for key, since in self._held.items() if key[1] != name}
        if item is not None:
            self._held[item.number, name] = self._now()
