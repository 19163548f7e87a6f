"""`endpoint=local`: the trained model behind a real OpenAI-compatible HTTP server on loopback.

It is `transformers serve`, or the server of `endpoint.server.command`: a process of its own, started for a stage and
gone with it, whatever way the stage ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.config.traffic import Server
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.endpoints.serving import environment, words

_TETHER = Path(__file__).with_name("_dies_with_parent.py")
_STOP_SECONDS = 3.0
_LOG_LINES = 5
_ATTEMPTS = 3


@dataclass(frozen=True)
class LocalServer:
    """A running server."""

    base_url: str
    model: str
    """The name the server wants in a request: its folder."""
    log: Path
    process: subprocess.Popen[bytes]

    def check(self, patience_seconds: float = 0.0) -> None:
        """Raise ZantaraError when the server has died, or dies within `patience_seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_seconds)
        status = self.process.returncode
        if status is not None:
            raise ZantaraError(
                f"the candidate's server ended with status {status}; the end of {self.log}:\n{_tail(self.log)}",
                hint=command("stage=shadow", note="goes on where it stopped"),
            )


def checked_model(model: Path) -> Path:
    """The folder of a model that can be served. Raises MissingInputError when a part is missing."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (model / name).is_file()]
    if not any(model.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise MissingInputError(
            f"there is no trained model at {model}: {', '.join(missing)} not found",
            hint=command("stage=train"),
        )
    return model


@contextmanager
def local_server(config: EndpointConfig, model: Path, run_dir: Path) -> Iterator[LocalServer]:
    """Serve `model` while the block runs.

    Raises MissingInputError without a model, ZantaraError when the server does not start in time or its port is taken.
    """
    checked_model(model)
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / "candidate_server.log"
    server = _started(config.server, model.absolute(), log)
    try:
        yield server
    finally:
        _stop(server.process)


def _started(config: Server, model: Path, log: Path) -> LocalServer:
    """A server that answers; a free port that someone else took in between is given up for another."""
    for attempt in range(1, _ATTEMPTS + 1):
        port = _port(config.port)
        server = LocalServer(f"http://127.0.0.1:{port}/v1", str(model), log, _spawn(config, model, port, log))
        try:
            _wait_until_ready(server, config.start_seconds)
        except BaseException:
            _stop(server.process)
            taken = not config.port and "address already in use" in _tail(log)
            if taken and attempt < _ATTEMPTS:
                continue
            raise
        return server
    raise AssertionError("unreachable")


def _port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise ZantaraError(
                f"endpoint.server.port={wanted}: {os.strerror(error.errno or 0).lower()}",
                hint=command("stage=shadow", "endpoint.server.port=0", note="picks a free port"),
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _spawn(config: Server, model: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    set_threads = {"OMP_NUM_THREADS": str(config.threads)}
    tethered = [sys.executable, str(_TETHER), str(os.getpid()), *words(config, model, port)]
    with log.open("wb") as output:
        # Its own session: Ctrl-C reaches the stage, which then stops the server, instead of both at once.
        return subprocess.Popen(  # noqa: S603
            tethered, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment() | set_threads,
            start_new_session=True,
        )  # fmt: skip


def _wait_until_ready(server: LocalServer, seconds: float) -> None:
    import httpx  # a rollout's status asks this module for the model alone

    deadline = time.monotonic() + seconds
    health = server.base_url.removesuffix("/v1") + "/health"
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        while time.monotonic() < deadline:
            server.check()
            with contextlib.suppress(httpx.HTTPError):
                if client.get(health).status_code == 200:
                    return
            time.sleep(0.1)
    raise ZantaraError(
        f"the candidate's server did not answer within endpoint.server.start_seconds={seconds:g}; "
        f"the end of {server.log}:\n{_tail(server.log)}",
        hint=command("stage=shadow", "endpoint.server.start_seconds=300"),
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever it started
    process.wait()


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])
