from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataset.conftest import open_folder
from zantara_exp.dataset import embedded
from zantara_exp.dataset.embedded import Server


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where a module's own PostgreSQL lies; some tests stop it."""
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with embedded.server(place) as running:
        running.create_database("rollout")
        yield running
