"""The bench runs, says the same with the same seed, and rewrites its own section only."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tools.bench import __main__ as bench
from tools.bench.report import Goal, Report, write_section
from tools.bench.rules import CLASSICAL, OURS, P0, WEIGHTED, Seen, closed_form_evidence, criterion_rule
from zantara_exp.config.gate import Traffic
from zantara_exp.gates import decide
from zantara_exp.gates.decision import PASS
from zantara_exp.gates.population import probabilities, successes, visits
from zantara_exp.gates.visits import first_time
from zantara_exp.stage import Table

ROOT = Path(__file__).resolve().parents[3]


def seen(truth, icc=0.2, simulations=200, days=14):
    traffic, rng = Traffic(icc=icc), np.random.default_rng(9)
    at = visits(traffic, days, simulations, rng)
    return Seen(at, successes(at, probabilities(truth, traffic, at.users, rng), rng))


@pytest.mark.parametrize("name", {**CLASSICAL, **OURS})
def test_every_rule_says_go_to_a_perfect_candidate_and_none_to_a_bad_one(name):
    rule = {**CLASSICAL, **OURS}[name]
    assert (first_time(rule(seen(1.0), 14)) <= 14).mean() > 0.9
    assert (first_time(rule(seen(0.9), 14)) <= 14).mean() < 0.1


def test_the_weighted_rule_is_the_gates():
    rollouts = seen(0.995, simulations=6)
    flags = OURS[WEIGHTED](rollouts, 14)
    for simulation in range(6):
        evidence = rollouts.at.one(simulation, rollouts.good)
        decided = [decide(criterion_rule(), evidence, day).decision == PASS for day in (7, 13)]
        assert decided == flags[simulation, [7, 13]].tolist()


def test_a_rolling_estimate_errs_where_the_gate_does_not():
    at_threshold = seen(P0)
    rates = {name: (first_time(rule(at_threshold, 14)) <= 14).mean() for name, rule in {**CLASSICAL, **OURS}.items()}
    assert rates["rolling 7-day point estimate, n >= 500"] > 0.7
    assert rates["exact binomial at 5 %, every day"] > 0.25
    assert rates[WEIGHTED] < 0.05


@pytest.mark.parametrize(("good", "bad", "expected"), [(500, 0, 7.796730), (495, 5, 0.923762), (990, 10, 2.186004)])
def test_the_closed_form_of_an_e_process(good, bad, expected):
    assert float(closed_form_evidence(good, bad, 0.98)) == pytest.approx(expected, abs=1e-6)


def report(limit=0.05):
    table = Table("rates", ["rule", "a|b"], [["one", "2 %"]])
    return Report("gates", "scripts/bench gates", "What it is.", [table], [Goal("g", 0.04, 0.01, limit, "%")], 1.2)


def test_a_report_rewrites_its_own_section(tmp_path):
    path = tmp_path / "docs" / "benchmarks.md"
    write_section(report(), path)
    path.write_text(path.read_text() + "\n<!-- bench other -->\nkept\n<!-- end of bench other -->\n")
    write_section(report(0.01), path)
    text = path.read_text()
    assert text.count("## gates") == 1
    assert "kept" in text
    assert "| g | 4.0 % +- 1.0 % | <= 1.0 % | MISSED |" in text
    assert "a\\|b" in text


def test_a_missed_goal_fails_only_a_strict_run(monkeypatch, capsys):
    monkeypatch.setattr("tools.bench.gates.run", lambda simulations, seed: report(0.01))
    assert bench.main(["gates"]) == 0
    assert bench.main(["gates", "--strict"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "bench gates: 0 of 1 goals met, in 1 s"


def test_the_command_explains_itself():
    ended = subprocess.run([ROOT / "scripts" / "bench", "--help"], capture_output=True, text=True)
    assert ended.returncode == 0
    assert "--strict" in ended.stdout
    assert subprocess.run([ROOT / "scripts" / "bench", "nothing"], capture_output=True).returncode == 2


@pytest.mark.slow
def test_the_whole_bench_meets_its_goals(capsys):
    assert bench.main(["gates", "--strict", "--simulations", "2000"]) == 0
