"""The example app with a candidate that answers, is killed, hangs and comes back."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints.servers import raw_server
from tests.shadow.primary import TOKENS, Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for

pytest.importorskip("anthropic", reason="the official client is not installed")
pytestmark = pytest.mark.usefixtures("workdir")

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


class Moody(Candidate):
    """A candidate that can be told to hang."""

    hanging = False

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        if self.hanging:
            self.calls += 1
            await asyncio.sleep(30)
        else:
            await super().__call__(request, writer)


def test_the_user_notices_nothing_of_the_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    primary, moody = Primary(), Moody()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def talk(app: Any, first: int, count: int) -> None:
        for number in range(first, first + count):
            began = time.perf_counter()
            answer = await app.route_chat("Ciao, come stai?", f"user-{number}", memory_context="Likes surfing.")
            assert answer == "".join(TOKENS)
            assert time.perf_counter() - began < 1.0

    async def day(app: Any) -> None:
        await talk(app, 0, 10)  # nobody listens at the candidate's address
        await asyncio.to_thread(wait_for, lambda: len(logged()) == 10)
        with raw_server(moody, port):
            await asyncio.sleep(0.6)  # the breaker cools down
            await talk(app, 100, 10)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 20)
            moody.hanging = True
            await talk(app, 200, 8)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 28)
            moody.hanging = False
            await asyncio.sleep(0.6)
            await talk(app, 300, 10)
            await asyncio.to_thread(wait_for, lambda: len(logged()) == 38)
        await app.close()

    with primary_at(primary) as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
        patience = ["endpoint.timeout_seconds=0.3", "endpoint.breaker.cooldown_seconds=0.5", "endpoint.concurrency=1"]
        app = example().ChatApp(*settings(f"http://127.0.0.1:{port}/v1"), *patience)
        asyncio.run(day(app))
    errors = [row.candidate.error for row in logged()]
    assert Counter(errors[:10]) == {"refused": 5, "breaker_open": 5}
    assert errors[10:20] == [None] * 10
    assert set(errors[20:28]) <= {"timeout", "breaker_open"}
    assert errors[28:] == [None] * 10
    assert logged()[0].messages[0]["content"].endswith("Likes surfing.")
    assert {row.primary.tokens_output for row in logged()} == {5}


def test_it_runs_as_its_first_lines_say() -> None:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1]), "ANTHROPIC_API_KEY": "none"}
    with primary_at(Primary()) as url, raw_server(Candidate()) as candidate:
        found = subprocess.run(
            [sys.executable, str(EXAMPLE), *settings(candidate)],
            input="Ciao, come stai?\nGrazie!\n\n", capture_output=True, text=True, timeout=60,
            env={**environment, "ANTHROPIC_BASE_URL": url},
        )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        f"ZANTARA: {''.join(TOKENS)}", f"ZANTARA: {''.join(TOKENS)}",
        "observed 2, sampled 2, compared 2, lost {}",
    ]  # fmt: skip
    assert sorted(len(row.messages) for row in logged()) == [2, 4]
