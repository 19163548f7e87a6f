"""LiteLLM and LangChain, straight to a stub of their APIs and through the gateway. `scripts/extras clients` runs it."""

from __future__ import annotations

import pytest

pytest.importorskip("litellm", reason="LiteLLM and LangChain are not installed here; next: scripts/extras clients")

from tests.clients import table  # noqa: E402
from tests.clients.others import CALLS  # noqa: E402
from tests.clients.ways import Call, Ways  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # LiteLLM's own types warn of themselves under today's pydantic


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.user)
def test_a_call_is_the_same_as_directly(call: Call, ways: Ways) -> None:
    ways.try_out(call)


def test_the_page_shows_what_was_found(ways: Ways) -> None:
    table.compare("others", ways.rows, whole=len(ways.rows) == len(CALLS))
