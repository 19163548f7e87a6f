"""The names that programs import stand at the top, and the documentation uses them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import zantara_exp

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_is_there_and_no_other() -> None:
    for name in zantara_exp.__all__:
        assert getattr(zantara_exp, name) is not None, name
    assert not hasattr(zantara_exp, "Mirror")


def test_the_pages_import_public_names_only_from_the_top() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    told = {
        page.name: re.findall(r"^\s*from zantara_exp import (.*)$", page.read_text(), re.MULTILINE) for page in pages
    }
    named = {name.strip() for lines in told.values() for line in lines for name in line.split("#")[0].split(",")}
    assert named
    assert named <= set(zantara_exp.__all__)
    public = "|".join(name for name in zantara_exp.__all__ if name != "__version__")
    deeper = {
        page.name: re.findall(rf"from zantara_exp\.[\w.]+ import (?:{public})\b", page.read_text()) for page in pages
    }
    assert not [lines for lines in deeper.values() if lines]


@pytest.mark.interpreter
def test_the_import_alone_stays_light() -> None:
    code = "import sys, zantara_exp; print(*sorted(m for m in sys.modules if m.startswith('zantara_exp')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zantara_exp"]
