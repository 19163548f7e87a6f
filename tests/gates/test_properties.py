"""What may never change a verdict, and what may only move it one way."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.evidence import above, crowd, gate_of, user_days
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates import decide, judge_gate, resolve
from zantara_exp.gates.evidence import UserDays

ORDER = {"NO_GO": 0, "FAIL": 0, "INCONCLUSIVE": 1, "UNDECIDED": 1, "MISSING": 1, "GO": 2, "PASS": 2}
CRITERION = above(0.9, 0.8)
METHODS = st.sampled_from(["weighted", "strict", "exact"])


@st.composite
def evidence(draw) -> UserDays:
    """A few to many users of any quality."""
    users = draw(st.integers(1, 400))
    share = draw(st.floats(0, 1))
    return crowd(users, draw(st.integers(1, 12)), share, days=draw(st.integers(1, 12)), seed=draw(st.integers(0, 99)))


def decided(days: UserDays, criterion: Criterion = CRITERION):
    return decide(resolve(gate_of(c=criterion))["c"], days, last=20_100)


def same(first, second):
    assert first.decision == second.decision
    assert np.allclose(
        [first.view.log_go, first.view.log_no_go, first.view.lower, first.view.upper],
        [second.view.log_go, second.view.log_no_go, second.view.lower, second.view.upper],
        rtol=1e-6,
        atol=1e-6,
    )


@settings(max_examples=40)
@given(evidence(), METHODS, st.integers(0, 2**32))
def test_relabelling_and_reordering_users_changes_nothing(days, method, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(10**6)[: int(days.user.max()) + 1]
    order = rng.permutation(days.user.size)
    other = UserDays(labels[days.user][order], days.day[order], days.trials[order], days.total[order])
    criterion = replace(CRITERION, method=method)
    same(decided(days, criterion), decided(other, criterion))


@settings(max_examples=40)
@given(evidence(), METHODS)
def test_splitting_a_day_into_parts_changes_nothing(days, method):
    part = np.floor(days.trials / 2)
    good = np.minimum(part, days.total)
    halves = UserDays(
        np.concatenate([days.user, days.user]),
        np.concatenate([days.day, days.day]),
        np.concatenate([part, days.trials - part]),
        np.concatenate([good, days.total - good]),
    )
    criterion = replace(CRITERION, method=method)
    same(decided(days, criterion), decided(halves, criterion))


@settings(max_examples=40)
@given(evidence(), METHODS, st.integers(1, 200))
def test_perfect_users_never_hurt_and_failing_ones_never_help(days, method, more):
    criterion = replace(CRITERION, method=method)
    if method in ("weighted", "exact"):
        # Where users ask more or less often, each one more also tells how alike users are, and how much all are worth.
        rows = np.arange(days.user.size)
        days = UserDays(rows, days.day, np.ones(rows.size), (days.total == days.trials).astype(np.float64))

    def joined(success: int):
        return UserDays(
            np.append(days.user, 10_000 + np.arange(more)),
            np.append(days.day, np.full(more, 20_000)),
            np.append(days.trials, np.ones(more)),
            np.append(days.total, np.full(more, success)),
        )

    before, better, worse = decided(days, criterion), decided(joined(1), criterion), decided(joined(0), criterion)
    # A user more also lifts a minimum of users: a NO-GO may come into reach, so compare the evidence there.
    assert better.view.log_go >= before.view.log_go - 1e-9
    assert better.view.log_no_go <= before.view.log_no_go + 1e-9
    assert worse.view.log_go <= before.view.log_go + 1e-9
    assert worse.view.log_no_go >= before.view.log_no_go - 1e-9
    assert better.view.lower >= before.view.lower - 1e-9
    assert worse.view.upper <= before.view.upper + 1e-9


@settings(max_examples=40)
@given(evidence(), METHODS)
def test_a_better_answer_never_moves_a_verdict_down(days, method):
    criterion = replace(CRITERION, method=method, min_users=0)
    better = replace(days, total=np.minimum(days.total + 1, days.trials))
    assert ORDER[decided(better, criterion).decision] >= ORDER[decided(days, criterion).decision]


@settings(max_examples=30)
@given(st.integers(100, 300), st.floats(1e-6, 1e6), st.integers(0, 50), st.sampled_from(["weighted", "exact"]))
def test_a_change_of_unit_changes_no_mean_and_no_ratio(users, unit, seed, method):
    rng = np.random.default_rng(seed)
    days = replace(crowd(users, 4, 1.0), total=rng.gamma(3, 250, users), baseline=rng.gamma(3, 900, users))
    scaled = replace(days, total=days.total * unit, baseline=days.baseline * unit)
    for kind, factor in (("mean", unit), ("ratio", 1.0)):
        threshold = 190.0 if kind == "mean" else 0.7
        side = "below" if kind == "mean" else "above"
        bound = 20_000.0 if kind == "mean" and method == "weighted" else None
        one = Criterion("m", kind, go=Threshold(**{side: threshold}), method=method, bound=bound)
        other = replace(
            one, go=Threshold(**{side: threshold * factor}), bound=None if bound is None else bound * factor
        )
        first, second = decided(days, one), decided(scaled, other)
        assert first.decision == second.decision
        assert abs(first.view.log_go - second.view.log_go) < 1e-6


@settings(max_examples=40)
@given(evidence(), evidence())
def test_a_verdict_is_never_better_than_its_worst_criterion(first, second):
    gate = gate_of(a=CRITERION, b=CRITERION)
    both = judge_gate(gate, {"a": first, "b": second})
    worst = min(ORDER[d.decision] for d in both.criteria)
    assert ORDER[both.verdict] == worst


@settings(max_examples=30)
@given(evidence(), st.integers(0, 30))
def test_what_was_lost_never_helps_either_side(days, gone):
    lossy = decided(replace(days, lost_per_day={20_000: float(gone)}))
    whole = decided(days)
    assert lossy.view.log_go <= whole.view.log_go + 1e-9
    assert lossy.view.log_no_go <= whole.view.log_no_go + 1e-9


def test_the_same_evidence_gives_the_same_verdict_at_any_time():
    days = user_days([(u, u // 10, 2, 2 - (u % 50 == 0)) for u in range(600)])
    earlier = judge_gate(gate_of(c=CRITERION), {"c": days}, None)
    assert earlier.to_json() == judge_gate(gate_of(c=CRITERION), {"c": days}, None).to_json()
