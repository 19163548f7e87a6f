"""`stage=power` and the operating characteristics behind it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.analysis import logs
from tests.gates.test_config import shipped
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.config.gate import Criterion, Gate, Threshold, Traffic
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.review_plan import review_power, reviews_needed
from zantara_exp.gates.operating import Case, Plan, as_expected, at_go, at_no_go, ramp_days, simulate, standard_error
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.traffic import (
    counts_of_log,
    intra_class_correlation,
    needed_traffic,
)

SMALL = ["gate.traffic.simulations=200", "gate=daily", "gate.horizon_days=21"]


def success_gate(**traffic):
    criterion = Criterion("success", go=Threshold(above=0.98), expected=0.995)
    return Gate(criteria={"success": criterion}, traffic=Traffic(**traffic))


def test_typical_probabilities_of_a_go():
    cases = [Case({"success": 0.99}), Case({"success": 0.995})]
    at_99, at_995 = simulate(Plan(success_gate(), 28, 600, 3), cases)
    assert at_99.go_by(13) == at_995.go_by(13) == 0  # whole weeks
    assert at_99.go_by(28) == pytest.approx(0.34, abs=0.06)
    assert at_995.go_by(28) == pytest.approx(0.8, abs=0.05)
    assert at_995.median_go == pytest.approx(16, abs=1)
    assert at_99.median_go is None


def test_the_same_seed_gives_the_same_rates_and_another_seed_others():
    case = Case({"success": 0.99})
    rates = [simulate(Plan(success_gate(), 14, 300, seed), [case])[0].go_day.tolist() for seed in (1, 1, 2)]
    assert rates[0] == rates[1] != rates[2]


def test_better_truths_and_more_traffic_decide_sooner():
    cases = [Case({"success": truth}) for truth in kind_named("proportion").truths(resolve(success_gate())["success"])]
    by_truth = [curve.go_by(21) for curve in simulate(Plan(success_gate(), 21, 300, 3), cases)]
    assert by_truth == sorted(by_truth)
    assert by_truth[0] < 0.05
    slow, fast = (
        simulate(Plan(success_gate(), 21, 200, 3, factor=factor), [Case({"success": 0.99})])[0].go_by(21)
        for factor in (1, 4)
    )
    assert slow + 0.1 < fast


def test_a_criterion_without_correction_for_users_errs_and_the_plan_shows_it():
    gate = replace(success_gate(), rho0=0.0, time_block="none", min_days=0)
    curve = simulate(Plan(gate, 30, 400, 3), [Case({"success": 0.98})])[0]
    assert curve.go_by(30) > 0.15


def test_a_gate_passes_when_all_its_criteria_do():
    gate = shipped("go_no_go")
    both = simulate(Plan(gate, 14, 400, 3), [as_expected(gate), Case({"success": 0.995}), Case({"quality": 0.9})])
    together, success, quality = (curve.go_by(14) for curve in both)
    assert together == pytest.approx(success * quality, abs=0.08)


def test_a_bad_candidate_is_refused():
    gate = shipped("go_no_go")
    curve = simulate(Plan(gate, 14, 200, 3), [Case({"success": 0.85})])[0]
    assert curve.no_go_by(14) > 0.9
    assert curve.go_by(14) == 0


def test_cases_lie_on_the_thresholds():
    gate = shipped("go_no_go")
    assert {case.label: case.truths[case.label] for case in at_go(gate)} == {
        "success": 0.98,
        "latency_p95": 1500,
        "quality": 0.8,
        "savings": 0.7,
    }
    assert at_no_go(gate).truths == {"success": 0.95, "timeouts": 0.05, "quality": 0.7, "complaints": 0.01}
    assert as_expected(shipped("week1")) is None
    assert ramp_days(shipped("guardrails")) > ramp_days(gate) == 60


def test_standard_errors_are_never_zero():
    assert standard_error(0.0, 400) == pytest.approx(0.0025, rel=0.01)
    assert standard_error(1.0, 400) == pytest.approx(0.0025, rel=0.01)
    assert standard_error(0.5, 400) == pytest.approx(0.025)


@pytest.mark.slow
def test_needed_traffic_is_more_for_a_truth_that_is_nearer():
    found = {
        truth: needed_traffic(Plan(success_gate(), 14, 200, 3), Case({"success": truth})) for truth in (0.99, 0.995)
    }
    assert found[0.995].half < 100 < found[0.99].half < found[0.99].four_fifths
    hopeless = needed_traffic(Plan(success_gate(), 14, 200, 3), Case({"success": 0.98}))
    assert hopeless.half is None
    assert "not by traffic alone" in hopeless.sentence(10)
    assert "% of requests" in found[0.995].sentence(10)


def test_reviews_that_are_enough():
    gate = shipped("go_no_go")
    in_looks = resolve(gate)["quality"]
    once = replace(gate.criteria["quality"], method="exact", look_at=[], judge=False)
    rule = resolve(replace(gate, criteria={**gate.criteria, "quality": once}))["quality"]
    assert review_power(rule, 0.9, 50) == pytest.approx(0.616, abs=0.001)
    assert review_power(in_looks, 0.9, 50) == review_power(rule, 0.9, 50)
    assert review_power(rule, 0.9, 100) == pytest.approx(0.876, abs=0.001)
    assert review_power(in_looks, 0.9, 100) == pytest.approx(0.830, abs=0.001)
    assert review_power(in_looks, 0.9, 200) == pytest.approx(0.980, abs=0.001)
    assert 50 < reviews_needed(rule, 0.9, 0.8) <= 100
    assert reviews_needed(rule, 0.8, 0.8) is None


def counts(icc, users=3000, seed=3):
    rng = np.random.default_rng(seed)
    trials = rng.integers(1, 12, users).astype(float)
    p = rng.beta(0.9 * (1 / icc - 1), 0.1 * (1 / icc - 1), users)
    return UserDays(np.arange(users), np.full(users, 20_000), trials, rng.binomial(trials.astype(int), p).astype(float))


@pytest.mark.parametrize("icc", [0.05, 0.2, 0.5])
def test_the_correlation_of_a_log_is_measured(icc):
    assert intra_class_correlation(counts(icc)) == pytest.approx(icc, abs=0.04)


def test_too_few_failures_tell_no_correlation():
    days = counts(0.2, users=30)
    assert intra_class_correlation(replace(days, total=days.trials)) is None


def test_without_a_log_the_declared_traffic_is_taken(workdir):
    config = compose(["stage=power"])
    assert counts_of_log(config, Layout(config))[0] is None


def test_the_stage_writes_numbers_and_a_picture(workdir, capsys):
    assert run_overrides(["stage=power", *SMALL, "~gate.criteria.latency_mean", "~gate.criteria.similar"]) == 0
    printed = capsys.readouterr().out
    assert "if the truth were" in printed
    assert "no `expected` truth" in printed
    found = json.loads((workdir / "reports" / "power.json").read_text())
    assert found["gate"] == "daily"
    assert found["simulations"] == 200
    curves = found["criteria"]["success"]
    assert [curve["at"] for curve in curves if curve["at"]] == ["no_go", "go"]
    assert curves[-1]["go_by_horizon"] > 0.5
    assert len(curves[0]["go_by_day"]) == found["days"] == 60
    assert found["at_no_go"]["no_go_by_horizon"] < 0.05
    assert (workdir / "reports" / "power.png").read_bytes().startswith(b"\x89PNG")


def test_with_a_log_its_users_and_days_are_taken(workdir, capsys):
    logs.write(workdir / "logs" / "shadow_mode", logs.Plan(days=4, users=60))
    assert run_overrides(["stage=power", *SMALL, "~gate.criteria.latency_mean", "~gate.criteria.similar"]) == 0
    printed = capsys.readouterr().out
    assert "(the log)" in printed
    assert "fewer than a GO needs" in printed
    found = json.loads((workdir / "reports" / "power.json").read_text())
    assert "users in 4 days (the log)" in found["traffic"]["source"]
    assert found["criteria"]["success"][-1]["go_by_horizon"] == 0
