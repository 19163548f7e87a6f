"""The mirror in FastAPI, Flask and a script, under their real servers: what is shown is logged, however they end."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.shadow.documented import COUNT, assert_all_compared, block, module, started
from tests.shadow.waiting import wait_for

pytestmark = [pytest.mark.usefixtures("workdir"), pytest.mark.interpreter]

UVICORN, FLASK = module("uvicorn", "app:app"), module("flask", "run")
GUNICORN = module("gunicorn", "--workers", "2", "--max-requests", "7")
WITHOUT_CLOSE = ("lifespan=lifespan", "")


def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def used(at: int, count: int = COUNT) -> None:
    """Its users: so many, one after the other, once it listens."""
    address = f"http://127.0.0.1:{at}/chat"

    def listens() -> bool:
        try:
            return httpx.get(address, timeout=5).status_code == 405
        except httpx.HTTPError:
            return False

    wait_for(listens)
    for number in range(count):
        asked = {"user": f"user-{number}", "message": "Ciao, come stai?"}
        found = httpx.post(address, params=asked, timeout=60)
        assert found.json() == {"text": "Ciao! Come va?"}, Path("said.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("close", [pytest.param(True, marks=pytest.mark.slow), False], ids=["with close", "without"])
def test_fastapi_under_uvicorn_that_is_told_to_end(close: bool) -> None:
    app, at = block("app.py, FastAPI"), port()
    app = app if close else app.replace(*WITHOUT_CLOSE)
    with started(*UVICORN, "--port", str(at), app=app) as server:
        used(at)
        server.terminate()
        assert server.wait(60) == -signal.SIGTERM  # which it ends itself by, whatever Python would still wait for
    assert_all_compared()


@pytest.mark.slow
def test_fastapi_under_uvicorn_that_takes_so_many_requests() -> None:
    app, at = block("app.py, FastAPI").replace(*WITHOUT_CLOSE), port()
    with started(*UVICORN, "--port", str(at), "--limit-max-requests", str(COUNT + 1), app=app) as server:
        used(at)
        assert server.wait(60) == 0
    assert_all_compared()


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("--preload",), ("--threads", "4")], ids=["processes", "preload", "threads"])
def test_flask_under_gunicorn_whose_workers_take_seven_requests_each(how: tuple[str, ...]) -> None:
    at = port()
    with started(*GUNICORN, *how, "--bind", f"127.0.0.1:{at}", "app:app", app=block("app.py, Flask")) as server:
        used(at)
        server.terminate()
        assert server.wait(120) == 0
    assert_all_compared()


@pytest.mark.slow
def test_fastapi_under_gunicorn_whose_workers_take_seven_requests_each() -> None:
    app, at = block("app.py, FastAPI").replace(*WITHOUT_CLOSE), port()
    with started(*GUNICORN, "--worker-class", "asgi", "--bind", f"127.0.0.1:{at}", "app:app", app=app) as server:
        used(at)
        server.terminate()
        assert server.wait(120) == 0
    assert_all_compared()


@pytest.mark.slow
def test_flasks_own_server() -> None:
    at = port()
    with started(*FLASK, "--port", str(at), app=block("app.py, Flask")) as server:
        used(at)
        server.send_signal(signal.SIGINT)
        assert server.wait(120) == 0
    assert_all_compared()


@pytest.mark.slow
def test_a_script() -> None:
    with started(*module("script"), script=block("a script")) as script:
        assert script.wait(120) == 0
    assert_all_compared()
