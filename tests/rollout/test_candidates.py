"""Of several candidates one is moved to: the one that is named, on its own GO."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.composing import composed
from tests.endpoints.servers import raw_server
from tests.gates.test_stage import Kept
from tests.shadow.recorded import Candidate, conversation, record, run
from zantara_exp.config import Config
from zantara_exp.config.candidates import of_candidate
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context
from zantara_exp.gates.stage import gate
from zantara_exp.rollout.stage import rollout
from zantara_exp.rollout.store import file_store


def configured(*overrides: str) -> Config:
    """With a gate that little shows."""
    config = composed(*overrides)
    config.gate.criteria = {"success": Criterion(metric="success", kind="proportion", go=Threshold(above=0.02))}
    config.gate.min_days, config.gate.time_block, config.gate.sample_ratio_alpha = 0, "none", 0.0
    config.gate.segments.language = []
    return config


def told(one: str, two: str) -> list[str]:
    first = ["endpoint=openai", f"endpoint.base_url={one}", "endpoint.model=m", "endpoint.stream=false"]
    return [*first, f"+endpoints.v2={{use: openai, base_url: '{two}', model: n, stream: false}}"]


def test_a_start_names_the_candidate_and_moves_to_that_version(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    record([conversation(number, "Ciao", "Ciao!") for number in range(20)], train_users=["u-9"])
    with raw_server(Candidate()) as one, raw_server(Candidate("Altro")) as two:
        words = told(one, two)
        run(*words)
    config = configured("stage=gate", *words)
    found = gate(config, Context(config, Kept(), Path(".")))
    assert (found.status, found.tags["verdict"]) == (0, "GO")
    moves = ["stage=rollout", "rollout.action=start", "rollout.probe.enabled=false", "rollout.reason=tried"]
    with pytest.raises(ConfigError, match="name which of openai, v2 is moved to"):
        composed(*moves, *words)
    config = of_candidate(configured(*moves, "rollout.candidate=v2", *words), "v2")
    layout = Layout(config)
    layout.verdict.rename(aside := layout.verdict.with_suffix(".aside"))
    with pytest.raises(ZantaraError, match=r"no verdict\.json"):  # that of another candidate opens nothing
        rollout(config, Context(config, Kept(), Path(".")))
    aside.rename(layout.verdict)
    rollout(config, Context(config, Kept(), Path(".")))
    assert file_store(layout).read().epoch == found.parts["v2"].tags["epoch"]
