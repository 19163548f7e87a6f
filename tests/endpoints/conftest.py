from pathlib import Path

import pytest

from tests.endpoints.tiny_model import build_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama."""
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
