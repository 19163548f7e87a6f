from __future__ import annotations

import copy
from pathlib import Path

import pytest

from zantara_exp.config import Config, compose
from zantara_exp.config.decision import Checks
from zantara_exp.core.layout import Layout


@pytest.fixture(scope="session")
def defaults() -> Config:
    return compose([])


@pytest.fixture
def config(defaults: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    made = copy.deepcopy(defaults)
    made.review.checks = Checks(identical=0, worse=0)
    return made


@pytest.fixture
def layout(config: Config) -> Layout:
    return Layout(config)
