"""The apps of docs/clients.md, run as they are printed: with a stub of the shop's code, a candidate on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.endpoints.servers import raw_server
from tests.shadow.examples import read_folder
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.shadow.record import Comparison

ROOT = Path(__file__).resolve().parents[2]
COUNT = 20
_SHOP = """
from types import SimpleNamespace
BROKER = {
    "broker": "filesystem://",
    "broker_transport_options": {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"},
}
def ask_claude(message):
    with open("asked.txt", "a") as asked:
        asked.write(".")
    usage = {"input_tokens": 9, "output_tokens": 4}
    return SimpleNamespace(text="Ciao! Come va?", model="claude-haiku-4-5", usage=usage)
async def claude(message):
    return ask_claude(message)
"""
_MADE = 'ShadowMirror.from_config("endpoint=runpod", "shadow=live")'
_HERE = "ShadowMirror.from_config(*__import__('os').environ['SHADOW'].splitlines())"


def block(title: str) -> str:
    """The block of the page whose first line names it, with the mirror of a test."""
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```python\n# {re.escape(title)}\n(.*?)```", page, re.DOTALL)
    assert found.count(_MADE) == 1
    return str(found.replace(_MADE, _HERE))


@contextmanager
def started(*command: str, settings: tuple[str, ...] = (), **modules: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command in the working directory, where these modules are; killed if a test leaves it running.

    What it says is in `said.txt`.
    """
    for name, text in {"shop": _SHOP, **modules}.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")
    with raw_server(Candidate(seconds=0.05)) as url, Path("said.txt").open("wb") as said:
        given = ["shadow=live", "shadow.traffic_percent=100", "endpoint=openai", "endpoint.model=m"]
        given += [f"endpoint.base_url={url}", "endpoint.stream=false", "endpoint.timeout_seconds=60"]
        environment = {
            **os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path.cwd()}", "ZANTARA_HASH_KEY": "k" * 32,
            "SHADOW": "\n".join([*given, "shadow.drain_seconds=60", *settings]),
        }  # fmt: skip
        with subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT) as process:
            try:
                yield process
                wait_for(lambda: counted() >= COUNT, 60)  # a worker may outlive the app
            finally:
                process.kill()


def module(name: str, *words: str) -> tuple[str, ...]:
    """A command of the same Python."""
    return sys.executable, "-m", name, *words


def asked() -> int:
    """How often the shop asked its primary."""
    return Path("asked.txt").stat().st_size if Path("asked.txt").exists() else 0


def counted() -> int:
    """Comparisons, and losses that were counted."""
    if not Path("logs/shadow_mode").is_dir():
        return 0
    items = read_folder(Path("logs/shadow_mode"))
    return sum(isinstance(item, Comparison) for item in items) + sum(sum(item.dropped.values()) for item in items)


def assert_all_compared() -> None:
    """Each of the requests that were shown is in the log once, and nothing was lost."""
    items = read_folder(Path("logs/shadow_mode"))
    rows = [item for item in items if isinstance(item, Comparison)]
    assert len({row.user for row in rows}) == len(rows) == COUNT
    assert not any(item.dropped for item in items)
    assert {row.candidate.response for row in rows} == {"Ciao a te!"}
