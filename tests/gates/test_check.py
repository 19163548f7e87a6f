"""`stage=check`: what it finds, how it ends, and that the workflow built on it runs."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
import yaml

from tests.gates.test_config import SHIPPED, shipped
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.config.gate import Criterion, Gate, Threshold, Traffic
from zantara_exp.config.gate_file import load_gate
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.layout import Layout
from zantara_exp.gates import check
from zantara_exp.gates.check import findings_of
from zantara_exp.gates.collect import KINDS, collect, metrics
from zantara_exp.gates.operating import LOOKS, Plan, at_go, at_no_go, simulate
from zantara_exp.gates.population import users_within, visits

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "gate.yml"
QUICK = Traffic(simulations=200)


def bad(gate, review_size=50):
    return bad_of(findings_of(gate, review_size, 7))


def bad_of(findings):
    return {f.what: f.detail for f in findings if not f.ok}


def gate_of(criterion, **keys):
    return Gate("mine", {"c": criterion}, traffic=keys.pop("traffic", QUICK), **keys)


def test_a_sound_gate_has_no_bad_finding():
    gate = gate_of(Criterion("success", go=Threshold(above=0.9), no_go=Threshold(below=0.8), expected=0.97))
    assert bad(gate) == {}


def test_too_many_false_gos_are_found():
    found = bad(gate_of(Criterion("success", go=Threshold(above=0.98)), rho0=0.0))
    assert list(found) == ["c: false GO"]
    assert "rho0 0 for an ICC of 0.2" in found["c: false GO"]


def test_a_criterion_may_not_spend_more_than_its_gate():
    found = bad(gate_of(Criterion("success", go=Threshold(above=0.9), alpha=0.25, rho0=0.0), alpha=0.01))
    assert list(found) == ["c: false GO"]


def test_a_gate_that_cannot_decide_in_time_is_found():
    found = bad(gate_of(Criterion("success", go=Threshold(above=0.98), expected=0.985)))
    assert list(found) == ["decides within 14 days"]
    assert "with probability 0.0" in found["decides within 14 days"]
    more = replace(QUICK, comparisons_per_day=400.0)
    soon = gate_of(Criterion("success", go=Threshold(above=0.98), expected=0.99), traffic=more, horizon_days=28)
    assert bad(soon) == {}


def test_a_no_go_is_a_decision_too():
    criterion = Criterion("success", go=Threshold(above=0.98), no_go=Threshold(below=0.95), expected=0.85)
    assert bad(gate_of(criterion)) == {}


def test_a_review_too_small_for_its_threshold_is_found():
    criterion = Criterion("review_equivalent", "review", method="exact", go=Threshold(above=0.95))
    found = bad(gate_of(criterion))
    assert list(found) == ["c: 50 reviews can show it"]
    assert "50 of 50 would not show more than 95 % at alpha 0.05; 59 of 59 would" in found["c: 50 reviews can show it"]
    assert bad(gate_of(criterion), review_size=59) == {}


@pytest.mark.parametrize(
    ("criterion", "traffic", "says"),
    [
        (Criterion("success", go=Threshold(above=0.9), min_users=100_000), QUICK, "waits for 100000"),
        (Criterion("savings", "ratio", go=Threshold(above=0.7), min_users=100_000), QUICK, "waits for 100000"),
        (
            Criterion("success", go=Threshold(above=0.98)),
            replace(QUICK, population="pool", users=100),
            "about 100 users",
        ),
        (Criterion("review_equivalent", "review", method="exact", go=Threshold(above=0.8)), QUICK, "about 50 reviews"),
    ],
)
def test_users_that_the_planned_traffic_never_brings_are_found(criterion, traffic, says):
    if criterion.kind == "review":
        criterion = replace(criterion, min_users=60)
    found = bad(gate_of(criterion, traffic=traffic))
    assert [name for name in found if "enough" in name] == [
        f"c: there are enough {'reviews' if criterion.kind == 'review' else 'users'}"
    ]
    assert says in next(iter(found.values()))


def test_the_users_planned_are_as_many_as_simulated():
    for traffic in (Traffic(), Traffic(population="pool", users=50)):
        found = visits(traffic, 14, 200, np.random.default_rng(7))
        simulated = np.unique(found.user).size / 200
        assert simulated <= users_within(traffic, 14) * 1.01
        assert simulated > 0.6 * users_within(traffic, 14)


def test_certificates_and_guardrails_of_a_judge_are_simulated(monkeypatch):
    monkeypatch.setattr(check, "_LOGS", 24)
    config = compose(["rollout=judged", "primary.endpoint=anthropic"])
    found = [of for each in (check.routing_findings, check.judged_findings) for of in each(config, [config.gate], map)]
    assert [(each.what.split(":")[0], each.ok) for each in found] == [("certify", True)] * 2 + [
        ("guardrail worse", True)
    ] * 2
    assert "of 24 logs at the first look, alpha 0.05" in found[0].detail
    assert "ramps of 28 days, 23 judged a day" in found[2].detail
    assert not list(check.judged_findings(compose([]), [config.gate], map))
    config.rollout.certify.alpha = 1e-9  # and a rate above it is found
    monkeypatch.setattr(check, "moved_in", lambda log: 0.5)
    assert not next(check.routing_findings(config, [config.gate], map)).ok


def test_every_metric_has_its_kinds():
    assert set(KINDS) == set(metrics())


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("gate.criteria.success.metric=comparisons", "comparisons is judged as kind=count"),
        ("gate.criteria.latency_p95.metric=success", "success is judged as kind=proportion"),
        ("gate.criteria.success.where={category:[casul]}", "no request is casul; did you mean casual?"),
        ("++gate.criteria.success.where={categry:[casual]}", "no such dimension; did you mean category?"),
        ("gate.criteria.success.where={category:[]}", "where.category: names no value"),
        ("gate.segments={language:[de]}", "gate.segments.language: no request is de"),
        ("++gate.criteria.complaints.where={category:[casual]}", "where.category: no such dimension"),
    ],
)
def test_what_no_request_has_and_no_metric_is_are_config_problems(workdir, capsys, override, says):
    assert run_overrides(["stage=check", "gate=go_no_go", override]) == 2
    assert says in capsys.readouterr().err


def test_a_metric_of_another_kind_is_not_measured(workdir):
    config = compose(["gate=daily", "gate.criteria.latency_p95.metric=success"])
    with pytest.raises(ConfigError, match="success is judged as kind=proportion"):
        collect(config, Layout(config), None)


def test_what_a_review_needs_is_said():
    quality = [f for f in found_in("go_no_go") if "reviews" in f.what]
    assert [f.detail for f in quality] == ["45 of 50 show more than 80 %; by chance 0.048"]


@cache
def found_in(name):
    """What is found in a shipped gate, simulated 100 times; the slow test of the workflow: as often as it says."""
    return findings_of(replace(shipped(name), traffic=Traffic(simulations=100)), 50, 7)


CONTRADICTION = "name: mine\ncriteria:\n  a:\n    metric: success\n    go: {above: 0.94}\n    no_go: {below: 0.95}\n"
STRANGER = "name: yours\ncriteria:\n  a:\n    metric: sucess\n    go: {above: 0.9}\n"
MISSPELT = "name: hers\ncriteria:\n  a:\n    metrik: success\n"


def write_gates(folder, **texts):
    (folder / "gate").mkdir(parents=True)
    for name, text in texts.items():
        (folder / "gate" / f"{name}.yaml").write_text(text)
    return f"--config-dir={folder}"


def test_all_contradictions_in_all_files_are_named_at_once(workdir, capsys):
    own = write_gates(workdir / "own", mine=CONTRADICTION, yours=STRANGER, hers=MISSPELT, broken="a: [1")
    assert run_overrides([own, "stage=check"]) == 2
    said = capsys.readouterr().err
    assert "4 mistakes" in said
    assert "own/gate/mine.yaml: gate.criteria.a.go: contradicts no_go" in said
    assert "own/gate/yours.yaml: gate.criteria.a.metric=sucess: no area measures it; did you mean success?" in said
    assert "own/gate/hers.yaml: gate.criteria.a.metrik: no such key; did you mean metric?" in said
    assert "own/gate/broken.yaml: cannot be read as YAML" in said


@pytest.mark.parametrize(
    ("overrides", "status", "says"),
    [
        (["gate.criteria.success.go.above=0.94"], 2, "contradicts no_go"),
        (["gate.criteria.success.metric=sucess"], 2, "did you mean success?"),
        (["gate.criteria.success.expected=0.982"], 3, "decides within 14 days"),
        (["gate.criteria.success.expected=0.999"], 0, "all passed"),
    ],
)
def test_the_gate_that_a_command_names_is_checked_as_composed(workdir, capsys, overrides, status, says):
    quick = ["gate.traffic.simulations=200", "gate.criteria.latency_p95=null", "~gate.segments"]
    few = ["gate=daily", "~gate.criteria.latency_p95", "~gate.criteria.latency_mean", "~gate.criteria.similar"]
    assert run_overrides(["stage=check", *few, quick[0], "gate.segments={}", *overrides]) == status
    printed = capsys.readouterr()
    assert says in printed.out + printed.err
    path = workdir / "reports" / "check.junit.xml"
    assert path.exists() == (status != 2)
    if status != 2:
        suite = Xml.parse(path).getroot()[0]
        assert suite.get("name") == "check.daily"
        assert (suite.get("failures") == "0") == (status == 0)
        assert len(suite.findall("testcase")) == int(suite.get("tests")) == 4


def test_files_load_with_what_their_defaults_name(tmp_path):
    (tmp_path / "base.yaml").write_text(STRANGER)
    (tmp_path / "child.yaml").write_text("defaults: [base, _self_]\nname: child\nalpha: 0.01\n")
    gate = load_gate(tmp_path / "child.yaml", compose([]))
    assert (gate.name, gate.alpha, gate.criteria["a"].metric) == ("child", 0.01, "sucess")


def steps():
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["check"]["steps"]


def test_the_workflow_runs_on_what_a_gate_depends_on():
    text = WORKFLOW.read_text()
    for path in ("conf/**", "zantara_exp/gates/**"):
        assert path in text
    commands = [step["run"] for step in steps() if "run" in step]
    assert commands == ["make setup", ".venv/bin/python -m zantara_exp stage=check"]


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_every_shipped_gate_is_sound(name):
    assert bad_of(found_in(name)) == {}


@pytest.mark.slow
@pytest.mark.interpreter
def test_the_workflows_steps_run_and_every_shipped_gate_is_sound(tmp_path):
    """In a checkout of its own, with this environment as the one that `make setup` would make."""
    for entry in ("conf", "zantara_exp", "pyproject.toml", "locks", "Makefile", "scripts"):
        (tmp_path / entry).symlink_to(ROOT / entry)
    (tmp_path / ".venv").mkdir()
    for entry in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / entry).symlink_to(Path(sys.prefix) / entry)
    (tmp_path / ".venv" / ".ready").touch()
    for step in steps():
        if "run" in step:
            ended = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=tmp_path, env={**os.environ, "CI": "true"}, capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stdout + ended.stderr
    suites = Xml.parse(tmp_path / "reports" / "check.junit.xml").getroot()
    assert {suite.get("name") for suite in suites} == {f"check.{path.stem}" for path in SHIPPED}


@pytest.mark.slow
def test_the_training_gate_keeps_its_error_rates():
    gate = shipped("training")
    gate = replace(gate, traffic=replace(gate.traffic, simulations=8000))
    plan = Plan(gate, LOOKS, 8000, seed=7)
    *false_gos, refuted = simulate(plan, [*at_go(gate), at_no_go(gate)])
    assert [curve.go_by(LOOKS) <= gate.alpha for curve in false_gos] == [True, True]
    assert refuted.no_go_by(LOOKS) <= gate.alpha
