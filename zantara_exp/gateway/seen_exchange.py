"""Parses requests and answers for the mirror's sample and for the two arms of a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zantara_exp.config.gateway import Gateway
from zantara_exp.cost.usage import Usage, completed
from zantara_exp.gateway.client_retries import Attempts
from zantara_exp.gateway.dialects import CUT, Chat, NotText, Said
from zantara_exp.gateway.exchange import CLIENT_GONE, Exchange, Outcome, decoded
from zantara_exp.gateway.metrics import Metrics
from zantara_exp.gateway.routing import Routing, Turn
from zantara_exp.rollout.served import CANDIDATE, PRIMARY, Served
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror
from zantara_exp.traffic.answers import broken_off
from zantara_exp.traffic.movable import CLIENT_GONE as GONE

_PRIMARY_FAILED = {429: "rate_limited", 503: "overloaded", 529: "overloaded", 408: "timeout", 504: "timeout"}


class Sight:
    """Hands parsed requests and answers to mirror and routing. No content makes it raise."""

    def __init__(self, config: Gateway, mirror: ShadowMirror, routing: Routing, metrics: Metrics) -> None:
        self._config, self._mirror, self._routing, self._metrics = config, mirror, routing, metrics
        self._attempts = Attempts(self._conclude)

    def request(self, exchange: Exchange, method: str, body: bytes) -> None:
        """Decide whether a request gets an arm of the rollout, a place in the sample, or neither."""
        if method != "POST" or exchange.dialect is None:
            self._metrics.unmirrored["other_api"] += 1
            return
        mirrored, routed = self._mirror.enabled, self._routing.share > 0
        if not mirrored:
            self._metrics.unmirrored["off"] += 1
        if not mirrored and not routed:
            return
        user, category = exchange.header(b"x-zantara-user"), exchange.header(b"x-zantara-category")
        if not routed and user is not None and not self._mirror.chooses(user, category):
            self._mirror.pass_by()
            return
        chat = exchange.dialect.read_chat(body)
        if chat is None:
            exchange.route = exchange.route and exchange.route._replace(dialect=None)
            self._metrics.unmirrored["other_api"] += 1
            return
        self._routing.learn(chat)
        if routed:
            exchange.turn = self._routing.turn(exchange, chat)
        if mirrored:
            self._sample(exchange, chat, user or chat.user, category)
        if exchange.turn is not None or exchange.chat is not None:
            exchange.answer = bytearray()
            if self._attempts.begin(exchange, body):
                self._metrics.unmirrored["attempt"] += 1

    def _sample(self, exchange: Exchange, chat: Chat, user: str | None, category: str | None) -> None:
        if user is None:  # users are sampled, and evidence is counted by user
            self._metrics.unmirrored["no_user"] += 1
        elif not self._mirror.chooses(user, category):
            self._mirror.pass_by()
        elif exchange.turn is not None and exchange.turn.arm == CANDIDATE:  # there is no primary's answer to compare
            self._metrics.unmirrored["moved"] += 1
        else:
            exchange.chat = ChatRequest(
                chat.message, user, chat.history, None, category, exchange.header(b"x-zantara-language"),
                exchange.header(b"x-zantara-conversation"), exchange.header(b"x-zantara-request"), chat.system or None,
                chat.options, chat.unshowable, traceparent=exchange.traceparent,
            )  # fmt: skip

    def chunk(self, exchange: Exchange, chunk: bytes, came: float) -> None:
        """Look for the first text, and keep the piece if the answer will be parsed."""
        if exchange.first_text is not None and exchange.first_text.comes_with(chunk):
            exchange.first_text = None
            exchange.first_token_ms = (came - exchange.asked) * 1000
            self._metrics.first_token[PRIMARY].observe(came - exchange.asked)
        if exchange.answer is None:
            return
        exchange.answer += chunk
        if len(exchange.answer) > self._config.mirrored_bytes:
            exchange.answer = None

    def over(self, exchange: Exchange) -> None:
        """The exchange has ended. The request is over, unless the client may try it again."""
        if exchange.chat is not None or exchange.turn is not None:
            self._attempts.end(exchange)

    def close(self) -> None:
        """The gateway ends: conclude the requests whose next attempt was waited for."""
        self._attempts.close()

    def _conclude(self, exchange: Exchange) -> None:
        """Show a sampled request to the mirror, and log what a user of the rollout was served."""
        outcome = self.outcome(exchange)
        if exchange.turn is not None and not exchange.stopped:
            error = outcome.error or ("refused" if outcome.refused else None)
            line = self._routing.note(exchange, exchange.turn, error, outcome.said)
            if line.answered_by == CANDIDATE and line.error is None:
                self._ask_in_reverse(exchange, exchange.turn, line)
        if exchange.chat is not None:
            self._show(exchange, exchange.chat, outcome)

    def _ask_in_reverse(self, exchange: Exchange, turn: Turn, line: Served) -> None:
        """Show the candidate's answer to the mirror, which asks the primary the same for a share of moved users."""
        chat, own = turn.chat, turn.answer
        if own is None:
            return
        request = ChatRequest(
            chat.message, exchange.header(b"x-zantara-user") or chat.user or "", chat.history, None, turn.category,
            turn.language, exchange.header(b"x-zantara-conversation"), line.request_id, chat.system or None,
            traceparent=exchange.traceparent,
        )  # fmt: skip
        answer = PrimaryAnswer(own.text, own.model, own.provider, own.usage, own.latency_ms, None, own.ttft_ms)
        self._mirror.observe_moved(request, turn.user, answer, turn.at.timestamp())

    def outcome(self, exchange: Exchange) -> Outcome:
        """How the primary's part of a finished exchange ended."""
        if exchange.outcome is None:
            exchange.outcome = self._outcome(exchange)
        return exchange.outcome

    def _outcome(self, exchange: Exchange) -> Outcome:
        if exchange.stopped:  # the gateway shut down: no model's failure
            return Outcome(lost="shutdown")
        if not exchange.asked:
            gone = exchange.status == CLIENT_GONE
            return Outcome(said=_left()) if gone else Outcome(lost="answered")
        if exchange.status >= 500 or exchange.status in _PRIMARY_FAILED:
            return Outcome(error=_PRIMARY_FAILED.get(exchange.status, "server_error"))
        if exchange.status == CLIENT_GONE:
            return Outcome(said=_left())
        if not exchange.finished:
            return Outcome(error=CUT)
        if exchange.status != 200:
            return Outcome(refused=True)
        if exchange.answer is None or exchange.dialect is None:
            return Outcome(lost="too_large")
        try:
            body = decoded(exchange, self._config.mirrored_bytes)
            said = exchange.dialect.read_answer(body, exchange.streamed)
            if broken_off(said.finish_reason):
                return Outcome(error=CUT)
            if exchange.streamed:  # many streams come without usage, so tokens are estimated
                said = replace(said, usage=completed(said.usage, _asked(exchange), said.text))
            return Outcome(said=said)
        except NotText as why:
            return Outcome(error=CUT) if str(why) == CUT else Outcome(lost=str(why))

    def _show(self, exchange: Exchange, chat: ChatRequest, outcome: Outcome) -> None:
        since = exchange.came or exchange.asked or exchange.began
        latency_ms = (exchange.ended - since) * 1000
        chat = replace(chat, attempt=exchange.attempt)
        said = outcome.said
        if outcome.error is not None:
            failed = PrimaryAnswer("", None, "gateway", latency_ms=latency_ms, error=outcome.error)
            self._mirror.observe(chat, failed)
        elif said is not None:
            provider = None if exchange.route is None else exchange.route.upstream
            first = exchange.first_token_ms if exchange.streamed else None
            if first is not None:
                first += (exchange.asked - since) * 1000  # 0 unless the client had tried before
            answer = PrimaryAnswer(
                said.text, said.model, provider, said.usage, latency_ms, said.made, first, said.finish_reason
            )
            self._mirror.observe(chat, answer)
        elif outcome.refused:
            self._metrics.unmirrored["refused"] += 1
        else:
            self._mirror.lose(outcome.lost or "unreadable")


def _left() -> Said:
    """What is logged when the client did not wait for the answer."""
    return Said("", None, Usage(), None, GONE)


def _asked(exchange: Exchange) -> Iterator[str]:
    """The texts that the primary read."""
    if exchange.turn is not None:
        yield exchange.turn.chat.system
    elif exchange.chat is not None:
        yield exchange.chat.system_prompt or ""
    asked = exchange.chat if exchange.turn is None else exchange.turn.chat
    if asked is not None:
        yield asked.message
        yield from (each["content"] for each in asked.history)
