"""The official Python clients, straight to a stub of their APIs and through the gateway."""

from __future__ import annotations

import pytest

from tests.clients import table
from tests.clients.clouds import CALLS as CLOUDS
from tests.clients.official import CALLS as OFFICIAL
from tests.clients.ways import Call, Ways

CALLS = [*CLOUDS, *OFFICIAL]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.user)
def test_a_call_is_the_same_as_directly(call: Call, ways: Ways) -> None:
    ways.try_out(call)


def test_the_page_shows_what_was_found(ways: Ways) -> None:
    table.compare("official", ways.rows, whole=len(ways.rows) == len(CALLS))


@pytest.mark.parametrize("part", table.CLIENTS)
def test_the_page_names_the_versions_that_are_installed(part: str) -> None:
    assert table.versions_said(part) == table.versions_locked(part)
