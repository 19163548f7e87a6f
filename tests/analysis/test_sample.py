"""The users of a log as a sample: who is tested, in which order, and what a gate says where they are not the sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.analysis import logs
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.sample import sampled
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import Sampled
from zantara_exp.gates.stage import judge
from zantara_exp.shadow.record import REKEYED
from zantara_exp.shadow.sampling import user_percentile

PLAN = logs.Plan(days=3, per_day=300, users=3000, heavy=0.0, seed=4)


def of(layout: Layout, config: Config) -> Sampled:
    with open_log(config, layout) as log:
        return sampled(log.facts)


def rewritten(layout: Layout, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    for path in layout.logs.iterdir():
        lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines if line is not None))


def test_users_come_once_in_the_order_of_their_first_requests(layout: Layout, config: Config) -> None:
    made = logs.write(layout.logs, PLAN)
    made.sort(key=lambda line: (line["timestamp"], line["user"]))
    first = list(dict.fromkeys(line["user"] for line in made))
    [drawn] = of(layout, config).drawn
    assert drawn.percent == 100.0
    assert drawn.places.tolist() == [user_percentile(user) for user in first]


def test_each_share_has_its_users(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(PLAN, days=1))
    logs.write(
        layout.logs, replace(PLAN, days=1, start=1, extra={"sampling": {"percent": 25.0, "reason": "user_hash"}})
    )
    found = of(layout, config)
    assert [drawn.percent for drawn in found.drawn] == [100.0, 25.0]
    assert found.untested == 0


@pytest.mark.parametrize(
    "sampling",
    [
        {"percent": 10.0, "reason": "imported"},
        {"percent": 10.0, "reason": REKEYED},
        {"percent": None, "reason": "user_hash"},
        {"percent": 0.0, "reason": "user_hash"},
        {},
    ],
)
def test_whom_no_hash_put_into_the_sample_is_not_tested(layout: Layout, config: Config, sampling: dict) -> None:
    made = logs.write(layout.logs, replace(PLAN, extra={"sampling": sampling}))
    found = of(layout, config)
    assert (list(found.drawn), found.untested) == ([], len({line["user"] for line in made}))


def test_version_1_says_nothing_of_a_sample(layout: Layout, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k" * 32)
    logs.write(layout.logs, replace(PLAN, version=1))
    found = of(layout, config)
    assert not found.drawn
    assert found.untested > 100


def test_a_gate_says_no_go_but_never_go_on_another_sample(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, PLAN)
    right, _ = judge(config, layout)
    assert right.sample is not None
    assert (right.sample.mismatch, right.sample.steps[0].beyond) == ("", 0)
    rewritten(layout, lambda line: line if user_percentile(line["user"]) < 60 else None)
    found, _ = judge(config, layout)
    assert found.sample is not None
    assert "users do not fill the sampled 100 % evenly: 0 to" in found.sample.mismatch
    assert found.verdict == "INCONCLUSIVE"
    assert found.sample.mismatch in found.reason


def test_a_gate_that_tests_nothing_makes_a_start_say_why(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, PLAN)
    off = replace(config, gate=replace(config.gate, sample_ratio_alpha=0.0))
    for of_gate, asks in ((config, False), (off, True)):
        standing = judge(of_gate, layout)[0].standing
        assert standing is not None
        assert any("not tested: gate.sample_ratio_alpha=0" in each for each in standing.objections) == asks
