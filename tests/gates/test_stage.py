"""The stage on real comparison logs: evidence from the log, a verdict, files, and the look recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from tests.analysis import logs
from tests.composing import composed
from tests.gates.test_verdict import SCHEMA
from zantara_exp.analysis.translation import Words
from zantara_exp.analysis.verdict import shown_verdict
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import Config, compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates.collect import collect, metrics
from zantara_exp.gates.stage import gate, judge


class Kept:
    """A run that keeps nothing but its id."""

    run_id = "run-1"

    def params(self, values): ...

    def metrics(self, values, step=None): ...

    def tags(self, values): ...

    def artifact(self, path, folder=""): ...

    def dataset(self, path, name, context): ...

    def model(self, path, name, metrics): ...


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of a good candidate."""
    folder = tmp_path_factory.mktemp("log")
    logs.write(
        folder / "logs/shadow_mode", logs.Plan(start=-4, days=16, per_day=100, users=400, success=1.0, heavy=0.0)
    )
    return folder


@pytest.fixture
def at(log: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that sees that log."""
    (workdir / "logs").symlink_to(log / "logs")
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    return workdir


def looked(*overrides: str) -> tuple[StageResult, Config]:
    config = composed(*overrides)
    return gate(config, Context(config, Kept(), Path("."))), config


def test_every_metric_of_the_shipped_gates_is_measured_by_an_area():
    from tests.gates.test_config import SHIPPED, load

    asked = {c.metric for path in SHIPPED for c in load(path).criteria.values()}
    assert asked <= set(metrics())


def test_a_good_candidate_lacks_only_its_review(at: Path):
    result, config = looked("gate=go_no_go")
    assert result.status == 4
    said = json.loads((at / "reports/verdict.json").read_text())
    decisions = {item["name"]: item["decision"] for item in said["criteria"]}
    assert decisions["success"] == "PASS"
    assert decisions["latency_p95"] == "PASS"
    assert decisions["quality"] == decisions["critical_bugs"] == "MISSING"
    assert said["epoch"] == "e2"
    assert result.tags["verdict"] == said["verdict"] == "INCONCLUSIVE"
    assert result.metrics["gate/success/estimate"] == 1
    assert ElementTree.parse(at / "reports/verdict.junit.xml").getroot().tag == "testsuites"
    # A judgement for the report records no look.
    looks = at / ".zantara/looks/looks.jsonl"
    before = looks.read_bytes()
    assert judge(config, Layout(config), None)[0].to_json()["verdict"] == "INCONCLUSIVE"
    assert looks.read_bytes() == before


def test_as_of_replays_a_day_and_remembers_when_the_gate_was_first_used(at: Path):
    early, _ = looked("gate=daily", "as_of=2025-10-22")
    late, _ = looked("gate=daily", "as_of=2025-10-31")
    again, _ = looked("gate=daily", "as_of=2025-10-22")
    assert early.tags == again.tags
    assert early.metrics == again.metrics
    assert late.metrics["gate/requests"] > early.metrics["gate/requests"]
    said = json.loads((at / "reports/verdict-daily.json").read_text())
    assert said["first_use"]["as_of"] == said["as_of"] == "2025-10-22"
    assert len((at / ".zantara/looks/looks.jsonl").read_text().splitlines()) == 3


def test_a_lost_record_of_looks_is_said_in_every_later_verdict(at: Path):
    looked("gate=daily", "as_of=2025-10-31")
    (at / ".zantara/looks/looks.jsonl").unlink()
    for _ in range(2):
        looked("gate=daily", "as_of=2025-10-31")
        said = json.loads((at / "reports/verdict-daily.json").read_text())
        assert said["first_use"] is None
        assert "earlier looks cannot be known" in said["reason"]
    looked("gate=week1", "as_of=2025-10-31")
    assert json.loads((at / "reports/verdict-week1.json").read_text())["first_use"]["as_of"] == "2025-10-31"


def test_the_report_shows_a_one_look_criterion_only_once_the_gate_has_looked(at: Path):
    keys = ["gate=daily", "gate.criteria.similar.method=exact"]
    config = compose(keys)

    def shown() -> tuple[str, float | None]:
        found = {d.name: d for d in judge(config, Layout(config), None)[0].criteria}["similar"]
        return found.decision, found.view.estimate

    assert shown() == ("MISSING", None)
    looked(*keys)
    assert shown()[0] != "MISSING"
    assert shown()[1] is not None


def test_an_unknown_metric_is_a_config_error_with_the_nearest_name(at: Path):
    config = compose(["gate=daily", "gate.criteria.success.metric=sucess"])
    with pytest.raises(ConfigError, match="did you mean success"):
        collect(config, Layout(config), None)


def test_a_day_that_is_none_is_a_config_error(at: Path):
    config = compose(["gate=daily"])
    config.as_of = "yesterday"
    with pytest.raises(ConfigError, match="as_of=yesterday"):
        gate(config, Context(config, Kept(), Path(".")))


def test_one_language_that_fails_is_no_go(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    folder = workdir / "logs/shadow_mode"
    logs.write(folder, logs.Plan(days=12, per_day=140, users=400, success=1.0))
    for path in folder.glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for number, line in enumerate(lines):
            if line["language"] == "id" and number % 4 == 0:
                line["candidate"] |= {"response": "", "error": "server_error"}
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verdict = judge(compose(["gate=go_no_go"]), Layout(compose([])), date(2025, 10, 31))[0]
    assert verdict.verdict == "NO_GO"
    success = verdict.criteria[0]
    failing = {part.segment: part.view.decision for part in success.segments}
    assert failing["language=id"] == "FAIL"
    assert failing["language=it"] != "FAIL"


def test_the_command_ends_with_the_verdicts_status(at: Path, capsys: pytest.CaptureFixture[str]):
    assert run_overrides(["stage=gate", "gate=go_no_go"]) == 4
    shown = capsys.readouterr().out
    assert "INCONCLUSIVE" in shown
    assert "quality" in shown


def test_the_verdict_comes_before_mlflow_and_stands_without_it(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert run_overrides(["stage=gate", "tracking=server", "tracking.timeout_seconds=1"]) == 4
    said = capsys.readouterr().out
    assert -1 < said.index("INCONCLUSIVE") < said.index("next: ") < said.index("MLflow at http://127.0.0.1:1 cannot")
    assert "the run is kept until it can" in said
    look = json.loads((at / ".zantara/looks/looks.jsonl").read_text())
    assert look["verdict"] == json.loads((at / "reports/verdict.json").read_text())["verdict"] == "INCONCLUSIVE"
    # The next command that reaches it tells it: here, the store of this machine stands in for the server.
    (kept,) = (at / ".zantara/pending/server").iterdir()
    (at / ".zantara/pending/local").mkdir()
    kept.rename(at / ".zantara/pending/local" / kept.name)
    assert run_overrides(["stage=gate"]) == 4
    said = capsys.readouterr().out
    assert "MLflow: 1 earlier run(s) sent" in said
    assert said.index("INCONCLUSIVE") < said.index("recorded in MLflow as run ")


def test_a_review_is_not_the_next_step_where_there_is_no_comparison(workdir: Path) -> None:
    nothing, _ = looked("gate=go_no_go")
    assert nothing.next_command == "python -m zantara_exp stage=shadow"


def test_with_comparisons_the_review_is_the_next_step(at: Path) -> None:
    unreviewed, _ = looked("gate=go_no_go")
    assert unreviewed.next_command == "python -m zantara_exp stage=review"


def test_what_the_log_holds_and_the_gate_does_not_declare_is_named(at: Path, tmp_path: Path):
    config = composed("gate=go_no_go", f"paths.logs={tmp_path / 'german'}")
    plan = logs.Plan(days=4, per_day=20, users=200, success=1.0, heavy=0.0, extra={"category": "casual"})
    logs.write(Path(config.paths.logs), plan)
    german, other = {"category": "casual", "language": "de"}, {"category": "other", "language": "it"}
    logs.write(Path(config.paths.logs), replace(plan, per_day=3, seed=2, extra=german))
    logs.write(Path(config.paths.logs), replace(plan, per_day=1, seed=3, extra=other))
    result = gate(config, Context(config, Kept(), Path(".")))
    verdict = json.loads((at / "reports/verdict.json").read_text())
    jsonschema.validate(verdict, SCHEMA, cls=jsonschema.Draft202012Validator)
    said = verdict["not_declared"]
    counted = ["success", "latency_p95", "timeouts", "savings"]
    assert said == [
        {"segment": "language=de", "comparisons": 12, "share": 0.125, "counted_in": counted},
        {"segment": "category=other", "comparisons": 4, "share": 4 / 96, "counted_in": []},
    ]
    told = result.summary["not declared"]
    assert told == result.tags["not_declared"]
    assert told.startswith("language=de is not declared by the gate: 12 comparisons (12.5 % of what would move). ")
    assert told.endswith("; it counted in no share or mean.")
    page = shown_verdict(judge(config, Layout(config))[0], config.gate, [])
    assert " ".join(page.not_declared) == told
    assert Words("it")(page.not_declared[0]) == (
        "language=de non è dichiarato dal gate: 12 confronti (12,5 % di ciò che si sposterebbe). Nessun criterio "
        f"lo ha guardato da solo; ha contato nell'insieme di {', '.join(counted)}."
    )
    assert Words("it")(page.not_declared[1]).endswith("da solo; non ha contato in nessuna quota o media.")
    # Once it is declared it is judged on its own; a gate that names no category asks nothing of one.
    declared = composed("gate=daily", "gate.segments.language=[it,en,id,de]", f"paths.logs={config.paths.logs}")
    assert judge(declared, Layout(declared))[0].not_declared == []
