"""The simulator decides as `decide` does: every path held against it, on single rollouts, day by day."""

from dataclasses import replace

import numpy as np
import pytest

from zantara_exp.config.gate import Criterion, Gate, Segments, Threshold, Traffic
from zantara_exp.gates import Seen, decide, resolve
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.kind import Planned
from zantara_exp.gates.population import visits

DAYS = 21
above, below = (lambda x: Threshold(above=x)), (lambda x: Threshold(below=x))
CASES = {
    "weighted": (Criterion("m", go=above(0.9), no_go=below(0.85), window="7d"), 0.97),
    "weighted, refuted": (Criterion("m", go=above(0.9), no_go=below(0.85)), 0.7),
    "flipped": (Criterion("m", go=below(0.1), no_go=above(0.2), window="3d", window_min_users=10), 0.05),
    "no go": (Criterion("m", no_go=above(0.1)), 0.15),
    "strict": (Criterion("m", method="strict", go=above(0.8), no_go=below(0.75), first_days=2), 0.92),
    "exact": (Criterion("m", method="exact", go=above(0.9), no_go=below(0.8)), 0.93),
    "detector": (Criterion("m", method="detector", no_go=below(0.9)), 0.75),
    "quantile": (Criterion("m", "quantile", go=below(1500), no_go=above(2000), window="7d"), 1000),
    "quantile, refuted": (Criterion("m", "quantile", go=below(1500), no_go=above(2000)), 2600),
    "mean": (Criterion("m", "mean", bound=4000, go=below(800), no_go=above(1000), window="5d"), 620),
    "mean, refuted": (Criterion("m", "mean", bound=4000, go=below(800), no_go=above(900)), 1500),
    "mean, exact": (Criterion("m", "mean", method="exact", go=above(0.9), no_go=below(0.8)), 0.95),
    "ratio": (Criterion("m", "ratio", go=above(0.7), no_go=below(0.6), window="7d"), 0.8),
    "ratio, refuted": (Criterion("m", "ratio", no_go=below(0.7)), 0.66),
    "paired": (Criterion("m", "paired", go=above(0.5), no_go=below(0.4)), 0.7),
    "non-inferior": (Criterion("m", "non_inferiority", go=above(0), no_go=below(-0.2), margin=0.2), 0.03),
    "inferior": (Criterion("m", "non_inferiority", no_go=above(0), margin=0.02), 0.2),
}


def rollouts(criterion, value, simulations=2, segments=None, time_block="1h", **traffic):
    asked = {"segments": segments or Segments(), "min_days": 10, "time_block": time_block}
    gate = Gate(criteria={"c": criterion}, horizon_days=DAYS, **asked)
    rule, planned = resolve(gate)["c"], replace(Traffic(comparisons_per_day=60.0), **traffic)
    rng = np.random.default_rng(11)
    at = visits(planned, DAYS, simulations, rng)
    return rule, rule.kind.draw(rule, value, at, planned, rng), rng


def seen(drawn, simulation, languages=None):
    baseline = drawn.baseline if drawn.baseline is not None else None
    if drawn.control is not None:
        return Seen(with_arms(drawn.at.one(simulation, drawn.total), drawn.control, simulation))
    total = drawn.total
    if drawn.counted is not drawn.at.trials:  # paired: wins of one arm, wins of the other
        baseline = drawn.counted - drawn.total
    go = drawn.at.one(simulation, total, baseline)
    if languages is not None:
        go = replace(go, segments={"language": np.array(["it", "en"])[languages[go.user]]})
    if drawn.beyond is None:
        return Seen(go)
    return Seen(go, replace(go, total=drawn.at.one(simulation, drawn.beyond.total).total))


def with_arms(candidate, control, simulation):
    other = control.at.one(simulation, control.total)
    arms = np.repeat(["candidate", "baseline"], [candidate.user.size, other.user.size])
    columns = [
        np.concatenate([getattr(candidate, name), getattr(other, name) + shift])
        for name, shift in (("user", 10**6), ("day", 0), ("trials", 0.0), ("total", 0.0))
    ]
    return UserDays(*columns, segments={"arm": arms})


@pytest.mark.parametrize("name", CASES)
def test_every_path_decides_as_decide_does(name):
    criterion, value = CASES[name]
    rule, drawn, _ = rollouts(criterion, value)
    outcomes = rule.kind.looks(rule, drawn, Planned(DAYS, 0))
    days = [DAYS - 1] if criterion.method == "exact" else range(2, DAYS, 3)
    decisions = {}
    for simulation in range(2):
        evidence = seen(drawn, simulation)
        for day in days:
            decision = decide(rule, evidence, day + drawn.at.start).decision
            decisions[simulation, day] = decision
            got = PASS if outcomes.passes[simulation, day] else FAIL if outcomes.fails[simulation, day] else ""
            assert got == (decision if decision in (PASS, FAIL) else ""), (simulation, day)
    assert {PASS, FAIL} & set(decisions.values()), "the case decides nothing, so it shows nothing"


@pytest.mark.parametrize("name", ["weighted", "strict", "quantile", "mean", "ratio", "non-inferior", "exact"])
def test_evidence_is_the_same_number(name):
    criterion, value = CASES[name]
    rule, drawn, _ = rollouts(criterion, value)
    sums = rule.kind.sums(rule, drawn)
    log_go, log_no_go = rule.kind.evidence(rule, sums)
    users = rule.kind.users(sums)
    for day in (9, DAYS - 1):
        view = decide(rule, seen(drawn, 1), day + drawn.at.start).view
        # Of two sides the smaller one decides whether there are enough users.
        other = view.users if drawn.control is None else drawn.control.at.users_seen[1, day]
        assert min(view.users, other) == users[1, day]
        assert log_go[1, day] == pytest.approx(view.log_go, abs=1e-6)
        assert log_no_go[1, day] == pytest.approx(view.log_no_go, abs=1e-6)


def test_a_failing_segment_is_seen():
    criterion = Criterion("m", go=above(0.8), no_go=below(0.75))
    rule, drawn, rng = rollouts(criterion, 0.9, segments=Segments(["it", "en"]))
    languages = rng.integers(0, 2, drawn.at.users)
    bad = (languages == 1)[drawn.at.user]
    drawn = replace(drawn, total=np.where(bad, np.floor(drawn.total * 0.5), drawn.total))
    outcomes = rule.kind.looks(rule, drawn, Planned(DAYS, 0, [languages]))
    decisions = [decide(rule, seen(drawn, 0, languages), day + drawn.at.start).decision for day in range(0, DAYS, 4)]
    assert decisions[-1] == FAIL
    assert [decision == FAIL for decision in decisions] == outcomes.fails[0, ::4].tolist()


@pytest.mark.parametrize("name", CASES)
def test_a_truth_at_the_threshold_is_on_the_threshold(name):
    criterion, _ = CASES[name]
    rule, _, _ = rollouts(criterion, CASES[name][1])
    bound = criterion.go if criterion.go.given else criterion.no_go
    value = rule.kind.at_threshold(rule, bound)
    expected = {"non-inferior": -0.2, "inferior": 0.02}
    assert value == pytest.approx(expected.get(name, bound.value))
