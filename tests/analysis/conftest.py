from __future__ import annotations

import copy
from pathlib import Path

import pytest

from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout


@pytest.fixture(scope="session")
def defaults() -> Config:
    return compose([])


@pytest.fixture
def config(defaults: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The defaults of conf/, in an empty working directory."""
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    return copy.deepcopy(defaults)


@pytest.fixture
def layout(config: Config) -> Layout:
    return Layout(config)
