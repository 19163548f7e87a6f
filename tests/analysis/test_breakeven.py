"""What the candidate costs against requests a month: by hand, between and beyond the measured points."""

import pytest

from zantara_exp.analysis.breakeven import Curve

FLAT = Curve(primary=0.001, monthly=30.0, points=((0.0, 0.0), (0.001, 0.001), (0.004, 0.004)))
"""A fee of 30 a month and nothing else."""


def test_a_flat_fee_breaks_even_where_it_is_the_primarys_cost_of_a_request() -> None:
    assert FLAT.break_even == pytest.approx(30_000)
    assert FLAT.saved(30_000) == pytest.approx(0.0)
    assert FLAT.saved(60_000) == pytest.approx(0.5)
    assert FLAT.candidate(1_000) == pytest.approx(0.03)  # beyond the last point
    assert not FLAT.cheaper_always


def test_what_an_answer_takes_of_its_own_is_paid_at_any_volume() -> None:
    more = Curve(0.001, 30.0, ((0.0, 0.0005), (0.001, 0.0015)))
    assert more.break_even == pytest.approx(60_000)
    assert Curve(0.001, 30.0, ((0.0, 0.001), (0.001, 0.002))).break_even is None
    # every request failed, and the primary is paid all the same: sums differ in their last digit, none breaks even
    assert Curve(0.001, 30.0, ((0.0, 0.001 - 2e-19), (0.001, 0.002))).break_even is None
    tokens = Curve(0.001, 0.0, ((0.0, 0.0004),))
    assert (tokens.cheaper_always, tokens.break_even, tokens.saved(5)) == (True, None, pytest.approx(0.6))
