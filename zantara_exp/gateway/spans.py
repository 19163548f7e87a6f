"""The spans of one request: its own, and under it those of the models that were asked for it.

They continue the client's trace, or begin one, and pass it on to the primary and to the candidate. The module is
imported only if spans are on; otherwise headers pass unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yarl import URL

from zantara_exp.endpoints.http import reason_of
from zantara_exp.gateway.dialects import CUT, NotText
from zantara_exp.gateway.dialects.base import json_object, name
from zantara_exp.gateway.exchange import CLIENT_GONE, Event, Exchange, Outcome
from zantara_exp.gateway.routes import AZURE, BEDROCK, VERTEX, Route
from zantara_exp.rollout.served import CANDIDATE, PRIMARY
from zantara_exp.rollout.served import CLIENT_GONE as GONE
from zantara_exp.spans import GIVEN_UP, ROLE, Around, Called, Ended
from zantara_exp.spans.sdk import ModelCall, Spans, fail, inside, traceparent_of

if TYPE_CHECKING:
    from multidict import CIMultiDict

    from zantara_exp.gateway.routing import Turn

_PROVIDERS = {AZURE: "azure.ai.openai", BEDROCK: "aws.bedrock", VERTEX: "gcp.vertex_ai"}
"""OpenTelemetry's names of the providers that have another name here."""
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
_OTHER_METHOD = "_OTHER"
_IN_PATH = re.compile(r"/(?:models|deployments)/([^/:]+)[/:]|/model/(.+)/invoke")
"""Where Vertex AI, Azure and Bedrock name the model."""


class RequestSpans:
    """The spans of one exchange."""

    def __init__(self, spans: Spans, exchange: Exchange, scope: Event) -> None:
        self._spans = spans
        self._method = scope["method"] if scope["method"] in _METHODS else _OTHER_METHOD
        self._own = spans.request(self._method, exchange.header(b"traceparent"), exchange.header(b"tracestate"))
        self._own.set_attribute("url.scheme", scope["scheme"])
        self.traceparent = traceparent_of(self._own)
        """The parent of all spans of this request, also in other processes."""
        self._primary: ModelCall | None = None
        self._status = 0
        """The primary's HTTP status; 0 before it has answered."""
        self._model: str | None = None
        self._stream = False

    def read(self, exchange: Exchange, body: bytes) -> None:
        """Note what a chat asks for, and have its answer parsed."""
        if exchange.dialect is None or self._method != "POST" or not self._own.is_recording():
            return
        try:
            asked = json_object(body)
        except NotText:
            asked = {}
        self._model, self._stream = name(asked.get("model")), bool(asked.get("stream"))
        if exchange.answer is None:
            exchange.answer = bytearray()

    def of_candidate(self, epoch: str) -> Around:
        """The context in which calls of the candidate for this user are traced."""
        return Around(self._spans, inside(self._own), {ROLE: CANDIDATE, "zantara.candidate_id": epoch})

    def ask(self, exchange: Exchange, route: Route, address: URL, headers: CIMultiDict[str]) -> None:
        """The primary is about to be asked, with these headers."""
        provider = _PROVIDERS.get(route.upstream, route.upstream)
        found = _IN_PATH.search(exchange.path)
        model = self._model or (found[1] or found[2] if found else None)
        method = "" if exchange.dialect is not None else self._method
        called = Called(provider, model, address.host, address.port, self._stream, method)
        self._primary = self._spans.call(called, inside(self._own), {ROLE: PRIMARY})
        headers.update(self._primary.headers)

    def answered(self, status: int) -> None:
        """The primary answered."""
        self._status = status
        if self._primary is not None:
            self._primary.answered(status)

    def end(self, exchange: Exchange, outcome: Outcome) -> None:
        """The exchange is over."""
        if self._primary is not None:
            self._primary.end(self._ended(exchange, outcome))
        if exchange.dialect is not None:  # other paths may contain names of people
            self._own.update_name(f"{self._method} {exchange.dialect.path}")
            self._own.set_attribute("http.route", exchange.dialect.path)
        if exchange.status:
            self._own.set_attribute("http.response.status_code", exchange.status)
        if exchange.refused:
            self._own.set_attribute("zantara.refused", exchange.refused)
        self._own.set_attribute("zantara.sampled", exchange.chat is not None)
        if exchange.turn is not None:
            self._own.set_attributes(_of_rollout(exchange.turn))
        fail(self._own, _failure(exchange))
        self._own.end()

    def _ended(self, exchange: Exchange, outcome: Outcome) -> Ended:
        """How the primary's call ended."""
        first = None if exchange.first_token_ms is None else exchange.first_token_ms / 1000
        if exchange.status == CLIENT_GONE:
            error: str | None = GONE
        elif not self._status:
            error = exchange.unreached or GIVEN_UP
        elif self._status >= 400:
            error = reason_of(self._status).value
        elif outcome.error or not exchange.finished:
            error = outcome.error or CUT
        else:
            error = None
        if outcome.said is None or error is not None:
            return Ended(error, first_text_seconds=first)
        said = outcome.said
        return Ended(None, said.model, said.usage, said.finish_reason, first)


def _of_rollout(turn: Turn) -> dict[str, str]:
    said = {"zantara.arm": turn.arm, "zantara.answered_by": CANDIDATE if turn.begun else PRIMARY}
    if turn.answer is not None and turn.answer.error is not None:
        said["zantara.candidate_error"] = turn.answer.error.value
    return said


def _failure(exchange: Exchange) -> str | None:
    """The user's error; None if the user was answered or did not wait."""
    if exchange.status == CLIENT_GONE:
        return None
    if exchange.status >= 500:
        return str(exchange.status)
    return None if exchange.finished and not exchange.broken else CUT
