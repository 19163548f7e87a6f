"""What the log says, against a plain loop over the lines that were written."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis import logs
from zantara_exp.analysis.evidence import METRICS, evidence
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.similarity import chrf
from zantara_exp.config import Config
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.core.layout import Layout
from zantara_exp.gates import judge_gate
from zantara_exp.gates.evidence import EvidenceRequest, Missing, Number, UserDays

Line = dict[str, Any]


def asked(
    config: Config, layout: Layout, metric: str, limit: float | None = None, until: date | None = None
) -> UserDays:
    found = evidence([EvidenceRequest(metric, limit)], until, config, layout)[0]
    assert isinstance(found, UserDays)
    return found


def answered(line: Line, side: str = "candidate") -> bool:
    text = line[side]["response"].strip()
    return not line[side]["error"] and text.strip(".… \n") != ""


def usd(side: Line) -> float:
    """Of the primary's tokens, by hand."""
    read, written = {"claude-haiku-4-5": (1, 5), "claude-sonnet-4-5": (3, 15)}[side["model"]]
    return float(side["tokens_input"] * read + side["tokens_output"] * written) / 1e6


def sums(found: UserDays) -> tuple[float, float]:
    return found.trials.sum(), found.total.sum()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Line]]:
    """Four days of version 2 with every kind of failure, and an A/A arm that must not count."""
    folder = tmp_path_factory.mktemp("written")
    lines = logs.write(folder / "logs/shadow_mode", logs.Plan(success=0.9, aa_percent=10.0))
    return folder, [line for line in lines if line["arm"] == "candidate"]


