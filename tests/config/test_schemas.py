"""The JSON Schemas for editors say what the typed schema says, and every shipped file keeps to its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from omegaconf import OmegaConf

from tools.config_schemas import FOLDER, schemas
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import CONF

FILES = sorted(
    path for path in CONF.rglob("*.yaml") if len(path.relative_to(CONF).parts) > 1 and "hydra" not in path.parts
)


def mistakes(path: Path, content: Any) -> list[str]:
    """By the schema that a file names."""
    named = re.search(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert named is not None, f"{path.name} names no schema"
    found = json.loads((path.parent / named[1]).read_text(encoding="utf-8"))
    return [error.message for error in Draft7Validator(found).iter_errors(content)]


def content(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def test_they_are_those_of_the_schema() -> None:
    """Otherwise: scripts/reference."""
    assert {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == schemas()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_keeps_to_its_own(path: Path) -> None:
    assert mistakes(path, content(path)) == []


def test_what_init_writes_keeps_to_them_too(workdir: Path) -> None:
    assert run_overrides(["init", "ours", "--languages=de,fr"]) == 0
    written = sorted((workdir / "ours").rglob("*.yaml"))
    assert [path.parent.name for path in written if mistakes(path, content(path))] == []
    assert len(written) == 8


@pytest.mark.parametrize(
    ("name", "changed", "says"),
    [
        ("domain/bali.yaml", {"langauges": {}}, "'langauges' was unexpected"),
        ("domain/bali.yaml", {"moves": "greeting"}, "'greeting' is not valid"),
        ("rollout/default.yaml", {"longest_chat": 0}, "0 is not valid"),
        ("engine/duckdb.yaml", {"name": "sqlite"}, "'sqlite' is not valid"),
    ],
)
def test_a_mistake_is_marked(name: str, changed: dict[str, Any], says: str) -> None:
    path = CONF / name
    assert any(says in each for each in mistakes(path, {**content(path), **changed}))
