"""The command itself: it listens, forwards, and ends on SIGTERM with its comparisons written."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.dataset.conftest import open_folder
from tests.endpoints.servers import raw_server
from tests.gateway.test_app import post
from tests.gateway.test_routing import ask
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.rollout.authority import serving_epoch
from zantara_exp.rollout.served_store import read_served
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import open_store

pytestmark = pytest.mark.usefixtures("workdir")

ROOT = Path(__file__).resolve().parents[2]


def command(primary: str, candidate: str, *overrides: str) -> list[str]:
    settings = ["stage=serve", "shadow=live", "shadow.traffic_percent=100", "endpoint=openai", "endpoint.model=m"]
    settings += ["endpoint.stream=false", f"endpoint.base_url={candidate}", f"gateway.anthropic_url={primary}"]
    return [sys.executable, "-m", "zantara_exp", *settings, *overrides]


@contextmanager
def serving(primary: str, candidate: str, *overrides: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it says; killed if the test leaves it running."""
    settings = command(primary, candidate, "gateway.port=0", *overrides)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(settings, env=environment, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        try:
            yield (
                gateway,
                next(line for line in gateway.stdout if line.startswith("gateway on ")).split()[2].rstrip(":"),
            )
        finally:
            gateway.kill()


def test_it_takes_requests_once_it_says_where_and_drains_when_it_is_told_to_end() -> None:
    primary, asked = Primary(pause=1.5), []
    with (
        primary_at(primary) as url,
        raw_server(Candidate()) as candidate,
        serving(url, candidate, "gateway.lame_duck_seconds=0") as (gateway, address),
    ):
        assert httpx.get(f"{address}/readyz").status_code == 200
        asking = threading.Thread(target=lambda: asked.append(post(address)))
        asking.start()
        wait_for(lambda: len(primary.bodies) == 1)
        gateway.send_signal(signal.SIGTERM)
        asking.join(60)
        assert gateway.stdout is not None
        said = gateway.stdout.read()
        assert gateway.wait(60) == 0
    assert asked[0].content == primary.sent[0]
    assert '"path":"/v1/messages"' in said
    assert "next: python -m zantara_exp stage=report" in said
    assert "warning: ZANTARA_HASH_KEY is not set: users are hashed with the key in" in said
    assert len(logged()) == 1


def test_clients_are_kept_and_balancers_told_before_it_ends() -> None:
    with (
        primary_at(Primary()) as url,
        raw_server(Candidate()) as candidate,
        serving(url, candidate, "gateway.lame_duck_seconds=3") as (gateway, address),
        httpx.Client(timeout=60, limits=httpx.Limits(keepalive_expiry=60)) as client,
    ):
        assert client.get(f"{address}/readyz").status_code == 200
        (connection,) = client._transport._pool.connections  # type: ignore[attr-defined]
        time.sleep(6)  # uvicorn's own default is 5
        assert client.get(f"{address}/healthz").status_code == 200
        assert client._transport._pool.connections == [connection]  # type: ignore[attr-defined]
        gateway.send_signal(signal.SIGTERM)
        wait_for(lambda: client.get(f"{address}/readyz").status_code == 503)
        assert post(address).status_code == 200
        assert gateway.wait(60) == 0
    assert len(logged()) == 1


def test_a_dead_reader_of_its_output_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        primary_at(Primary()) as url,
        raw_server(Candidate()) as candidate,
        serving(url, candidate, "gateway.lame_duck_seconds=0") as (gateway, address),
    ):
        assert gateway.stdout is not None
        gateway.stdout.close()
        for _ in range(3):
            assert post(address).status_code == 200
            time.sleep(0.4)
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(60) == 0
    assert len(logged()) == 3
    assert "Error" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.interpreter
def test_it_is_ready_before_mlflow_is_imported_and_recorded_once_it_has_ended(workdir: Path) -> None:
    settings = command("http://127.0.0.1:1", "http://127.0.0.1:1/v1", "gateway.port=0", "gateway.lame_duck_seconds=0")
    imports = workdir / "imports.txt"
    with imports.open("w") as log, subprocess.Popen(
        [settings[0], "-X", "importtime", *settings[1:]], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=log, text=True,
    ) as gateway:  # fmt: skip
        assert gateway.stdout is not None
        next(line for line in gateway.stdout if line.startswith("gateway on "))
        imported = {line.rpartition("|")[2].strip() for line in imports.read_text().splitlines()}
        gateway.send_signal(signal.SIGTERM)
        said = gateway.stdout.read()
        assert gateway.wait(60) == 0
    assert "zantara_exp.gateway.app" in imported
    assert not {"mlflow", "pandas", "torch", "scipy", "duckdb"} & imported
    assert said.index("next: python -m zantara_exp stage=report") < said.index("recorded in MLflow as run ")


