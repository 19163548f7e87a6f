"""Every YAML in conf/ composes, opens with a comment on what it is, and holds only keys that code reads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from zantara_exp.config import CONF, Config, compose
from zantara_exp.config.fields import doc_of
from zantara_exp.core.errors import ConfigError

GROUP_FILES = sorted(path for path in CONF.glob("*/*.yaml"))


COMPANIONS = {
    "model=local": ["model.base=models/base"],
    "trainer=unsloth": ["model=llama8b"],
    "rollout=judged": ["primary.endpoint=anthropic"],
}
"""What an option cannot do without, as its header says."""


@pytest.mark.parametrize("option", [f"{path.parent.name}={path.stem}" for path in GROUP_FILES])
def test_every_option_composes(option: str) -> None:
    assert isinstance(compose([option, *COMPANIONS.get(option, [])]), Config)


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONF)))
def test_every_file_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


def _nodes(node: type) -> list[type]:
    found = [node]
    for annotation in get_type_hints(node).values():
        for part in (annotation, *get_args(annotation)):
            if is_dataclass(part) and isinstance(part, type):
                found += _nodes(part)
    return found


def test_every_field_is_documented() -> None:
    missing = [f"{node.__name__}.{f.name}" for node in _nodes(Config) for f in fields(node) if not doc_of(f)]
    assert missing == []


def test_every_key_is_read_by_code() -> None:
    package = Path(CONF).parent / "zantara_exp"
    # config/candidates.py is no schema: it makes a config of each candidate.
    files = [p for p in package.rglob("*.py") if p.parent.name != "config" or p.name == "candidates.py"]
    code = "\n".join(p.read_text() for p in files)
    rules = "\n".join("\n".join(re.findall(r"self\.\w+", p.read_text())) for p in (package / "config").glob("*.py"))
    # A threshold's bounds are read all at once, by `Threshold.given`; so are a table's columns, by `find_table`.
    # The language of a report is read by conf/report.
    rules += " .above .below .at_least .at_most .rating .report_language"
    unread = [
        f"{node.__name__}.{f.name}"
        for node in _nodes(Config)
        for f in fields(node)
        if not re.search(rf"\.{f.name}\b", code) and not re.search(rf"\.{f.name}\b", rules)
    ]
    assert unread == []


def test_threads_compose_at_once_and_an_apps_own_hydra_is_left_as_it_is() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"), ThreadPoolExecutor(4) as threads:
        before = GlobalHydra.instance().hydra
        found = list(threads.map(lambda seed: compose([f"seed={seed}"]).seed, range(8)))
        assert GlobalHydra.instance().hydra is before
        with pytest.raises(ConfigError):
            compose(["seed=none"])
        assert GlobalHydra.instance().hydra is before
    assert found == list(range(8))
