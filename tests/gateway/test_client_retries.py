"""A client's retries: one request to the mirror and to the served log, whatever number of attempts it took."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.endpoints.servers import raw_server, response
from tests.gateway.support import gateway_at
from tests.shadow.primary import anthropic_whole
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged
from tests.shadow.waiting import wait_for
from zantara_exp.gateway import client_retries
from zantara_exp.gateway.app import Gateway

pytestmark = pytest.mark.usefixtures("workdir")
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Ciao"}]}
OVERLOADED = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode()


class Busy:
    """Overloaded for the first `failures` calls, with these headers."""

    def __init__(self, failures: int, headers: str = "") -> None:
        self.left, self.headers = failures, headers

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.left -= 1
        if self.left >= 0:
            writer.write(response(OVERLOADED, "529 Overloaded", headers=self.headers))
        else:
            writer.write(response(json.dumps(anthropic_whole(False)).encode()))


@pytest.fixture
def candidate() -> Candidate:
    return Candidate()


@pytest.fixture
def served(candidate: Candidate, busy: Busy) -> Iterator[tuple[str, Gateway]]:
    with (
        raw_server(busy) as url,
        raw_server(candidate) as answers,
        gateway_at(url.removesuffix("/v1"), answers) as found,
    ):
        yield found


def ask(gate: str, user: str = "u1", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{gate}/v1/messages", json=BODY, headers={"x-zantara-user": user, **named}).status_code


@pytest.mark.parametrize("busy", [Busy(2)])
def test_the_official_clients_retries_are_one_request(served: tuple[str, Gateway], candidate: Candidate) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the official client is not installed")
    with anthropic.Anthropic(base_url=served[0], api_key="k") as client:
        client.messages.create(**BODY, metadata={"user_id": "u1"})
    wait_for(lambda: len(logged()) == 1)
    (row,) = logged()
    assert (row.attempt, row.primary.error, candidate.calls) == (3, None, 1)
    assert row.primary.latency_ms is not None
    assert row.primary.latency_ms > 400  # what the client waited between its attempts is waited by the user
    assert served[1].metrics.unmirrored == {"attempt": 2}
    assert served[1].mirror.stats.sampled == 1


@pytest.mark.parametrize("busy", [Busy(1)])
def test_attempts_with_one_key_are_one_request_and_other_users_are_others(served: tuple[str, Gateway]) -> None:
    assert ask(served[0], idempotency_key="k1") == 529
    assert ask(served[0], "u2", idempotency_key="k1") == 200
    assert ask(served[0], idempotency_key="k1") == 200
    wait_for(lambda: len(logged()) == 2)
    assert sorted((row.attempt, row.primary.error) for row in logged()) == [(1, None), (2, None)]


@pytest.mark.parametrize("busy", [Busy(9)])
def test_the_last_failed_attempt_is_noted_when_no_other_comes(
    served: tuple[str, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_retries, "_PATIENCE_SECONDS", 2.0)
    for attempt in ("0", "1"):
        assert ask(served[0], x_stainless_retry_count=attempt) == 529
    wait_for(lambda: len(logged()) == 1)
    assert [(row.attempt, row.primary.error) for row in logged()] == [(2, "overloaded")]
    assert (
        ask(served[0], x_stainless_retry_count="2") == 529
    )  # too late, or at another replica: told apart by its number
    wait_for(lambda: len(logged()) == 2)
    assert logged()[1].attempt == 3


@pytest.mark.parametrize("busy", [Busy(9, "x-should-retry: false\r\n")])
def test_nobody_waits_for_an_attempt_that_will_not_come(served: tuple[str, Gateway]) -> None:
    assert ask(served[0], x_stainless_retry_count="0") == 529
    assert ask(served[0]) == 529  # a client that does not number its attempts
    wait_for(lambda: len(logged()) == 2)
    assert {row.attempt for row in logged()} == {1}


def test_what_still_waits_at_the_end_is_not_lost(candidate: Candidate) -> None:
    with (
        raw_server(Busy(9)) as url,
        raw_server(candidate) as answers,
        gateway_at(url.removesuffix("/v1"), answers, "shadow.drain_seconds=120") as (gate, _),
    ):
        assert ask(gate, x_stainless_retry_count="0") == 529
    assert [row.primary.error for row in logged()] == ["overloaded"]
