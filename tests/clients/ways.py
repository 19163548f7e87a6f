"""One call of a client four ways: straight to the stub, through a gateway, and as a moved user's, whole and live.

The gateways are `stage=serve`, each a process of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.answers import CACHED_USAGE, COMPLETION_USAGE, MESSAGE_USAGE, RESPONSE_USAGE, SAID
from tests.clients.stub import BREAKS, CACHED, SLOW, TEXT, Came, Stub, is_messages
from tests.endpoints.servers import raw_server
from tests.endpoints.streaming import Streaming
from tests.gateway.support import series
from tests.gateway.test_stage import command, serving
from tests.shadow.examples import read_folder
from tests.shadow.primary import running
from tests.shadow.waiting import wait_for
from zantara_exp.config import compose
from zantara_exp.core.layout import Layout
from zantara_exp.cost.usage import Usage
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.rollout.authority import serving_epoch
from zantara_exp.rollout.served import CANDIDATE, PRIMARY
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import open_store
from zantara_exp.shadow.record import ONLY_PRIMARY, Comparison
from zantara_exp.traffic.movable import CLIENT_GONE

QUESTION = "Ciao, come stai?"
CANDIDATES = ("Ciao ", "dal candidato! 😊")
CANDIDATES_TOKENS = (9, 4)
KEY = "sk-test-0123456789"
FAILS, BREAKS_OFF = "the candidate fails", "the candidate breaks off"
"""Scenes of the candidate; the primary answers as ever."""
_HASH_KEY = "k" * 32
_KINDS = {
    "zantara_gateway_unmirrored_total": "unmirrored",
    "zantara_gateway_refused_total": "refused",
    "zantara_mirror_set_aside_total": "set_aside",
    "zantara_mirror_dropped_total": "dropped",
    "zantara_mirror_compared_total": "compared",
}
Fates = Counter[tuple[str, str]]
_TOOK = re.compile(r"time taken=[\d.]+ seconds")
"""In LiteLLM's word for a time-out."""
_HOPS = {"host", "connection", "accept-encoding"}
"""Headers of one connection, and the codings that the gateway can read along."""


@dataclass(frozen=True)
class Heard:
    """What a client made of an answer, or of a refusal."""

    text: str = ""
    tokens: tuple[int | None, int | None] | None = None
    """Read and written, as the client says it; None where it says nothing."""
    finish: str | None = None
    calls: Any = None
    """Of tools."""
    error: str | None = None
    """The client's own class for a failure."""
    said: str = ""
    """Its message; of an answer, what else the client tells of it."""


@dataclass(frozen=True)
class Call:
    """One thing that a client is asked to do."""

    client: str
    name: str
    ask: Callable[[str, str], Heard]
    """With the address of an API and a user's name. What it raises is the client's own error."""
    scene: str = TEXT
    moves: bool = True
    """Whether it is tried as a moved user's."""

    @property
    def user(self) -> str:
        return f"{self.client}/{self.name}"


@dataclass
class Row:
    """What is known of one call, in words."""

    client: str
    call: str
    same: str = ""
    """Whether bytes, headers and what the client made of the answer are the same as directly."""
    mirrored: str = ""
    """`yes`, or the reason why not."""
    tokens: str = ""
    """In the comparison log: `right`, `estimated` where the stream counted none."""
    whole: str = ""
    live: str = ""
    """`yes`: the candidate's answer was understood; or why the primary answered, or how it failed."""


