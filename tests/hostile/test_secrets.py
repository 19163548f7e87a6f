"""A canary in every secret variable: real commands that succeed and fail, then a search in all they left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import closed_port, raw_server, response
from tests.privacy.world import chats

pytestmark = pytest.mark.interpreter  # what they start has a command line, which is looked at

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-4f1d"
SECRETS = {
    name: f"{CANARY}-{name.lower()}-0123456789abcdef"
    for name in (
        "ANTHROPIC_API_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_OPENAI_API_KEY",
        "OPENAI_API_KEY",
        "RUNPOD_API_KEY",
        "HF_TOKEN",
        "GATEWAY_TOKEN",
        "REVIEW_TOKEN",
        "ZANTARA_HASH_KEY",
        "ZANTARA_HASH_KEY_OLD",
    )
}


async def echo(request: bytes, writer: asyncio.StreamWriter) -> None:
    """A server that answers every call with an error that quotes the caller's headers, its key among them."""
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
    writer.write(response(json.dumps({"error": {"message": head}}).encode(), "401 Unauthorized", "x-echo: 1\r\n"))


class Watched:
    """Looks at the command lines of all processes until it is closed."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if CANARY.encode() in line:
                    self.found.add(line.replace(b"\x00", b" ").decode(errors="replace"))

    def close(self) -> set[str]:
        self._closing.set()
        self._thread.join()
        return self.found


@pytest.fixture
def environment(workdir: Path) -> Iterator[dict[str, str]]:
    """Every secret variable holds a canary; databases and MLflow stand behind an address with a password in it."""
    with closed_port() as away:
        address = f"user:{CANARY}-password@127.0.0.1:{away.getsockname()[1]}"
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        yield {
            **kept,
            **SECRETS,
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": f"postgresql://{address}/production",
            "LOG_DATABASE_URL": f"postgresql://{address}/log",
            "ROLLOUT_DATABASE_URL": f"postgresql://{address}/rollout",
            "RUNPOD_ENDPOINT": f"https://{address}/v2/{CANARY}-endpoint",
            "AZURE_OPENAI_ENDPOINT": f"https://{address}",
            "MLFLOW_TRACKING_URI": f"http://{address}",
            "WEBHOOK_URL": f"https://127.0.0.1/{CANARY}-hook",
        }


def ran(environment: dict[str, str], *overrides: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "zantara_exp", *overrides]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def left(folder: Path) -> list[str]:
    """Files below the folder that hold a canary; names with it as well."""
    found = [str(path) for path in folder.rglob("*") if CANARY in path.name]
    for path in folder.rglob("*"):
        if path.is_file() and CANARY.encode() in path.read_bytes():
            found.append(str(path.relative_to(folder)))
    return found


def test_a_wrong_password_and_a_server_that_is_away_are_said_without_it(
    workdir: Path, environment: dict[str, str]
) -> None:
    watched = Watched()
    status, said = ran(environment, "stage=extract", "source=postgres", "tracking=server", "tracking.timeout_seconds=1")
    found = watched.close()
    assert status == 1
    assert "DATABASE_URL refuses" in said
    assert CANARY not in said
    assert left(workdir) == []
    assert found == set()


def test_every_variable_that_a_config_names_holds_a_canary(environment: dict[str, str]) -> None:
    """A new one has to be planted above before it can be forgotten below."""
    named: set[str] = set()
    for path in (*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "zantara_exp").rglob("*.py")):
        named |= set(re.findall(r"_env: (?:str(?: \| None)? = setting\(\s*\")?([A-Z_]{3,})", path.read_text()))
    assert {"DATABASE_URL", "ANTHROPIC_API_KEY", "ROLLOUT_DATABASE_URL", "ZANTARA_HASH_KEY_OLD"} <= named
    assert {name for name in named if CANARY not in environment.get(name, "")} == set()


@pytest.mark.slow
def test_no_stage_leaves_a_secret_anywhere(workdir: Path, environment: dict[str, str]) -> None:
    chats(Path("chats.jsonl"))
    source = ("source=jsonl", "source.path=chats.jsonl", "source.models=[]", "dataset.balance=none")
    watched, said = Watched(), []
    with raw_server(echo) as url:
        endpoint = ("endpoint=openai", f"endpoint.base_url={url}", "endpoint.model=m")
        shadow = (
            *source,
            "shadow.out_of_scope=true",
            "shadow.traffic_percent=100",
            "primary.held_out_only=false",
            "primary.limit=5",
        )
        commands = (
            ("stage=extract", *source),
            ("stage=prepare", *source),
            ("stage=doctor", "source=postgres", *endpoint),
            ("stage=shadow", *endpoint, *shadow),
            ("stage=shadow", "endpoint=anthropic", f"endpoint.base_url={url[:-3]}", *shadow),
            ("stage=shadow", "endpoint=bedrock", f"endpoint.base_url={url[:-3]}", *shadow),
            ("stage=shadow", "endpoint=bedrock", "endpoint.api_key_env=null", f"endpoint.base_url={url[:-3]}", *shadow),
            ("stage=doctor", "endpoint=azure"),
            ("stage=shadow", "endpoint=runpod", f"endpoint.base_url={url}", *shadow),
            ("stage=report", "report.pairs=6"),
            ("stage=report", "log=postgres"),
            ("stage=publish", "publish=huggingface", "model.hub_name=o/n", "publish.dry_run=true"),
            ("stage=gate", "rollout.notify.url_env=WEBHOOK_URL"),
        )
        for command in commands:
            said.append(ran(environment, *command)[1])
        said.append(gatewayed(environment, url))
    found = watched.close()
    assert "unauthorized" in said[3]
    assert [text for text in said if CANARY in text] == []
    assert left(workdir) == []
    assert found == set()


def gatewayed(environment: dict[str, str], url: str) -> str:
    """What a gateway says that was called with a key, to a primary that quotes it in its errors."""
    command = [sys.executable, "-m", "zantara_exp", "stage=serve", "shadow=live", "shadow.traffic_percent=100"]
    command += ["endpoint=openai", f"endpoint.base_url={url}", "endpoint.model=m", f"gateway.openai_url={url[:-3]}"]
    command += ["gateway.port=0", "gateway.token_env=GATEWAY_TOKEN"]
    log = Path("gateway.out")
    with log.open("w") as out:
        running = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 300
            while "gateway on http" not in log.read_text() and running.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            address = log.read_text().partition("gateway on ")[2].split(": ")[0]
            headers = {"Authorization": f"Bearer {SECRETS['OPENAI_API_KEY']}"}
            body = {"model": "m", "messages": [{"role": "user", "content": "Ciao"}]}
            refused = httpx.post(f"{address}/v1/chat/completions", json=body, headers=headers, timeout=60)
            assert refused.status_code == 401
            assert CANARY not in refused.text  # the gateway's own refusal
            headers["X-Zantara-Token"] = SECRETS["GATEWAY_TOKEN"]
            passed = httpx.post(f"{address}/v1/chat/completions", json=body, headers=headers, timeout=60)
            assert SECRETS["GATEWAY_TOKEN"] not in passed.text  # our own token is not sent on
            httpx.get(f"{address}/metrics", timeout=60)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(300)
    said = log.read_text()
    assert "Traceback" not in said, said
    return said
