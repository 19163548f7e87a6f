"""The two models of a rehearsal, as HTTP servers that speak OpenAI's API: the primary, and the candidate of a story."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from zantara_exp.config.domain import Domain
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.rehearsal.scenarios import USUAL, Scenario

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_EVER = datetime.min.replace(tzinfo=UTC)
_START_SECONDS = 60.0
_NOTHING = "Ok."
_KEPT_SECONDS = 75
"""How long an idle connection is kept: as long as providers do, where uvicorn's default is 5."""


class Models:
    """Both models, and the played moment that the candidate's behaviour depends on."""

    def __init__(self, scenario: Scenario, domain: Domain, rng: np.random.Generator) -> None:
        self._scenario, self._rng, self._replies = scenario, rng, domain.replies
        self._languages = list(domain.languages)
        self._language_of = {
            text: language
            for language, samples in domain.samples.items()
            for texts in samples.values()
            for text in texts
        }
        self._changed_from: datetime | None = None if scenario.from_percent else _EVER
        self.now = _EVER
        self.asked = {"primary": 0, "candidate": 0}

    def served(self, percent: float, now: datetime) -> None:
        """Tell the candidate what share it serves at a played moment."""
        self.now = now
        if self._changed_from is None and percent >= self._scenario.from_percent > 0:
            self._changed_from = now + timedelta(hours=self._scenario.after_hours)

    def _has_changed(self) -> bool:
        since, lasts = self._changed_from, self._scenario.for_hours
        changed = since is not None and self.now >= since
        if changed and since is not None and lasts is not None:
            changed = self.now < since + timedelta(hours=lasts)
        return changed

    def _fails(self, language: str) -> bool:
        theirs = not self._scenario.last_language or language == self._languages[-1]
        return bool(self._rng.random() < (self._scenario.failing if self._has_changed() and theirs else USUAL))

    async def primary(self, request: Request) -> Response:
        """Answer as the model that answers today."""
        self.asked["primary"] += 1
        return self._answer(0, self._asked_in(await request.body()), "claude-haiku-4-5")

    async def candidate(self, request: Request) -> Response:
        """Answer as the candidate of the story: sometimes an error, sometimes an empty text instead."""
        from starlette.responses import Response as Plain

        self.asked["candidate"] += 1
        language = self._asked_in(await request.body())
        if not self._fails(language):
            if self._has_changed() and self._rng.random() < self._scenario.worse:
                return _answered(_NOTHING, "zantara-rehearsed")
            return self._answer(1, language, "zantara-rehearsed")
        return Plain(b"{}", 500) if self._rng.random() < 0.5 else self._answer(1, "", "zantara-rehearsed")

    async def judge(self, request: Request) -> Response:
        """Judge two answers: one that says next to nothing is worse than any other."""
        *_, material, _, _, wanted = orjson.loads(await request.body())["messages"][-1]["content"].split("\n")
        answers = orjson.loads(material)
        nothing = [side for side in ("A", "B") if answers[side] == _NOTHING]
        better = {"A": "B", "B": "A"}[nothing[0]] if len(nothing) == 1 else "tie"
        return _answered(orjson.dumps(dict.fromkeys(orjson.loads(wanted), better)).decode(), "judge")

    def _asked_in(self, body: bytes) -> str:
        asked: str = orjson.loads(body)["messages"][-1]["content"]
        return self._language_of.get(asked, self._languages[0])

    def _answer(self, side: int, language: str, model: str) -> Response:
        return _answered(self._replies[language][side] if language else "", model)


def _answered(text: str, model: str) -> Response:
    from starlette.responses import Response as Plain

    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 350, "completion_tokens": 120, "total_tokens": 470}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [message], "usage": usage}
    return Plain(orjson.dumps(body), media_type="application/json")


@contextmanager
def running(app: Any) -> Iterator[str]:
    """An ASGI application at a free port of loopback, on a thread of its own; yields its address.

    Raises ZantaraError where it does not start.
    """
    import uvicorn

    settings = uvicorn.Config(
        app,
        port=0,
        log_level="error",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=_KEPT_SECONDS,
    )
    server = uvicorn.Server(settings)
    with settings.bind_socket() as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise ZantaraError("a server of the rehearsal did not start", command("stage=doctor"))
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)


def application(models: Models) -> Any:
    """Both models, and a judge, behind one address: `/primary/v1/...`, `/candidate/v1/...` and `/judge/v1/...`."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    path = "/v1/chat/completions"
    return Starlette(
        routes=[
            Route(f"/primary{path}", models.primary, methods=["POST"]),
            Route(f"/candidate{path}", models.candidate, methods=["POST"]),
            Route(f"/judge{path}", models.judge, methods=["POST"]),
        ]
    )
