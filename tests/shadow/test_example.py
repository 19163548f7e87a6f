"""The example app with a candidate that answers, is killed, hangs and comes back."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints.servers import address_of, closed_port, raw_server
from tests.shadow.primary import TOKENS, Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged
from tests.shadow.waiting import wait_for

pytestmark = [
    pytest.mark.usefixtures("workdir"),
    pytest.mark.skipif(not importlib.util.find_spec("anthropic"), reason="the official client is not installed"),
]

COOLDOWN_SECONDS = 0.5
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "route_chat.py"


def example() -> Any:
    spec = importlib.util.spec_from_file_location("route_chat", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(candidate: str) -> list[str]:
    return ["shadow=live", "shadow.traffic_percent=100", "endpoint=openai", f"endpoint.base_url={candidate}",
            "endpoint.model=m", "endpoint.stream=false"]  # fmt: skip


@pytest.mark.slow
def test_the_user_notices_nothing_of_the_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    primary, candidate = Primary(), Candidate()

    async def talk(app: Any, first: int, count: int) -> None:
        for number in range(first, first + count):
            answer = await app.route_chat("Ciao, come stai?", f"user-{number}", memory_context="Likes surfing.")
            assert answer == "".join(TOKENS)

    async def day(app: Any, port: socket.socket) -> None:
        await talk(app, 0, 10)  # nobody listens at the candidate's address
        await asyncio.to_thread(wait_for, lambda: len(logged()) == 10)
        with raw_server(candidate, port):
            await asyncio.sleep(COOLDOWN_SECONDS)
            await talk(app, 100, 10)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 20)
            candidate.holding = True
            await talk(app, 200, 8)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 28)
            candidate.holding = False
            await asyncio.sleep(COOLDOWN_SECONDS)
            await talk(app, 300, 10)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 38)
        await app.close()

    with primary_at(primary) as url, closed_port() as port:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
        patience = [f"endpoint.breaker.cooldown_seconds={COOLDOWN_SECONDS}", "endpoint.breaker.failures=2"]
        patience += ["endpoint.timeout_seconds=2", "endpoint.concurrency=1", "shadow.drain_seconds=120"]
        app = example().ChatApp(*settings(address_of(port)), *patience)
        asyncio.run(day(app, port))
    errors = [row.candidate.error for row in logged()]
    assert errors[:3] == ["refused", "refused", "breaker_open"]
    assert set(errors[3:10]) <= {"refused", "breaker_open"}  # a probe now and then, as slowly as the machine goes
    assert errors[10:20] == [None] * 10
    assert errors[20:23] == ["timeout", "timeout", "breaker_open"]
    assert set(errors[23:28]) <= {"timeout", "breaker_open"}
    assert errors[28:] == [None] * 10
    assert logged()[0].messages[0]["content"].endswith("Likes surfing.")
    assert {row.primary.usage.output for row in logged()} == {5}


def test_it_runs_as_its_first_lines_say() -> None:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1]), "ANTHROPIC_API_KEY": "none"}
    with primary_at(Primary()) as url, raw_server(Candidate()) as candidate:
        found = subprocess.run(
            [sys.executable, str(EXAMPLE), *settings(candidate)],
            input="Ciao, come stai?\nGrazie!\n\n", capture_output=True, text=True, timeout=300,
            env={**environment, "ANTHROPIC_BASE_URL": url},
        )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        f"ZANTARA: {''.join(TOKENS)}", f"ZANTARA: {''.join(TOKENS)}",
        "observed 2, sampled 2, compared 2, lost {}",
    ]  # fmt: skip
    assert sorted(len(row.messages) for row in logged()) == [2, 4]
