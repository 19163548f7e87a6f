"""Several candidates: a verdict each at a shared alpha, one verdict of all, and each against each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.analysis import logs, several
from tests.composing import composed
from tests.gates.test_stage import at as at
from tests.gates.test_stage import looked
from zantara_exp.analysis.engine import first_value
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.several_candidates import beside
from zantara_exp.config.candidates import candidates, shared
from zantara_exp.core.layout import Layout
from zantara_exp.gates.check import family_findings
from zantara_exp.gates.evidence import Against, Beside
from zantara_exp.gates.identity import gate_hash
from zantara_exp.gates.stage import judge
from zantara_exp.privacy import dataset as private

ENDPOINTS = "+endpoints={v2: runpod, v3: {use: anthropic, model: claude-haiku-4-5}}"
ONLY = (
    *(f"~gate.criteria.{name}" for name in ("latency_p95", "timeouts", "quality", "critical_bugs", "complaints")),
    *("~gate.criteria.promise", "gate.criteria.success.window=null", "gate.segments.language=[]"),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen days: the first is good, v2 fails one request in four, v3 is good and paid by tokens."""
    folder = tmp_path_factory.mktemp("log")
    plan = logs.Plan(start=-4, days=16, per_day=100, users=400, success=1.0, heavy=0.0)
    models = {"v3": "claude-haiku-4-5"}
    several.write(folder / "logs/shadow_mode", plan, {"v2": 0.25, "v3": 0.0}, models)
    return folder


def test_each_has_its_own_comparisons_and_none_is_a_double(at: Path):
    config = composed(ENDPOINTS)
    for name, each in candidates(config).items():
        with open_log(each, Layout(each)) as log:
            assert (first_value(log.facts.count()), log.doubles, log.set_back) == (1600, 0, 0)
            assert log.newest()[0] == ("e2" if name == "local" else f"epoch-{name}")


def test_a_go_names_the_one_that_holds_with_the_least_bill_and_the_others_have_their_own(at: Path):
    result, config = looked(ENDPOINTS, *ONLY)
    assert result.status == 0
    assert result.summary["verdict"] == "GO for local"
    assert result.next_command.endswith("stage=rollout rollout.action=start rollout.candidate=local")
    said = json.loads(Path("reports/verdict.json").read_text())
    assert (said["verdict"], said["candidate"], said["alpha"]) == ("GO", "local", 0.05)
    rows = said["candidates"]
    assert {name: row["verdict"] for name, row in rows.items()} == {"local": "GO", "v2": "NO_GO", "v3": "GO"}
    assert [row["alpha"] for row in rows.values()] == [pytest.approx(0.05 / 3)] * 3
    for name, row in rows.items():
        own = json.loads((Path("reports") / row["file"]).read_text())
        assert (own["verdict"], own["epoch"]) == (row["verdict"], row["candidate_id"]), name
    assert len(Path(".zantara/looks/looks.jsonl").read_text().splitlines()) == 3
    assert sorted(result.parts) == ["local", "v2", "v3"]
    better = {(pair["first"], pair["second"], pair["metric"]): pair["better"] for pair in said["pairs"]}
    assert better["local", "v2", "success"] == "local"
    assert better["v2", "v3", "success"] == "v3"
    assert better["local", "v3", "success"] == ""
    assert result.summary["why"] == "move: local holds: USD 4.08 a month for USD 35.33"


def test_all_refuted_is_no_go_and_some_undecided_is_neither(at: Path):
    bad, _ = looked(ENDPOINTS, *ONLY, "~gate.criteria.savings", "gate.criteria.success.go.above=0.9995")
    assert (bad.status, bad.summary["verdict"]) == (4, "INCONCLUSIVE")
    assert bad.summary["why"] == "stay for now: not decided on local, v3"
    worse = ["gate.criteria.success.go.above=0.99999", "gate.criteria.success.no_go.below=0.99999"]
    bad, _ = looked("+endpoints={v2: runpod}", *ONLY, "~gate.criteria.savings", *worse, "candidate=v2", "stage=gate")
    assert bad.status == 3


def test_alpha_is_shared_as_declared(at: Path):
    config = composed(ENDPOINTS, "+gate.alpha_shares={local: 0.5, v2: 0.2, v3: 0.2}")
    assert {name: each.gate.alpha for name, each in candidates(config).items()} == {
        "local": pytest.approx(0.025), "v2": pytest.approx(0.01), "v3": pytest.approx(0.01)
    }  # fmt: skip
    verdict, _ = judge(candidates(config)["v2"], Layout(candidates(config)["v2"]))
    assert verdict.alpha == pytest.approx(0.01)


def test_pairs_are_the_same_requests(at: Path):
    found = beside(composed(ENDPOINTS, "report=weekly"), None)  # what decides is all of its days all the same
    of = [each for each in found if isinstance(each, Beside)]
    assert [(each.name, each.requests) for each in of] == [("local", 1600), ("v2", 1600), ("v3", 1600)]
    pair = next(each for each in found if isinstance(each, Against) and (each.first, each.second) == ("local", "v2"))
    assert pair.days is not None
    assert pair.days.baseline is not None
    failed = 1600 - round(1600 * (of[1].success or 0.0))
    sums = pair.days.trials.sum(), pair.days.total.sum(), pair.days.baseline.sum()
    assert sums == (1600, failed, 0)


def test_a_gate_that_is_not_about_candidates_is_looked_at_once(at: Path):
    result, _ = looked(ENDPOINTS, "gate=training")
    assert not result.parts


def test_the_review_of_each_lies_in_its_own_folder_and_that_of_the_first_where_it_lay():
    each = {name: Layout(own) for name, own in candidates(composed(ENDPOINTS)).items()}
    alone = Layout(composed())
    assert each["local"].review_labels == alone.review_labels
    assert each["v2"].review_labels == alone.reports / "candidates/v2/review.jsonl"
    assert each["v2"].review_sample == alone.state / "review/candidates/v2/sample.json"
    assert {own.incidents for own in each.values()} == {alone.incidents}
    each["v2"].review_labels.parent.mkdir(parents=True, exist_ok=True)
    assert [own.judged for own in alone.family()] == [alone.judged, each["v2"].judged]
    assert each["v2"].judged in private.files(alone)  # which stage=forget goes through


@pytest.mark.parametrize("shares", [{}, {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.4, "b": 0.4, "c": 0.1}])
def test_the_parts_of_alpha_are_alpha_together_or_less(shares: dict[str, float]):
    own = composed().gate
    whole = replace(own, alpha_shares=shares)
    parts = [shared(whole, name, 3) for name in "abc"]
    assert sum(part.alpha for part in parts) <= own.alpha * (1 + 1e-9)
    assert gate_hash(replace(parts[0], alpha=own.alpha)) == gate_hash(own)


@pytest.mark.slow
def test_three_candidates_at_a_threshold_have_some_false_go_in_at_most_alpha():
    """Three times 60 days of 400 simulated rollouts take a minute."""
    own = composed().gate
    own = replace(own, traffic=replace(own.traffic, simulations=400))
    found = family_findings(own, ["a", "b", "c"], 50, seed=11)
    assert [finding.what.split(":")[0] for finding in found] == ["success", "latency_p95", "savings"]
    assert all(finding.ok for finding in found)
    assert family_findings(own, ["a"], 50, seed=11) == []
