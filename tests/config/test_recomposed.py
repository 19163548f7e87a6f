"""What tests/recomposed.py keeps is what Hydra composes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recomposed
from zantara_exp.config import Config, compose
from zantara_exp.core.errors import ConfigError


def outcome(overrides: list[str], folder: str | None) -> Config | str:
    try:
        return compose(overrides, folder)
    except ConfigError as refused:
        return str(refused)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["gate=week1", "endpoint.max_tokens=16", "~gate.criteria.quality"],
        ["stage=shadow", "experiment=ours", "seed=3"],
        ["model=llama8b", "++gate.criteria.success.where={category:[casual]}"],
        ["model=tiy"],
        ["trainer.learning_rat=1"],
    ],
)
def test_what_is_kept_is_what_hydra_composes(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "experiment" / "ours.yaml"
    ours.parent.mkdir()
    found = []
    for days in (7, 9):  # a changed file is seen
        ours.write_text(f"# @package _global_\ndefaults: [{{override /gate: week2}}]\nsource: {{days: {days}}}\n")
        kept = [outcome(overrides, str(tmp_path)) for _ in range(2)]
        with monkeypatch.context() as patched:
            recomposed.lift(patched)
            hydras = outcome(overrides, str(tmp_path))
        assert kept == [hydras, hydras]
        assert kept[0] is not kept[1]
        found.append(hydras)
    assert (found[0] != found[1]) == ("experiment=ours" in overrides)


def test_a_config_that_is_changed_is_ones_own() -> None:
    compose().gate.criteria.clear()
    assert compose().gate.criteria
