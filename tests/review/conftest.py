from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from zantara_exp.config import Config, compose
from zantara_exp.config.decision import Checks
from zantara_exp.core.layout import Layout
from zantara_exp.review.sample import Sample, blinded


@pytest.fixture(scope="session")
def defaults() -> Config:
    return compose([])


@pytest.fixture
def config(defaults: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    made = copy.deepcopy(defaults)
    made.review.size = 20
    made.review.checks = Checks(identical=0, worse=0)  # tests of their own ask for some
    return made


@pytest.fixture
def layout(config: Config) -> Layout:
    return Layout(config)


@pytest.fixture
def sample() -> Sample:
    """Three pairs; the second holds markup, the third a chat before it."""
    earlier = [{"role": "system", "content": "Be warm."}, {"role": "user", "content": "<i>prima</i>"}]
    texts = [("ciao", "salve"), ("<script>alert(1)</script>", "<b>bold</b>"), ("uno", "due")]
    rows = [
        {
            "comparison_id": f"c{number}",
            "language": "it",
            "category": "casual",
            "query": f"domanda {number}",
            "messages": json.dumps(earlier[:number] + [{"role": "user", "content": "?"}]) if number else None,
            "primary_response": primary,
            "candidate_response": candidate,
        }
        for number, (primary, candidate) in enumerate(texts)
    ]
    return Sample("e1", "2025-11-03", 7, 3, blinded(rows, 7))
