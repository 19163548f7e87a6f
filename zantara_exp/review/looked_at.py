"""Pairs at which a gate has looked: their verdicts stand, and may teach. What is changed after a look is no evidence.

A critical bug can be told of them at any time: it counts whenever it is found.
"""

from __future__ import annotations

from collections.abc import Sequence

from zantara_exp.core.layout import Layout
from zantara_exp.gates.record import Looks
from zantara_exp.review.labels import Label
from zantara_exp.review.sample import Item, Sample


def closed(sample: Sample, layout: Layout) -> tuple[Item, ...]:
    """The first pairs of the sample, as many as the largest look at it took. Raises ZantaraError, see `Looks.all`."""
    looked = [entry for look in Looks(layout.looks).all() for entry in look["exact"].values()]
    sizes = [int(entry.get("pairs", len(sample.items))) for entry in looked if entry["sample"] == sample.hash]
    return sample.items[: max(sizes, default=0)]


def voids(given: Sequence[Label], known: Sequence[Label], sample: Sample, layout: Layout) -> list[int]:
    """The pairs of which something else is said than when a gate looked at them."""
    looked = {item.number for item in closed(sample, layout)}
    said = {(label.pair, label.reviewer): label.verdict for label in known if label.sample == sample.hash}
    return [each.pair for each in given if each.pair in looked and said.get((each.pair, each.reviewer)) != each.verdict]


def stands(pair: int) -> str:
    """Why it is refused."""
    return f"a gate has looked at pair {pair}: what was said of it stands, but for a critical bug"