@pytest.fixture
def lines(written: tuple[Path, list[Line]], config: Config, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """That log, in the working directory; tests only read it."""
    monkeypatch.chdir(written[0])
    return written[1]


def test_success_counts_every_kind_of_failure(lines: list[Line], config: Config, layout: Layout) -> None:
    found = asked(config, layout, "success")
    assert sums(found) == (len(lines), sum(map(answered, lines)))
    assert found.epoch == "e2"
    per_user = Counter(line["user"] for line in lines)
    mine = np.bincount(found.user, weights=found.trials)
    assert sorted(mine) == sorted(per_user.values())


def test_days_languages_and_categories_are_kept(lines: list[Line], config: Config, layout: Layout) -> None:
    found = asked(config, layout, "success")
    for name in ("language", "category"):
        wanted = Counter(line[name] for line in lines)
        assert {value: found.trials[found.segments[name] == value].sum() for value in wanted} == wanted
    days = Counter(date.fromisoformat(line["timestamp"][:10]).toordinal() - 719163 for line in lines)
    assert {day: found.trials[found.day == day].sum() for day in days} == days


def test_a_failed_request_is_never_fast(lines: list[Line], config: Config, layout: Layout) -> None:
    fast = sum(answered(line) and line["candidate"]["latency_ms"] <= 400 for line in lines)
    assert sums(asked(config, layout, "latency_ms", limit=400)) == (len(lines), fast)


def test_mean_latency_is_of_answers_only(lines: list[Line], config: Config, layout: Layout) -> None:
    taken = [line["candidate"]["latency_ms"] for line in lines if answered(line)]
    trials, total = sums(asked(config, layout, "latency_ms"))
    assert (trials, total) == (len(taken), pytest.approx(sum(taken)))


def test_latencies_beyond_a_bound_count_as_the_bound(lines: list[Line], config: Config, layout: Layout) -> None:
    taken = [line["candidate"]["latency_ms"] for line in lines if answered(line)]
    bound = float(np.median(taken))
    found = evidence([EvidenceRequest("latency_ms", bound=bound)], None, config, layout)[0]
    assert isinstance(found, UserDays)
    assert found.capped is not None
    assert found.total.sum() == pytest.approx(sum(min(value, bound) for value in taken))
    assert found.capped.sum() == sum(value > bound for value in taken) > 0
    assert asked(config, layout, "latency_ms").capped is None


def test_similar_is_chrf_and_a_failure_is_not(lines: list[Line], config: Config, layout: Layout) -> None:
    alike = [
        answered(line)
        and chrf(line["candidate"]["response"], line["primary"]["response"]) >= config.engine.similar_chrf
        for line in lines
    ]
    assert 0 < sum(alike) < len(lines)
    assert sums(asked(config, layout, "similar")) == (len(lines), sum(alike))


def test_timeouts(lines: list[Line], config: Config, layout: Layout) -> None:
    wanted = sum(line["candidate"]["error"] == "timeout" for line in lines)
    assert wanted > 0
    assert sums(asked(config, layout, "timeout")) == (len(lines), wanted)


def test_savings_compare_price_list_and_flat_fee(lines: list[Line], config: Config, layout: Layout) -> None:
    moved = [line for line in lines if line["category"] in ("greeting", "casual")]
    paid = sum(usd(line["primary"]) for line in moved)
    again = sum(usd(line["primary"]) for line in moved if not answered(line))
    found = asked(config, layout, "savings")
    assert found.baseline is not None
    assert found.baseline.sum() == pytest.approx(paid)
    assert sums(found) == (len(moved), pytest.approx(len(moved) * 3.78 * 1.08 / 30_000 + again))


def test_savings_go_by_what_the_candidate_is_billed(lines: list[Line], config: Config, layout: Layout) -> None:
    moved = [line for line in lines if line["category"] in ("greeting", "casual")]
    again = sum(usd(line["primary"]) for line in moved if not answered(line))
    config.endpoint.billing, config.endpoint.gpu, config.endpoint.machines = "hours", "L4", 2
    config.cost.gpu_usd_hour = {"L4": 0.5}
    month = 2 * 0.5 * 365.25 / 12 * 24
    assert sums(asked(config, layout, "savings"))[1] == pytest.approx(len(moved) * month / 30_000 + again)
    config.endpoint.billing = "seconds"  # none were reported: only failures that no worker began on are known
    refused = [line for line in moved if line["candidate"]["error"] == "breaker_open"]
    assert 0 < len(refused) < sum(not answered(line) for line in moved)
    again = sum(usd(line["primary"]) for line in refused)
    assert sums(asked(config, layout, "savings")) == (len(refused), pytest.approx(again))


def test_an_unknown_price_is_lost_not_free(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=1))
    config.cost.aliases = {"claude-sonnet-4-5": "a name that no list knows"}
    found = asked(config, layout, "savings")
    moved = asked(config, layout, "success").segments["category"] != "business"
    assert found.trials.sum() + sum(found.lost_per_day.values()) == asked(config, layout, "success").trials[moved].sum()
    config.cost.providers = ["openai"]
    nothing = evidence([EvidenceRequest("savings")], None, config, layout)[0]
    assert isinstance(nothing, Missing)
    assert "no price is known for claude-haiku-4-5, claude-sonnet-4-5: cost.prices" in nothing.reason


def test_only_the_newest_epoch_is_evidence(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    assert asked(config, layout, "success").epoch == "e2"
    before = asked(config, layout, "success", until=date(2025, 10, 21))
    assert (before.epoch, before.trials.sum()) == ("unversioned", 200)


def test_until_is_inclusive(lines: list[Line], config: Config, layout: Layout) -> None:
    last = date(2025, 10, 21)
    wanted = sum(line["timestamp"][:10] <= "2025-10-21" for line in lines)
    assert asked(config, layout, "success", until=last).trials.sum() == wanted


def test_what_was_lost_is_named_by_day(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=2, drops=3, bad_lines=4, doubles=5))
    found = asked(config, layout, "success")
    first = date(2025, 10, 20).toordinal() - 719163
    assert found.lost_per_day == {first: 7.0, first + 1: 7.0}
    assert found.trials.sum() == 200


def test_an_answer_without_a_latency_is_lost_for_latency_alone(layout: Layout, config: Config) -> None:
    side = {"response": "ciao", "model": "m", "provider": "p", "tokens_input": 1, "tokens_output": 1, "error": None}
    logs.write(layout.logs, logs.Plan(days=1, extra={"candidate": {**side, "latency_ms": None}}))
    assert asked(config, layout, "success").trials.sum() == 100
    found = evidence([EvidenceRequest("latency_ms", 1500.0)], None, config, layout)[0]
    assert isinstance(found, Missing)


