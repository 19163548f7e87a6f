"""What a stage's code is, which config it reads, and what is private to an area, follow from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import zantara_exp
from zantara_exp.config import Config
from zantara_exp.core import source_code
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage_table import STAGES

REUSABLE = sorted(name for name, spec in STAGES.items() if spec.outputs(Layout(Config())))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of four modules, of which `area.stage` needs two."""
    root = tmp_path / "zantara_exp"
    (root / "area").mkdir(parents=True)
    (root / "area" / "__init__.py").write_text("")
    (root / "area" / "stage.py").write_text("def run():\n    from zantara_exp.shared import value\n")
    (root / "area" / "page.html").write_text("<p>")
    (root / "shared.py").write_text("value = 1\n")
    (root / "other.py").write_text("value = 1\n")
    monkeypatch.setattr(source_code, "_PACKAGE", root)
    return root


@pytest.mark.parametrize(
    ("changed", "differs"),
    [("area/stage.py", True), ("shared.py", True), ("area/page.html", True), ("other.py", False)],
)
def test_the_digest_follows_imports(package: Path, changed: str, differs: bool) -> None:
    before = source_code.code_digest("area.stage")
    (package / changed).write_text((package / changed).read_text() + "\n")
    assert (source_code.code_digest("area.stage") != before) == differs


def test_sources_reach_into_other_rooms() -> None:
    names = {
        str(path.relative_to(Path(zantara_exp.__file__).parent)) for path in source_code.sources_of("shadow.stage")
    }
    assert {"shadow/stage.py", "shadow/log.py", "dataset/splits.py", "endpoints/local.py"} <= names
    assert not [name for name in names if name.startswith(("gates/", "training/", "tracking/", "config/"))]


SHOWN = {
    "train": {"cost", "publish"},
    "evaluate": {"cost", "stage"},
    "extract": {"engine"},
    "prepare": {"engine"},
}
"""What no outcome depends on: another price of a GPU hour trains no other model, both engines write the same bytes, a
threshold or a hint that is shown changes nothing."""


def read_of_config(path: Path) -> Iterator[str]:
    """Names of the config's groups that a file reads as `config.<group>`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and "config" in (
            getattr(node.value, "id", ""),
            getattr(node.value, "attr", ""),
        ):
            yield node.attr


@pytest.mark.parametrize("name", REUSABLE)
def test_a_reusable_stage_declares_every_group_that_it_reads(name: str) -> None:
    """A group read but not declared would let a changed value reuse the old outcome."""
    groups = {field.name for field in fields(Config)}
    # Where files lie is part of the record's name and of the hashed inputs.
    sources = [path for path in source_code.sources_of(STAGES[name].module) if path.name != "layout.py"]
    read = {group for path in sources for group in read_of_config(path)} & groups
    assert read - {"paths", "tracking", "force"} - SHOWN.get(name, set()) <= set(STAGES[name].groups)


ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"(zantara_exp(?:\.\w+)*)(?: import (\([^)]*\)|[^\n;]*))?")
"""Imports, and names in programs and commands that are kept as text."""


def foreign_names(place: str, text: str) -> list[str]:
    """Private modules and names (`_x`) that a file names and that are not its own folder's, or its own."""
    found = []
    for match in NAMED.finditer(text):
        imported = [name.split()[0] for name in (match[2] or "").strip("()").split(",") if name.strip()]
        for name in imported or [""]:
            parts = [*match[1].split("."), name]
            private = next((at for at, part in enumerate(parts) if re.match(r"_[a-z]", part, re.IGNORECASE)), None)
            if private and not f"{place.removesuffix('.py')}/".startswith("/".join(parts[:private]) + "/"):
                found.append(".".join(parts).rstrip("."))
    return found


@pytest.mark.parametrize("folder", ["zantara_exp", "tools", "scripts", "examples"])
def test_what_is_private_is_used_in_its_own_folder_only(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in (".py", "")]
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    assert found
    wrong = {place: names for place, text in found.items() if (names := foreign_names(place, text))}
    assert not wrong, "give it a public name, or move it to where it is used"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("from zantara_exp.shadow._app_side import Stats", ["zantara_exp.shadow._app_side.Stats"]),
        ("from zantara_exp.tracking import open_run, _store as s", ["zantara_exp.tracking._store"]),
        ("from zantara_exp.shadow.log import (\n    Spool,\n    _day,\n)", ["zantara_exp.shadow.log._day"]),
        ("import zantara_exp.config._yaml_safety", ["zantara_exp.config._yaml_safety"]),
        ('["-m", "zantara_exp.shadow._worker"]', ["zantara_exp.shadow._worker"]),
        ("from zantara_exp.gates import _paths\nfrom zantara_exp.gates.rules import Rule", []),
        ("from zantara_exp import __version__", []),
    ],
)
def test_what_is_private_is_seen(text: str, named: list[str]) -> None:
    assert foreign_names("zantara_exp/gates/judge.py", text) == named
