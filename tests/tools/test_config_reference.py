"""The config reference names every key, and is what the schema says now."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import zantara_exp
from tools.config_reference import reference
from zantara_exp.config import Config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "config.md"


def test_the_page_is_what_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run scripts/reference"


def test_nested_keys_and_their_limits_are_there() -> None:
    rows = {line.split(" | ")[0].strip("|` "): line for line in reference().splitlines() if line.startswith("| `")}
    assert "above 0" in rows["learning_rate"]
    assert rows["breaker.failures"].split(" | ")[1] == "`5`"
    assert "criteria.NAME.go.above" in rows
    assert "one of " in rows["criteria.NAME.kind"]


READ_BY_NAME = {"rating", "above", "report_language"}
"""Columns and thresholds are read as a set of fields, `domain.report_language` by conf/report; what each does is tested
where it is used."""


def keys_of(node: Any) -> Iterator[str]:
    hints = get_type_hints(node)
    for field in fields(node):
        yield field.name
        for inner in (hints[field.name], *get_args(hints[field.name])):
            if is_dataclass(inner):
                yield from keys_of(inner)


def test_no_key_is_there_that_nobody_reads() -> None:
    package = Path(zantara_exp.__file__).parent
    trees = [ast.parse(path.read_text()) for path in package.rglob("*.py")]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(keys_of(Config)) - read == READ_BY_NAME
