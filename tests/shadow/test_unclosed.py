"""Processes that end without `close()`: what they showed to the mirror is compared, or counted, all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endpoints.servers import raw_server
from tests.shadow.examples import read_folder
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.shadow.record import Comparison

pytestmark = [pytest.mark.usefixtures("workdir"), pytest.mark.interpreter]

ROOT = Path(__file__).resolve().parents[2]
_APP = """
import logging, multiprocessing, os, signal, sys, time
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror
logging.basicConfig()

def show(mirror, count, first=0):
    for number in range(first, first + count):
        mirror.observe(ChatRequest("Ciao, come stai?", f"user-{number}"), PrimaryAnswer("Ciao!", "claude-haiku-4-5"))

def task(first):
    show(ShadowMirror.from_config(*sys.argv[2:]), 10, first)

def script():
    show(ShadowMirror.from_config(*sys.argv[2:]), 20)

def exits():
    script()
    sys.exit(3)

def breaks():
    script()
    raise RuntimeError("the app is broken")

def children():  # as of a pool, or of a server that gives each worker so many requests
    for first in (0, 10):
        child = multiprocessing.get_context("fork").Process(target=task, args=(first,))
        child.start()
        child.join()

def shared():  # a mirror made before the fork
    mirror = ShadowMirror.from_config(*sys.argv[2:])
    show(mirror, 10)
    child = multiprocessing.get_context("fork").Process(target=show, args=(mirror, 10, 10))
    child.start()
    child.join()

def killed():  # with far more than the worker could be given
    show(ShadowMirror.from_config(*sys.argv[2:]), 1000)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)

globals()[sys.argv[1]]()
"""


def app(ending: str, url: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run the app that ends so, mirroring all it shows to a candidate at `url`."""
    settings = ["shadow=live", "shadow.traffic_percent=100", "endpoint=openai", "endpoint.model=m"]
    settings += [f"endpoint.base_url={url}", "endpoint.stream=false", *overrides]
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", _APP, ending, *settings],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("breaks", 1),
        ("children", 0),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("script", 0), ("exits", 3), ("shared", 0))),
    ],
)
def test_nothing_is_lost_when_nobody_closes(ending: str, status: int) -> None:
    with raw_server(Candidate()) as url:
        ran = app(ending, url, "endpoint.timeout_seconds=60", "shadow.drain_seconds=120")
    assert ran.returncode == status, ran.stderr
    rows = [row for row in read_folder(Path("logs/shadow_mode")) if isinstance(row, Comparison)]
    assert sorted(row.user for row in rows) == sorted({row.user for row in rows})
    assert len(rows) == 20


def test_what_cannot_be_compared_by_the_deadline_is_counted() -> None:
    with raw_server(Candidate(seconds=30)) as url:
        ran = app("script", url, "shadow.drain_seconds=3")
    assert ran.returncode == 0, ran.stderr
    items = read_folder(Path("logs/shadow_mode"))
    compared = sum(isinstance(item, Comparison) for item in items)
    assert compared + sum(sum(item.dropped.values()) for item in items) == 20
    assert compared < 20


def test_what_a_killed_process_still_held_is_counted() -> None:
    """By its worker, which outlives it."""
    with raw_server(Candidate(seconds=30)) as url:
        ran = app("killed", url, "shadow.drain_seconds=1")
        assert ran.returncode == -9, ran.stderr
        wait_for(lambda: _counted() == 1000)


def _counted() -> int:
    items = read_folder(Path("logs/shadow_mode"), str)
    return sum(isinstance(item, Comparison) for item in items) + sum(sum(item.dropped.values()) for item in items)
