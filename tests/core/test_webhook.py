"""The webhook, against a real HTTP server: what it hears, what is tried again, and what is never said."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.endpoints.servers import closed_port, raw_server, response
from tests.gates.test_stage import Kept
from tests.rollout.support import MONDAY, act, config_of, write_served, write_verdict
from tests.rollout.test_guardrails import watch
from zantara_exp.config.rollout import Notify
from zantara_exp.core import webhook
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.stage import INCONCLUSIVE, Context
from zantara_exp.core.webhook import Notifier
from zantara_exp.gates.stage import gate

HOOK = "ROLLOUT_WEBHOOK"
SECRET = "T0KEN-in-the-path"  # no key: what must not be found anywhere
TELL = f"rollout.notify.url_env={HOOK}"


class Hook:
    """Answers with the statuses given, one after the other, then 200; keeps what it was told."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.heads: list[str] = []
        self.told: list[dict] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        self.told.append(json.loads(body))
        status = self.statuses.pop(0) if self.statuses else "200 OK"
        writer.write(response(b"", status, "location: http://127.0.0.1:1/elsewhere\r\n"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook, "_FIRST_WAIT_SECONDS", 0.01)


def at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOOK, url.replace("/v1", f"/services/{SECRET}"))


def tell(hook: Hook, monkeypatch: pytest.MonkeyPatch, **changed) -> list[str]:
    said: list[str] = []
    with raw_server(hook) as url:
        at(url, monkeypatch)
        with closing(Notifier(Notify(url_env=HOOK, **changed), said.append)) as notifier:
            notifier.tell("step", "running 10 % -> running 25 %", MONDAY, {"epoch": "e1"})
    return said


def test_steps_and_rollbacks_are_told(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    hook = Hook()
    with raw_server(hook) as url:
        at(url, monkeypatch)
        write_verdict(config_of())
        act("start", TELL, "rollout.reason=week 1")
        act("pause", TELL)
        act("resume", TELL)
        write_served(days=2, failed=0.5)
        watch(TELL, looks=2)
        notified = lambda: len(hook.told) == 4  # noqa: E731
        while not notified():
            time.sleep(0.01)
        assert act("rollback", TELL).summary["phase"] == "rolled_back"
    assert [(told["event"], told["actor"], told["to"]) for told in hook.told] == [
        ("step", "ada", "running 10 %"),
        ("pause", "ada", "paused 10 %"),
        ("step", "ada", "running 10 %"),
        ("rollback", "guardrails", "rolled_back"),
    ]
    assert hook.told[0]["text"] == "start by ada, idle -> running 10 %: week 1"
    assert "fallback: alarm" in hook.told[3]["reason"]
    assert hook.told[3]["time"].startswith("2025-11-05T09:00:00")
    assert hook.heads[0].startswith(f"POST /services/{SECRET} ")


def test_a_verdict_is_told(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    hook = Hook()
    with raw_server(hook) as url:
        at(url, monkeypatch)
        config = config_of(TELL)
        result = gate(config, Context(config, Kept(), Path(".")))
    assert result.status == INCONCLUSIVE  # there is no log at all
    (told,) = hook.told
    assert (told["event"], told["verdict"], told["gate"]) == ("verdict", "INCONCLUSIVE", "go_no_go")
    assert told["text"].startswith("gate=go_no_go as of")


def test_a_webhook_that_is_set_wrong_keeps_no_verdict_back(workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.delenv(HOOK, raising=False)
    config = config_of(TELL)
    assert gate(config, Context(config, Kept(), Path("."))).status == INCONCLUSIVE
    assert "nobody is told of the verdict" in capsys.readouterr().out


def test_only_the_events_asked_for(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    hook = Hook()
    with raw_server(hook) as url:
        at(url, monkeypatch)
        write_verdict(config_of())
        only = "rollout.notify.events=[rollback]"
        act("start", TELL, only)
        act("rollback", TELL, only, days=1)
    assert [told["event"] for told in hook.told] == ["rollback"]


def test_a_receiver_in_trouble_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    hook = Hook("503 Service Unavailable", "429 Too Many Requests")
    assert tell(hook, monkeypatch) == []
    assert len(hook.told) == 3


def test_attempts_are_bounded_and_the_url_is_not_said(monkeypatch: pytest.MonkeyPatch):
    hook = Hook(*["500 Oh"] * 10)
    said = tell(hook, monkeypatch, attempts=3)
    assert len(hook.told) == 3
    assert said == [f"webhook of {HOOK}: HTTP 500 in 3 attempts; this was not told: step"]
    assert SECRET not in "".join(said)


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "302 Found"])
def test_what_no_patience_mends_is_not_tried_again_nor_followed(status: str, monkeypatch: pytest.MonkeyPatch):
    hook = Hook(*[status] * 5)
    said = tell(hook, monkeypatch)
    assert len(hook.told) == 1
    assert said == [f"webhook of {HOOK}: HTTP {status[:3]}; this was not told: step"]


def test_a_dead_receiver_keeps_no_move_waiting(workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Nothing listens: the rollback stands before anybody has been told, and nothing raises."""
    write_verdict(config_of())
    act("start")
    with closed_port() as port:
        monkeypatch.setenv(HOOK, f"http://127.0.0.1:{port.getsockname()[1]}/{SECRET}")
        assert act("rollback", TELL).summary["phase"] == "rolled_back"
    printed = capsys.readouterr()
    assert "ConnectError in 4 attempts; this was not told: rollback" in printed.out
    assert SECRET not in printed.out + printed.err


def test_a_hanging_receiver_does_not_hold_the_caller(monkeypatch: pytest.MonkeyPatch):
    hangs = asyncio.Event()

    async def hang(_: bytes, writer: asyncio.StreamWriter) -> None:
        await hangs.wait()

    with raw_server(hang) as url:
        at(url, monkeypatch)
        said: list[str] = []
        notifier = Notifier(Notify(url_env=HOOK, timeout_seconds=0.2, attempts=2), said.append)
        for _ in range(300):
            notifier.tell("step", "again", MONDAY, {})  # returns although nothing gets through
        notifier.close()
        assert any("is dropped" in line for line in said)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/x", "reaches this machine only"),
        ("ftp://hooks.example.com/x", "no http"),
        ("hooks.example.com", "no http"),
        ("https://", "no http"),
        ("http://[broken", "no URL"),
        ("http://127.0.0.1.example.com/x", "reaches this machine only"),
    ],
)
def test_urls_that_are_refused(url: str, why: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOOK, url)
    with pytest.raises(ConfigError, match=why) as refused:
        Notifier(Notify(url_env=HOOK), print)
    assert url not in str(refused.value)


@pytest.mark.parametrize("url", ["https://10.0.0.8/x", "https://169.254.169.254/latest", "https://[fd00::1]/x"])
def test_inner_services_are_not_knocked_at(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOOK, url)
    said: list[str] = []
    with closing(Notifier(Notify(url_env=HOOK), said.append)) as notifier:
        notifier.tell("step", "x", MONDAY, {})
    assert "an address of a private network" in said[0]
    assert url not in said[0]


def test_a_webhook_that_is_not_set_refuses_moves_but_no_rollback(workdir: Path, monkeypatch, capsys):
    monkeypatch.delenv(HOOK, raising=False)
    write_verdict(config_of())
    with pytest.raises(ZantaraError, match=f"url_env={HOOK}: this environment variable is not set"):
        act("start", TELL)
    act("start")
    assert act("rollback", TELL).summary["phase"] == "rolled_back"
    assert "nobody is told" in capsys.readouterr().out
