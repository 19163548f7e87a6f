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

from zantara_exp.errors import ZantaraError
from zantara_exp.hints import command
from zantara_exp.rehearsal.scenarios import USUAL, Scenario
from zantara_exp.rehearsal.traffic import LANGUAGE_OF

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_ANSWERS = {
    "it": ("Va tutto bene, grazie! E tu come stai?", "Bene, grazie! Tu come te la passi?"),
    "en": ("All is well, thank you! How about you?", "I am fine, thanks! And how are you?"),
    "id": ("Kabarku baik, terima kasih! Kamu sendiri gimana?", "Baik, makasih! Kamu apa kabar?"),
}
_EVER = datetime.min.replace(tzinfo=UTC)
_START_SECONDS = 60.0
_KEPT_SECONDS = 75
"""How long an idle connection is kept: as long as providers do, where uvicorn's default is 5."""


class Models:
    """Both models, and the played moment that the candidate's behaviour depends on."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self._scenario, self._rng = scenario, rng
        self._changed_from: datetime | None = None if scenario.from_percent else _EVER
        self.now = _EVER
        self.asked = {"primary": 0, "candidate": 0}

    def served(self, percent: float, now: datetime) -> None:
        """Tell the candidate what share it serves at a played moment."""
        self.now = now
        if self._changed_from is None and percent >= self._scenario.from_percent > 0:
            self._changed_from = now + timedelta(hours=self._scenario.after_hours)

    def _fails(self, language: str) -> bool:
        since, lasts = self._changed_from, self._scenario.for_hours
        changed = since is not None and self.now >= since
        if changed and since is not None and lasts is not None:
            changed = self.now < since + timedelta(hours=lasts)
        theirs = self._scenario.language in (None, language)
        return bool(self._rng.random() < (self._scenario.failing if changed and theirs else USUAL))

    async def primary(self, request: Request) -> Response:
        """Answer as the model that answers today."""
        self.asked["primary"] += 1
        return _answer(0, _language(await request.body()), "claude-haiku-4-5")

    async def candidate(self, request: Request) -> Response:
        """Answer as the candidate of the story: sometimes an error, sometimes an empty text instead."""
        from starlette.responses import Response as Plain

        self.asked["candidate"] += 1
        language = _language(await request.body())
        if not self._fails(language):
            return _answer(1, language, "zantara-rehearsed")
        return Plain(b"{}", 500) if self._rng.random() < 0.5 else _answer(1, "", "zantara-rehearsed")


def _language(body: bytes) -> str:
    asked: str = orjson.loads(body)["messages"][-1]["content"]
    return LANGUAGE_OF.get(asked, "en")


def _answer(side: int, language: str, model: str) -> Response:
    from starlette.responses import Response as Plain

    text = _ANSWERS[language][side] if language else ""
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
    """Both models behind one address: `/primary/v1/...` and `/candidate/v1/...`."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    path = "/v1/chat/completions"
    return Starlette(
        routes=[
            Route(f"/primary{path}", models.primary, methods=["POST"]),
            Route(f"/candidate{path}", models.candidate, methods=["POST"]),
        ]
    )