@dataclass
class Ways:
    """The three gateways and what stands behind them."""

    stub: Stub
    candidate: Streaming
    direct: str
    plain: str
    whole: str
    live: str
    logs: Path
    pages: httpx.Client
    """Reads `/metrics`."""
    rows: list[Row] = field(default_factory=list)

    def try_out(self, call: Call) -> None:
        """Ask all ways; what has to hold is asserted, and the rest noted as a row."""
        self._set(call)
        straight, sent = self._asked(call, self.direct)
        assert sent, straight
        assert (straight.error is not None) == (call.scene.isdecimal() or call.scene in (SLOW, BREAKS)), straight
        before = self._fates()
        passed, came = self._asked(call, self.plain)
        assert passed == straight
        assert [_comparable(each) for each in came] == [_comparable(each) for each in sent]
        row = Row(call.client, call.name, "yes")
        self._note_log(call, row, before, came)
        if call.moves:
            row.whole = self._moved(call, self.whole, straight)
            row.live = self._moved(call, self.live, straight)
        self.rows.append(row)

    def _set(self, call: Call) -> None:
        own = call.scene in (FAILS, BREAKS_OFF)
        self.stub.scene = TEXT if own else call.scene
        self.candidate.pieces = {FAILS: (), BREAKS_OFF: CANDIDATES[:1]}.get(call.scene, CANDIDATES)
        self.candidate.ending = {FAILS: "error", BREAKS_OFF: "cut"}.get(call.scene, "whole")

    def _asked(self, call: Call, address: str) -> tuple[Heard, list[Came]]:
        """What the client heard, and what came to the stub meanwhile."""
        before = len(self.stub.came)
        try:
            heard = call.ask(address, call.user)
        except Warning:
            raise
        except Exception as error:  # the client's own; what it is, is compared
            heard = _failed(error)
        heard = replace(heard, said=_TOOK.sub("TIME", heard.said.replace(address, "ADDRESS")))
        return heard, self.stub.came[before:]

    def _note_log(self, call: Call, row: Row, before: Fates, came: Sequence[Came]) -> None:
        """Wait until the gateway has told what became of the requests; hold its log against what the stub said."""
        wait_for(lambda: (self._fates() - before).total() >= len(came))
        fates = self._fates() - before
        assert fates.total() == len(came)
        assert not [kind for kind, _ in fates if kind in ("dropped", "refused")]
        row.mirrored = ", ".join(f"no: {reason}" for kind, reason in fates if kind != "compared") or "yes"
        lines = [line for line in self._log() if line.user == hash_user(call.user, _HASH_KEY.encode())]
        assert len(lines) == sum(many for (kind, _), many in fates.items() if kind != "unmirrored")
        for line in lines:
            if line.arm != ONLY_PRIMARY and line.primary.error:
                row.mirrored = f"yes, as {line.primary.error}"
            elif line.primary.error != CLIENT_GONE:
                row.tokens = "estimated" if line.primary.usage.estimated else "right"
                assert row.tokens == "estimated" or line.primary.usage == _counted(call, came)
            if row.mirrored == "yes":
                assert line.primary.response == SAID
                assert line.candidate.response == ("" if call.scene in (FAILS, BREAKS_OFF) else "".join(CANDIDATES))

    def _page(self, address: str) -> Mapping[tuple[str, ...], float]:
        return series(self.pages.get(f"{address}/metrics"))

    def _fates(self) -> Fates:
        """What became of the requests through the gateway, by kind and reason."""
        found: Fates = Counter()
        for (name, *labels), many in self._page(self.plain).items():
            kind = _KINDS.get(name)
            if kind is not None and many:
                found[kind, "".join(labels)] += int(many)
        return found

    def _log(self) -> list[Comparison]:
        return [line for line in read_folder(self.logs) if isinstance(line, Comparison)]

    def _moved(self, call: Call, address: str, straight: Heard) -> str:
        before = self._page(address)
        heard, came = self._asked(call, address)
        if not came:
            if call.scene == BREAKS_OFF:
                assert "broke off" in heard.said
                return f"breaks off: {heard.error or f'status {heard.finish}'}"
            assert heard.error is None, heard
            assert heard.text == "".join(CANDIDATES)
            assert heard.tokens == (straight.tokens and CANDIDATES_TOKENS)
            assert (heard.finish, heard.calls) == (straight.finish, straight.calls)
            return "yes"
        assert heard == straight
        wait_for(lambda: bool(_stayed(self._page(address), before)))
        return f"no: {', '.join(_stayed(self._page(address), before))}"


@contextmanager
def three_ways(folder: Path) -> Iterator[Ways]:
    """Gateways between a stub of the primary and one of the candidate; `folder` is the working directory meanwhile."""
    stub, candidate = Stub(), Streaming()
    candidate.go.set()
    with pytest.MonkeyPatch.context() as patched, ExitStack() as started:
        patched.chdir(folder)
        patched.setenv("ZANTARA_HASH_KEY", _HASH_KEY)
        direct, answers = started.enter_context(running(stub)), started.enter_context(raw_server(candidate))

        def gateway(name: str, *overrides: str) -> str:
            own = [f"paths.state={name}", f"paths.logs={name}", f"hydra.run.dir={name}/run", *overrides]
            given = [
                "endpoint.stream=true",
                "gateway.move_stored=true",
                *(f"gateway.{name}_url={direct}" for name in ("openai", "azure", "bedrock", "vertex")),
                "endpoint.breaker.failures=1000",
                *own,
            ]
            if name != "plain":
                _move_everybody(command(direct, answers, *given)[3:])
            return started.enter_context(serving(direct, answers, *given))[1]

        plain = gateway("plain")
        whole = gateway("whole", "shadow.traffic_percent=0")
        live = gateway("live", "shadow.traffic_percent=0", "gateway.stream=live")
        pages = started.enter_context(httpx.Client(timeout=60))
        yield Ways(stub, candidate, direct, plain, whole, live, folder / "plain", pages)


def _move_everybody(overrides: list[str]) -> None:
    """As stage=rollout writes it, whose own tests say when it may."""
    config = compose([each for each in overrides if not each.startswith("hydra.")])
    layout = Layout(config)
    moved = State(RUNNING, 0, 100.0, serving_epoch(config, layout), "g1", "2025-11-02", since=datetime.now(UTC))
    with closing(open_store(config.rollout, layout)) as store:
        store.swap(State(), moved)


def _failed(error: Exception) -> Heard:
    status, number = getattr(error, "status_code", None), getattr(error, "request_id", None)
    return Heard(error=type(error).__name__, said=f"{status} {number} {error}")


def _comparable(came: Came) -> tuple[object, ...]:
    """Without what belongs to one connection, and without what is the gateway's own."""
    headers = [each for each in came.headers if each[0] not in _HOPS and not each[0].startswith("x-zantara-")]
    return came.method, came.target, sorted(headers, key=lambda each: each[0]), came.body


def _stayed(page: Mapping[tuple[str, ...], float], before: Mapping[tuple[str, ...], float]) -> list[str]:
    """Why the primary answered."""
    more = {key for key, many in page.items() if many > before.get(key, 0)}
    reasons = sorted(key[1] for key in more if key[0] == "zantara_rollout_unrouted_total")
    fell = [key for key in more if key[:3] == ("zantara_rollout_served_total", PRIMARY, CANDIDATE)]
    return reasons or ["it fell back"] * bool(fell)


def _counted(call: Call, came: Sequence[Came]) -> Usage:
    """What the stub said that its answer took."""
    if is_messages(came[0].target):
        return CACHED_USAGE if call.scene == CACHED else MESSAGE_USAGE
    return RESPONSE_USAGE if "/responses" in came[0].target else COMPLETION_USAGE
