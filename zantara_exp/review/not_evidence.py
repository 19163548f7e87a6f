"""Labels that are no evidence, over all samples on file: for whoever reads labels outside of a gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zantara_exp.config.decision import Review
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.review.adjudication import panel
from zantara_exp.review.labels import Label
from zantara_exp.review.sample import Sample
from zantara_exp.review.sample import load as load_sample


def kept_samples(layout: Layout) -> Iterator[Sample]:
    """The sample that stands and those set aside; one that was changed after its draw is left out."""
    for path in sorted(layout.review_sample.parent.glob("sample*.json")):
        try:
            yield load_sample(path)
        except ZantaraError:
            continue


def uncounted(labels: Sequence[Label], layout: Layout, terms: Review) -> set[tuple[str, str]]:
    """Sample's hash and reviewer, where the hidden checks or config say that their word does not count.

    Raises ZantaraError when a label was given without blinding.
    """
    return {
        (sample.hash, rater.name)
        for sample in kept_samples(layout)
        for rater in panel(labels, sample, terms).raters
        if not rater.counts
    }
