"""Against RunPod's own worker SDK, on loopback. `scripts/extras runpod` installs it and runs these tests."""

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import address_of, closed_port
from zantara_exp.config.decision import Cost
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.build import guarded, option

WORKER = Path(__file__).with_name("runpod_worker.py")
KEY = "s3cret"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The address of the endpoint."""
    if importlib.util.find_spec("runpod") is None:
        pytest.skip("RunPod's SDK is not installed here; next: scripts/extras runpod")
    with subprocess.Popen([sys.executable, str(WORKER)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            port = next(line.split()[1] for line in worker.stdout if line.startswith("port "))
            yield f"http://127.0.0.1:{port}/v2/local"
        finally:
            worker.kill()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)


def ask(service: str, text: str, timeout_seconds: float = 60.0) -> Answer:
    async def go() -> Answer:
        config = option("runpod")
        config.base_url, config.timeout_seconds, config.poll_seconds = service, timeout_seconds, 0.02
        endpoint = guarded(config, cost=Cost())
        try:
            return await endpoint.chat([{"role": "user", "content": text}])
        finally:
            await endpoint.close()

    return asyncio.run(go())


@pytest.mark.parametrize("text", ["ciao", "tokens", "queue"])
def test_it_answers_in_both_shapes_and_from_the_queue(service: str, text: str) -> None:
    answer = ask(service, text)
    assert (answer.text, answer.error) == ("Ciao!", None)
    assert (answer.usage.read, answer.usage.output) == (9, 2)
    assert (answer.provider, answer.model) == ("runpod", "balizero/zantara-llama-3.1-8b-v2")
    assert answer.billed.basis == "EUR 3.78 a month over 30000 requests"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fail", Reason.SERVER_ERROR),  # HTTP 200 with status FAILED
        ("error", Reason.SERVER_ERROR),
        ("nothing", Reason.EMPTY_ANSWER),
        ("expire", Reason.TIMEOUT),
    ],
)
def test_its_failures_are_typed(service: str, text: str, reason: Reason) -> None:
    answer = ask(service, text)
    assert (answer.error, answer.text) == (reason, "")
    assert "CUDA" not in (answer.detail or "")  # a worker's words may quote the chat


def test_a_job_that_is_late_is_cancelled(service: str) -> None:
    assert ask(service, "hang", timeout_seconds=3.0).error is Reason.TIMEOUT
    host = service.removesuffix("/v2/local")
    found = httpx.get(f"{host}/cancelled", headers={"authorization": f"Bearer {KEY}"}, trust_env=False)
    assert len(found.json()) == 1


def test_a_wrong_key_and_an_endpoint_that_is_away(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "wrong")
    assert ask(service, "ciao").error is Reason.UNAUTHORIZED
    with closed_port() as port:
        assert ask(address_of(port), "ciao").error is Reason.REFUSED


def test_the_address_may_end_in_runsync(service: str) -> None:
    assert ask(f"{service}/runsync", "ciao").text == "Ciao!"
