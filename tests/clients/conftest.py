from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("tests.clients.ways")

if TYPE_CHECKING:
    from tests.clients.ways import Ways


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """Straight to the stub, through the gateway, and as users who are moved."""
    from tests.clients.ways import three_ways

    with three_ways(tmp_path_factory.mktemp("ways")) as found:
        yield found