@pytest.mark.slow
def test_what_outlasts_the_drain_is_refused_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    came, asked = threading.Event(), []

    async def hung(request: bytes, writer: asyncio.StreamWriter) -> None:
        came.set()
        await asyncio.sleep(3600)

    with (
        raw_server(hung) as url,
        raw_server(Candidate()) as candidate,
        serving(url.removesuffix("/v1"), candidate, "gateway.drain_seconds=0.1") as (gateway, address),
    ):
        asking = threading.Thread(target=lambda: asked.append(post(address).status_code))
        asking.start()
        assert came.wait(60)
        gateway.send_signal(signal.SIGTERM)
        asking.join(60)
        assert gateway.wait(60) == 0
    assert asked == [503]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_two_processes_share_a_rollout_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = ("rollout.state=postgres", "shadow.traffic_percent=0")
    with open_folder() as place, embedded.server(place) as server, primary_at(Primary()) as url:
        server.create_database("rollout")
        monkeypatch.setenv("ROLLOUT_DATABASE_URL", server.conninfo("rollout"))
        with (
            raw_server(Candidate("Ciao dal candidato!")) as candidate,
            serving(url, candidate, *shared) as (_, first),
            serving(url, candidate, *shared) as (_, second),
        ):
            config = compose([*command(url, candidate, *shared)[3:]])
            epoch = serving_epoch(config, Layout(config))
            with closing(open_store(config.rollout, Layout(config))) as store:
                running = State(RUNNING, 0, 50.0, epoch, "g1", "2025-11-02", since=datetime.now(UTC))
                store.swap(State(), running)
                for address in (first, second):
                    wait_for(lambda at=address: "zantara_rollout_share_percent 50" in httpx.get(f"{at}/metrics").text)
                moved = {address: {user for user in range(20) if _moved(address, user)} for address in (first, second)}
                assert 0 < len(moved[first]) < 20
                assert moved[first] == moved[second]
                store.swap(store.read(), State())
                for address in (first, second):
                    wait_for(lambda at=address: "zantara_rollout_share_percent 0" in httpx.get(f"{at}/metrics").text)
                    assert not any(_moved(address, user) for user in moved[first])
        wait_for(lambda: len(list(read_served(config, Layout(config), datetime(2025, 1, 1, tzinfo=UTC)))) == 40)


def _moved(address: str, user: int) -> bool:
    return "x-zantara-answered-by" in ask(address, f"user-{user}").headers


@pytest.mark.slow
def test_the_trained_model_is_served_to_users_once_a_rollout_starts(tiny_model: Path) -> None:
    shutil.copytree(tiny_model, "models/zantara-tiny")
    local = ("endpoint=local", "endpoint.max_tokens=8")
    with primary_at(Primary()) as url, serving(url, "http://127.0.0.1:9/v1", *local) as (gateway, address):
        assert not _moved(address, 1)
        config = compose(["stage=serve", "shadow=live", *local])
        with closing(open_store(config.rollout, Layout(config))) as store:
            epoch = serving_epoch(config, Layout(config))
            store.swap(State(), State(RUNNING, 0, 100.0, epoch, "g1", "2025-11-02", since=datetime.now(UTC)))
        wait_for(lambda: _moved(address, 1), 120)
        gateway.send_signal(signal.SIGTERM)
        assert gateway.stdout is not None
        assert "1 answered by the candidate, " in gateway.stdout.read()
        assert gateway.wait(60) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "gateway.example.org"])
def test_other_machines_need_a_token_or_a_word_that_they_need_none(host: str) -> None:
    with pytest.raises(ConfigError, match="gateway.host.*reached by other machines"):
        compose([f"gateway.host='{host}'"])
    for allowed in ("gateway.token_env=GATEWAY_TOKEN", "gateway.without_token=true"):
        assert compose([f"gateway.host='{host}'", allowed]).gateway.host == host


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run_overrides(command("http://127.0.0.1:1", "http://127.0.0.1:1/v1", f"gateway.port={port}")[3:]) == 1
    assert f"gateway.port={port}: address already in use" in capsys.readouterr().err
