"""Blocks of what was measured: about the share that is meant, at every look, and never helped by what was lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zantara_exp.gates.clusters.time import TimeBlocks, in_blocks
from zantara_exp.gates.evidence import SLOTS, UserDays
from zantara_exp.gates.user_visits import Measured, of_log

HOUR = 6
Rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, SLOTS - 1), st.integers(1, 5), st.floats(0, 1)),
    min_size=1,
    max_size=40,
)


def measured(rows: list[tuple[int, int, int, int, float]], lost: dict[int, float] | None = None) -> Measured:
    user, day, slot, trials, share = (np.array(column) for column in zip(*rows, strict=True))
    bad = np.floor(trials * share).astype(np.float64)
    days = UserDays(user, day + 20_000, trials.astype(np.float64), bad, slot=slot, lost_per_day=lost or {})
    return of_log(days, 20_004)


def blocks_of(of: Measured, per: str, size: int = HOUR, lost_as_bad: bool = True) -> TimeBlocks:
    return in_blocks(of, of.total, size, lost_as_bad, None if per == "request" else of.at.day)


@given(Rows)
def test_blocks_are_about_the_share_that_is_meant(rows: list[tuple[int, int, int, int, float]]) -> None:
    of = measured(rows)
    asked, bad = of.at.by_user(of.at.trials), of.at.by_user(of.total)
    for per, share in (("request", bad.sum() / asked.sum()), ("user", (bad / asked).mean())):
        (weight, lost, _), *_rest = blocks_of(of, per).parts
        assert lost.sum() / weight.sum() == pytest.approx(share)


def test_a_block_holds_the_requests_of_its_hour() -> None:
    of = measured([(1, 0, 5, 2, 0.5), (2, 0, 6, 1, 0.0), (1, 1, 143, 3, 1.0)])
    (weight, bad, ends), *_rest = blocks_of(of, "request").parts
    assert (weight.shape, ends.tolist()) == ((1, 5 * 24), [5 * 24])
    assert (weight[0, [0, 1, 47]].tolist(), bad[0, [0, 1, 47]].tolist()) == ([2.0, 1.0, 3.0], [1.0, 0.0, 3.0])


@settings(max_examples=40)
@given(Rows, st.integers(0, 4), st.integers(1, 30), st.sampled_from(["request", "user"]))
def test_what_was_lost_never_helps(rows: list[tuple[int, int, int, int, float]], day: int, gone: int, per: str) -> None:
    whole, lossy = measured(rows), measured(rows, {20_000 + day: float(gone)})
    if 20_000 + day in set((whole.at.day + whole.at.start).tolist()):  # a day that lost everything is one more block
        for go, as_bad in ((True, True), (False, False)):
            before, after = (blocks_of(of, per, lost_as_bad=as_bad).log_evidence(go, 0.9) for of in (whole, lossy))
            assert after[0, 0] <= before[0, 0] + 1e-9
