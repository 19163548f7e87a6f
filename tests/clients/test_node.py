"""Clients of Node, straight to a stub of their APIs and through the gateway. `scripts/extras node` runs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients import table
from tests.clients.node_calls import FOLDER, MISSING, Node, node
from tests.clients.ways import Ways

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason=MISSING),
]


@pytest.fixture(scope="module")
def driven() -> Iterator[Node]:
    with node() as found:
        yield found


@pytest.mark.parametrize("client", ["@anthropic-ai/sdk", "openai (Node)", "ai"])
def test_a_client_gets_the_same_as_directly(client: str, driven: Node, ways: Ways) -> None:
    wrong = []
    for call in (driven.call(name, what) for name, what in driven.names if name == client):
        try:
            ways.try_out(call)
        except AssertionError as error:
            wrong.append(f"{call.name}: {error}")
    assert wrong == []


def test_the_page_shows_what_was_found(driven: Node, ways: Ways) -> None:
    table.compare("node", ways.rows, whole=len(ways.rows) == len(driven.names))