def test_a_primary_that_failed_is_not_compared(layout: Layout, config: Config) -> None:
    side = {
        "response": "",
        "model": "claude-haiku-4-5",
        "provider": "p",
        "tokens_input": 1,
        "tokens_output": 0,
        "latency_ms": 5.0,
    }
    logs.write(layout.logs, logs.Plan(days=1, extra={"primary": {**side, "error": "recorded_error"}}))
    assert isinstance(evidence([EvidenceRequest("similar")], None, config, layout)[0], Missing)
    assert asked(config, layout, "success").trials.sum() == 100


def test_no_log_is_missing_evidence(layout: Layout, config: Config) -> None:
    for metric in METRICS:
        found = evidence([EvidenceRequest(metric)], None, config, layout)[0]
        assert isinstance(found, Missing)
        assert found.reason


def test_nothing_up_to_that_day_is_missing_evidence(lines: list[Line], config: Config, layout: Layout) -> None:
    found = evidence([EvidenceRequest("success")], date(2020, 1, 1), config, layout)[0]
    assert isinstance(found, Missing)
    assert "no comparison" in found.reason


def test_comparisons_are_counted(lines: list[Line], config: Config, layout: Layout) -> None:
    assert evidence([EvidenceRequest("comparisons")], None, config, layout)[0] == Number(float(len(lines)))


def lose(folder: Path, day: str, drops: int = 0, torn: int = 0) -> None:
    record = {"schema_version": 2, "record": "drops", "epoch": "e2", "timestamp": f"{day}T01:00:00.000000Z"}
    text = json.dumps({**record, "dropped": {"queue_full": drops}}) + "\n" if drops else ""
    with (folder / f"shadow_comparison_{day}.jsonl").open("a") as out:
        out.write(text + '{"schema_version": 2, "times\n' * torn)


def number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - 719163


def test_days_that_lost_everything_are_days(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=2))
    lose(layout.logs, "2025-10-23", drops=50)
    lose(layout.logs, "2025-10-24", torn=7)
    lost = {number("2025-10-23"): 50.0, number("2025-10-24"): 7.0}
    assert asked(config, layout, "success").lost_per_day == lost
    assert asked(config, layout, "success", until=date(2025, 10, 22)).lost_per_day == {}
    with open_log(config, layout) as log:
        assert log.until == date(2025, 10, 24)


def test_a_gate_does_not_go_when_the_last_days_lost_everything(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=15, per_day=60, users=600, success=1.0, heavy=0.0))
    gate = Gate("mine", {"success": Criterion("success", go=Threshold(above=0.95))})
    assert judge_gate(gate, {"success": asked(config, layout, "success")}).verdict == "GO"
    lose(layout.logs, "2025-11-04", drops=50)
    verdict = judge_gate(gate, {"success": asked(config, layout, "success")})
    assert (verdict.verdict, verdict.as_of) == ("INCONCLUSIVE", "2025-11-04")
    assert "were lost" in verdict.criteria[0].reason


def test_a_clock_ahead_moves_no_day_and_loses_the_request(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=2))
    path = layout.logs / "shadow_comparison_2025-10-20.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[3]["timestamp"] = "2190-01-01T00:00:00.000000Z"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lose(layout.logs, "2190-01-02", drops=5, torn=2)
    found = asked(config, layout, "success")
    assert found.trials.sum() == 199
    assert found.day.max() == number("2025-10-21")
    assert found.lost_per_day == {number("2025-10-20"): 1.0, number("2025-10-21"): 7.0}
    with open_log(config, layout) as log:
        late = [line for line in log.bad if "future" in line.reason]
        assert [(line.file, line.day) for line in late] == [("shadow_comparison_2025-10-20.jsonl", date(2025, 10, 20))]


def test_a_log_of_the_future_alone_is_missing_evidence(layout: Layout, config: Config) -> None:
    stamp = {"timestamp": "2190-01-01T00:00:00.000000Z"}
    logs.write(layout.logs, logs.Plan(days=1, extra=stamp))
    found = evidence([EvidenceRequest("success")], None, config, layout)[0]
    assert isinstance(found, Missing)
    assert "no comparison dated up to today" in found.reason
