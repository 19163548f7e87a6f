"""The command itself: it listens, forwards, and ends on SIGTERM with its comparisons written."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_gateway import post
from tests.shadow.test_mirror import logged, wait_for

pytestmark = pytest.mark.usefixtures("workdir")

ROOT = Path(__file__).resolve().parents[2]


def command(primary: str, candidate: str, *overrides: str) -> list[str]:
    settings = ["stage=serve", "shadow=live", "shadow.traffic_percent=100", "endpoint=openai", "endpoint.model=m"]
    settings += ["endpoint.stream=false", f"endpoint.base_url={candidate}", f"gateway.anthropic_url={primary}"]
    return [sys.executable, "-m", "zantara_exp", *settings, *overrides]


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def test_it_serves_until_it_is_told_to_end() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with primary_at(Primary()) as primary, raw_server(Candidate()) as candidate, \
            subprocess.Popen(
                command(primary, candidate, "gateway.port=0"), env=environment, stdout=subprocess.PIPE, text=True
            ) as gateway:  # fmt: skip
        assert gateway.stdout is not None
        address = next(line for line in gateway.stdout if line.startswith("gateway on ")).split()[2].rstrip(":")
        wait_for(lambda: _ready(address))
        assert post(address).status_code == 200
        gateway.send_signal(signal.SIGTERM)
        said = gateway.stdout.read()
        assert gateway.wait(30) == 0
    assert '"path":"/v1/messages"' in said
    assert "next: python -m zantara_exp stage=report" in said
    assert len(logged()) == 1


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = subprocess.run(
            command("http://127.0.0.1:1", "http://127.0.0.1:1/v1", f"gateway.port={port}"),
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert found.returncode == 1
    assert f"gateway.port={port}: address already in use" in found.stderr
    assert "Traceback" not in found.stderr
