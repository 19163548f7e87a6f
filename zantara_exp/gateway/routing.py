"""Who answers a request while a rollout runs, and the line about it that the guardrails read.

Only a movable request (`traffic/movable.py`) of a named user, in a language that the rollout's GO covers, gets an arm.
Everything else goes to the primary and is in no arm.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from zantara_exp import spans
from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.ids import new_id
from zantara_exp.core.layout import Layout
from zantara_exp.cost.prices import charge_by_tokens
from zantara_exp.cost.prices import load as load_prices
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.redact import Redactor, redactor_of
from zantara_exp.dataset.user_hash import hash_key, hash_user
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.endpoints.streaming import Hearer, Listening, Take
from zantara_exp.gateway.candidate import Candidate
from zantara_exp.gateway.dialects import CUT, Chat, Said
from zantara_exp.gateway.exchange import CLIENT_GONE as CLIENT_GONE_STATUS
from zantara_exp.gateway.exchange import Exchange
from zantara_exp.gateway.metrics import Metrics
from zantara_exp.rollout.complaints import note_complaint
from zantara_exp.rollout.router import BELOW, Router
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, PRIMARY, Served, ServedLog
from zantara_exp.rollout.served_store import append_served, open_sink
from zantara_exp.rollout.store import open_store
from zantara_exp.routing.certificate import load as load_certificate
from zantara_exp.routing.score import Known
from zantara_exp.shadow.safe_labels import fit_id, known_category, known_language
from zantara_exp.traffic.movable import IMPATIENT, SCORE_BELOW, STORED_CHAT, Movable

_USERS_KEPT = 10_000


@dataclass(slots=True)
class Turn:
    """One request that is in an arm of the rollout, with what is needed to log it."""

    arm: str
    chat: Chat
    at: datetime
    user: str
    """Keyed hash."""
    category: str
    language: str | None
    """None: the thread of the served log will detect it."""
    share: float
    answer: Answer | None = None
    """The candidate's answer or failure; None until it was asked."""
    begun: bool = False
    """Whether the user has seen a part of the candidate's answer."""

    @property
    def broken(self) -> bool:
        """Whether the candidate broke off after the user had seen a part of its answer."""
        return self.begun and self.answer is not None and self.answer.error is not None


