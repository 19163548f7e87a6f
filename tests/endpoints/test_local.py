import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zantara_exp.config.traffic import Endpoint, Server
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.build import build, serving
from zantara_exp.endpoints.local import LocalServer

CHAT = [{"role": "system", "content": "You are ZANTARA."}, {"role": "user", "content": "ciao come stai"}]


def ask(config: Endpoint, server: LocalServer, times: int = 1) -> list[Answer]:
    async def go() -> list[Answer]:
        endpoint = build(config, server, "tiny")
        try:
            return await asyncio.gather(*(endpoint.chat(CHAT) for _ in range(times)))
        finally:
            await endpoint.close()

    return asyncio.run(go())


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


@pytest.mark.slow
def test_the_model_is_served_and_gone_afterwards(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    config = Endpoint(max_tokens=12, timeout_seconds=120)
    with serving(config, tiny_model, tmp_path) as server:
        assert server is not None
        pid = server.process.pid
        first, *rest = ask(config, server, times=8)
        assert first.error is None
        assert (first.model, first.provider) == ("tiny", "local")
        assert first.usage.read is not None
        assert 10 < first.usage.read < 100
        assert first.usage.output is not None
        assert 0 < first.usage.output <= 12
        assert first.ttft_ms is not None
        assert [answer.error for answer in rest] == [None] * 7
        assert "postgresql://secret" not in Path(f"/proc/{pid}/environ").read_text()

        os.kill(pid, signal.SIGKILL)  # a server that dies
        server.process.wait(10)
        assert ask(config, server)[0].error is Reason.REFUSED
        with pytest.raises(ZantaraError, match="ended with status -9"):
            server.check()
    assert not alive(pid)


_PARENT = """
import sys, time
from pathlib import Path
from zantara_exp.config.traffic import Endpoint
from zantara_exp.endpoints import local
from zantara_exp.endpoints.local import local_server
local._wait_until_ready = lambda *_: None  # it may be killed at any time
with local_server(Endpoint(), Path(sys.argv[1]), Path(sys.argv[2])) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""


def test_a_killed_parent_leaves_no_orphan(tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tiny_model), str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert gone_within(pid, 60)


def test_a_port_in_use_is_named(tiny_model: Path, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        config = Endpoint(server=Server(port=port))
        with pytest.raises(ZantaraError, match=rf"endpoint\.server\.port={port}: address already in use") as caught:
            serving(config, tiny_model, tmp_path).__enter__()
    assert "endpoint.server.port=0" in caught.value.hint


def test_a_missing_model_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"config\.json, tokenizer\.json, model\.safetensors") as caught:
        serving(Endpoint(), tmp_path / "none", tmp_path).__enter__()
    assert caught.value.hint == "python -m zantara_exp stage=train"


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_with_the_servers_last_words(tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tiny_model.iterdir():
        (broken / path.name).write_bytes(path.read_bytes() if path.suffix != ".safetensors" else b"\x00" * 64)
    with pytest.raises(ZantaraError, match="ended with status 1"):
        serving(Endpoint(), broken, tmp_path).__enter__()


def test_a_server_too_slow_to_start_is_stopped(tiny_model: Path, tmp_path: Path) -> None:
    config = Endpoint(server=Server(start_seconds=0.3))
    with pytest.raises(ZantaraError, match=r"endpoint\.server\.start_seconds=0\.3"):
        serving(config, tiny_model, tmp_path).__enter__()
