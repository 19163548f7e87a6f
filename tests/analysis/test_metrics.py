from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.analysis.facts import BUCKET_RATIO
from zantara_exp.analysis.metrics import SUMS, Counts, Latencies, added, flat, wilson

latencies = st.lists(st.floats(0.1, 60_000), min_size=1, max_size=300)


def measured(values: list[float]) -> Latencies:
    buckets = np.floor(np.log(values) / np.log(BUCKET_RATIO)).astype(int)
    return Latencies(Counter(buckets.tolist()), float(np.sum(values)))


@given(latencies, st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_from_buckets_is_within_a_quarter_percent(values: list[float], share: float) -> None:
    exact = np.quantile(values, share, method="inverted_cdf")
    assert measured(values).quantile(share) == pytest.approx(exact, rel=0.0026)


@given(latencies)
def test_an_interval_holds_its_quantile(values: list[float]) -> None:
    found = measured(values)
    low, high = found.interval(0.95) or (0.0, 0.0)
    assert low <= (found.quantile(0.95) or 0.0) <= high


@given(latencies, st.integers(0, 300))
def test_parts_add_up_to_the_whole(values: list[float], cut: int) -> None:
    parts = [Counts(requests=len(part), latency=measured(part)) for part in (values[:cut], values[cut:]) if part]
    whole = added(parts)
    assert whole.requests == len(values)
    assert whole.latency.buckets == measured(values).buckets
    assert whole.latency.total == pytest.approx(sum(values))


def test_nothing_measured_is_no_number() -> None:
    nothing = added([])
    assert (nothing.success, nothing.similar_share, nothing.usd_per_request, nothing.latency.mean) == (None,) * 4
    assert nothing.latency.quantile(0.95) is None
    assert flat(nothing, None) == {"shadow/requests": 0.0}


def test_wilson_against_the_published_value() -> None:
    # R: prop.test(490, 500, correct = FALSE)
    low, high = wilson(490, 500) or (0.0, 0.0)
    assert (low, high) == pytest.approx((0.9635672, 0.9891062), abs=2e-5)
    assert wilson(0, 0) is None


def test_every_sum_is_a_number_of_counts() -> None:
    assert set(SUMS) < set(vars(Counts()))
    assert all(vars(Counts())[name] == 0 for name in SUMS)