class Routing:
    """Gets each request's arm, asks the candidate for moved users, and logs what both arms were served."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        """Read the rollout's state. Raises MissingRequirementError if its database's URL is not set."""
        layout = Layout(config)
        self._config, self._metrics = config, metrics
        self._movable = Movable.of(config)
        self._classifier = classifier(config)
        self.epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
        """The epoch of the candidate that this process serves. A rollout of another candidate moves nobody here."""
        self._key = hash_key(config)
        self._users: dict[str, str] = {}
        self._goes_on = False
        """Whether some app has continued a chat from an answer that its provider keeps (`previous_response_id`).

        The provider does not keep a candidate's answer, so such requests are then no longer moved. This matters only
        with gateway.move_stored; without it they are never moved.
        """
        certificate = partial(load_certificate, layout.certificate)
        self._router = Router(open_store(config.rollout, layout), config.rollout, self.epoch, certificate=certificate)
        self._redactor: Redactor | None = None
        """None: no score can be computed, so a rollout that moves by a score moves nobody here."""
        self._candidate = Candidate(config, lambda: self.share > 0)
        sink = open_sink(config, layout)
        self._served = ServedLog(partial(append_served, sink), sink.close, self._language)

    async def open(self) -> None:
        """Open the candidate in the event loop, and load what is heavy now, so that no user waits for it."""
        await asyncio.to_thread(self._language, "a first text loads what tells languages apart")
        await asyncio.to_thread(load_prices)
        if self._config.rollout.route == "learned":
            self._redactor = await asyncio.to_thread(redactor_of, self._config.dataset)
        await self._candidate.open()

    async def close(self) -> None:
        """Stop reading the state, and write what was noted."""
        await self._candidate.close()
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """Stop the threads. `close` calls it; if `open` was never called it is all there is to do."""
        self._router.close()
        self._served.close()

    @property
    def share(self) -> float:
        """Percent of the users of the moved categories who get the candidate now."""
        return self._router.share

    @property
    def scored(self) -> bool:
        """Whether the rollout moves requests by a score (`rollout.route=learned`)."""
        return self._router.scored

    @property
    def breaker(self) -> str:
        """The state of the candidate's breaker in this process."""
        return self._candidate.breaker

    @property
    def lost_lines(self) -> int:
        """Lines of the served log that could not be kept."""
        return self._served.lost

    def learn(self, chat: Chat) -> None:
        """Notice if the app continues stored chats (`_goes_on`)."""
        self._goes_on = self._goes_on or chat.unshowable == STORED_CHAT

    def turn(self, exchange: Exchange, chat: Chat) -> Turn | None:
        """The request's arm; None if the primary answers it whatever the rollout does."""
        share = self.share
        user = exchange.header(b"x-zantara-user") or chat.user
        if not share or user is None:
            return None
        why = self._movable.request(chat.asked)
        if not why and chat.stored and (self._goes_on or not self._config.gateway.move_stored):
            why = STORED_CHAT
        patience = exchange.patience()
        if not why and patience is not None and patience < self._config.gateway.late_seconds:
            why = IMPATIENT  # such a client leaves before the candidate could be called late
        if why:
            self._metrics.unrouted[why] += 1
            return None
        category, sure = self._about(exchange, chat)
        if category not in self._movable.categories:
            return None
        language = known_language(exchange.header(b"x-zantara-language"), self._config.dataset.languages)
        if language is None and (self._router.asks_language or self._router.scored):
            language = self._spoken(chat.message)
        if why := self._movable.segment(category, language, self._router.covers, sure):
            self._metrics.unrouted[why] += 1
            return None
        known = self._known(chat, category, language)
        hashed = self._users.get(user) or self._hashed(user)
        route = self._router.decide(hashed, category, language, known=known)
        if route is BELOW:
            self._metrics.unrouted[SCORE_BELOW] += 1
            return None
        arm = CANDIDATE if route.candidate else PRIMARY
        return Turn(arm, chat, clock.now(), hashed, category, language, share)

    async def ask(self, exchange: Exchange, turn: Turn, take: Take | None = None) -> Answer:
        """Ask the candidate; return its answer or failure. `take` gets the pieces of a stream."""
        chat = turn.chat
        system = chat.system or self._config.dataset.system_prompt
        messages: list[Message] = [{"role": "system", "content": system}]
        messages += [{"role": each["role"], "content": each["content"]} for each in chat.history]
        messages.append({"role": "user", "content": chat.message})
        hearer = None if take is None else Hearer(take, self._config.endpoint.timeout_seconds)
        began, listening = time.perf_counter(), Listening(hearer)
        around = None if exchange.spans is None else exchange.spans.of_candidate(self.epoch)
        try:
            with spans.within(around):
                turn.answer = await self._candidate.answer(messages, exchange.patience(), listening)
        except asyncio.CancelledError:
            if exchange.status == CLIENT_GONE_STATUS:
                turn.answer = self._candidate.left(began, listening.silent_seconds)
            raise
        return turn.answer

    def note(self, exchange: Exchange, turn: Turn, error: str | None, said: Said | None) -> Served:
        """Count a finished request and log it. `said` and `error` are the primary's, if it was asked."""
        since, first = exchange.waited_since, exchange.first_byte_at
        own = turn.answer if turn.arm == CANDIDATE else None
        answered_by = CANDIDATE if turn.begun else PRIMARY
        failure = None if own is None or own.error is None else own.error.value
        if exchange.status == CLIENT_GONE_STATUS:
            error = CLIENT_GONE
            if turn.arm == CANDIDATE and not exchange.asked and not failure:  # he left before anybody could answer
                answered_by = CANDIDATE
        elif turn.begun and (failure or not exchange.finished):
            error = CUT
        self._metrics.served[turn.arm, answered_by, failure or "", error or ""] += 1
        if own is not None:
            self._metrics.candidate.observe(own.latency_ms / 1000)
            if own.ttft_ms is not None:
                self._metrics.first_token[CANDIDATE].observe(own.ttft_ms / 1000)
        answer = own if answered_by == CANDIDATE else said
        line = Served(
            timestamp=turn.at,
            request_id=self._fit_id(exchange, turn, b"x-zantara-request") or new_id(),
            user=turn.user,
            category=turn.category,
            language=turn.language,
            epoch=self.epoch,
            share=turn.share,
            arm=turn.arm,
            answered_by=answered_by,
            candidate_error=failure,
            error=error,
            latency_ms=round((exchange.ended - since) * 1000, 3),
            ttft_ms=None if first is None else round((first - since) * 1000, 3),
            candidate_ms=None if own is None else round(own.latency_ms, 3),
            model=None if answer is None else answer.model,
            tokens_input=None if answer is None else answer.usage.read,
            tokens_output=None if answer is None else answer.usage.output,
            estimated=answer is not None and answer.usage.estimated,
            usd=self._usd(turn, own, said if answered_by == PRIMARY else None),
            conversation_id=self._fit_id(exchange, turn, b"x-zantara-conversation"),
        )
        self._served.note(line, turn.chat.message)
        return line

    def _usd(self, turn: Turn, own: Answer | None, said: Said | None) -> float | None:
        """US dollars of both calls, or None if one is not known. A failure that is not billed costs 0."""
        candidate = 0.0 if own is None else own.billed.usd
        if own is not None and own.error is not None and not turn.broken:
            candidate = candidate or 0.0
        if said is None:
            return candidate if own is not None and turn.begun else None
        charge = charge_by_tokens(said.model, said.usage, self._config.cost, turn.at.date())
        return None if charge is None or candidate is None else candidate + (charge.usd or 0.0)

    def complain(self, user: str) -> None:
        """Log that a user complained; call it in a thread. Raises OSError or ZantaraError if that fails."""
        note_complaint(self._config, Layout(self._config), self._users.get(user) or self._hashed(user), clock.now())

    def _fit_id(self, exchange: Exchange, turn: Turn, name: bytes) -> str | None:
        user = exchange.header(b"x-zantara-user") or turn.chat.user or ""
        return fit_id(exchange.header(name), user, self._key)

    def _about(self, exchange: Exchange, chat: Chat) -> tuple[str, bool]:
        """The category and whether it is sure: from the app, or else from the whole chat, as for the dataset.

        The whole chat is needed because `And what does that cost?` is about what was named before.
        """
        named = known_category(exchange.header(b"x-zantara-category"), self._config.domain.categories)
        if named is not None:
            return named, True
        said = [each["content"] for each in chat.history if each["role"] == "user"]
        category, sure, _ = self._classifier.conversation([*said, chat.message])
        return category, sure

    def _known(self, chat: Chat, category: str, language: str | None) -> Known | None:
        """The score's inputs, in the form of the comparison log; None if no score is needed or possible."""
        if self._redactor is None or not self._router.scored:
            return None
        turns = 1 + sum(each["role"] == "user" for each in chat.history)
        return Known(self._redactor.text(chat.message), language, category, turns, clock.now().hour)

    def _spoken(self, text: str) -> str | None:
        """The language of a text, detected as for the comparison log; None if it cannot be detected."""
        try:
            return self._language(text)
        except Exception:  # texts may be anything: an unknown language stays with the primary
            return None

    def _hashed(self, user: str) -> str:
        if len(self._users) >= _USERS_KEPT:
            self._users.clear()
        hashed = self._users[user] = hash_user(user, self._key)
        return hashed

    def _language(self, text: str) -> str:
        from zantara_exp.dataset.language import detector

        return detector(self._config).detect(text)
