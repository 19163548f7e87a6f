"""Who answers a request while a rollout runs, and the line about it that the guardrails read.

Only a movable request (`zantara_exp.movable`) of a user who is named, in a language that the rollout's GO covers, is
routed at all. Everything else is the primary's, and in no arm.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from zantara_exp import clock, spans
from zantara_exp.config.schema import Config
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.redact import Redactor, redactor_of
from zantara_exp.dataset.users import hash_key, hash_user
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.endpoints.epoch import epoch_of
from zantara_exp.endpoints.hearing import Hearer, Listening, Take
from zantara_exp.gateway.candidate import Candidate
from zantara_exp.gateway.dialects import CUT, Chat, Said
from zantara_exp.gateway.exchange import CLIENT_GONE as CLIENT_GONE_STATUS
from zantara_exp.gateway.exchange import Exchange
from zantara_exp.gateway.metrics import Metrics
from zantara_exp.ids import new_id
from zantara_exp.layout import Layout
from zantara_exp.movable import IMPATIENT, SCORE_BELOW, STORED_CHAT, Movable
from zantara_exp.prices import charge_by_tokens
from zantara_exp.prices import load as load_prices
from zantara_exp.rollout.complaints import note_complaint
from zantara_exp.rollout.router import BELOW, Router
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, PRIMARY, Served, ServedLog
from zantara_exp.rollout.served_store import append_served, open_sink
from zantara_exp.rollout.store import open_store
from zantara_exp.routing.certificate import load as load_certificate
from zantara_exp.routing.score import Known
from zantara_exp.shadow.named import fit_id, known_category, known_language

_USERS_KEPT = 10_000


@dataclass(slots=True)
class Turn:
    """One request that is in an arm of the rollout."""

    arm: str
    chat: Chat
    at: datetime
    user: str
    """Keyed hash."""
    category: str
    language: str | None
    """None: told by the served log's thread."""
    share: float
    answer: Answer | None = None
    """The candidate's, or its failure; None until it was asked."""
    begun: bool = False
    """Whether the user has seen some of the candidate's answer."""

    @property
    def broken(self) -> bool:
        """Whether the candidate broke off an answer of which the user had seen some."""
        return self.begun and self.answer is not None and self.answer.error is not None


class Routing:
    """Asks the router, and the candidate for those who are moved; notes what both arms were served."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        """Read the rollout's state. Raises MissingRequirementError where its database's URL is not set."""
        layout = Layout(config)
        self._config, self._metrics = config, metrics
        self._movable = Movable.of(config)
        self._classifier = classifier(config)
        self.epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
        """Of the candidate that this process serves; a rollout of another moves nobody here."""
        self._key = hash_key(config)
        self._users: dict[str, str] = {}
        self._goes_on = False
        """Whether some app here goes on from answers that its provider keeps, where a candidate's would be missing.

        With gateway.move_stored alone: without it no such answer is the candidate's.
        """
        certificate = partial(load_certificate, layout.certificate)
        self._router = Router(open_store(config.rollout, layout), config.rollout, self.epoch, certificate=certificate)
        self._redactor: Redactor | None = None
        """None: no score can be told, and a rollout that asks for one moves nobody here."""
        self._candidate = Candidate(config, lambda: self.share > 0)
        sink = open_sink(config, layout)
        self._served = ServedLog(partial(append_served, sink), sink.close, self._language)

    async def open(self) -> None:
        """Get ready to ask the candidate, inside the event loop; nothing heavy is left to load while users wait."""
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
        """The threads' part of `close`, and all of it where `open` was never called."""
        self._router.close()
        self._served.close()

    @property
    def share(self) -> float:
        """Percent of users of the routed categories who are to have the candidate now."""
        return self._router.share

    @property
    def scored(self) -> bool:
        """Whether the rollout moves requests by their score."""
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
        """Look at a request for what it says of those to come."""
        self._goes_on = self._goes_on or chat.unshowable == STORED_CHAT

    def turn(self, exchange: Exchange, chat: Chat) -> Turn | None:
        """The arm that a request is in; None where it is the primary's whatever the rollout does."""
        share = self.share
        user = exchange.header(b"x-zantara-user") or chat.user
        if not share or user is None:
            return None
        why = self._movable.request(chat.asked)
        if not why and chat.stored and (self._goes_on or not self._config.gateway.move_stored):
            why = STORED_CHAT
        patience = exchange.patience()
        if not why and patience is not None and patience < self._config.gateway.late_seconds:
            why = IMPATIENT  # nobody could say that the candidate was late
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
        """The candidate's answer, or its failure; `take` gets a stream as it comes."""
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
        """Count a request that is over, and note its line. `said` and `error` are the primary's, where it was asked."""
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
        """What both calls took, where both are known; a failure that is billed nothing took nothing."""
        candidate = 0.0 if own is None else own.billed.usd
        if own is not None and own.error is not None and not turn.broken:
            candidate = candidate or 0.0
        if said is None:
            return candidate if own is not None and turn.begun else None
        charge = charge_by_tokens(said.model, said.usage, self._config.cost, turn.at.date())
        return None if charge is None or candidate is None else candidate + (charge.usd or 0.0)

    def complain(self, user: str) -> None:
        """Write down that a user complained. Raises OSError or ZantaraError where that fails; call it in a thread."""
        note_complaint(self._config, Layout(self._config), self._users.get(user) or self._hashed(user), clock.now())

    def _fit_id(self, exchange: Exchange, turn: Turn, name: bytes) -> str | None:
        user = exchange.header(b"x-zantara-user") or turn.chat.user or ""
        return fit_id(exchange.header(name), user, self._key)

    def _about(self, exchange: Exchange, chat: Chat) -> tuple[str, bool]:
        """The category, and whether it is sure: as the app says, or by the whole chat, as the dataset has it.

        `And what does that cost?` is about what was named before.
        """
        named = known_category(exchange.header(b"x-zantara-category"), self._config.domain.categories)
        if named is not None:
            return named, True
        said = [each["content"] for each in chat.history if each["role"] == "user"]
        category, sure, _ = self._classifier.conversation([*said, chat.message])
        return category, sure

    def _known(self, chat: Chat, category: str, language: str | None) -> Known | None:
        """What the score is computed from, as the comparison log has it; None where none is asked for, or can be."""
        if self._redactor is None or not self._router.scored:
            return None
        turns = 1 + sum(each["role"] == "user" for each in chat.history)
        return Known(self._redactor.text(chat.message), language, category, turns, clock.now().hour)

    def _spoken(self, text: str) -> str | None:
        """The language of a text, as the comparison log tells it; None where nothing can tell."""
        try:
            return self._language(text)
        except Exception:  # a text of any shape: what is not known stays with the primary
            return None

    def _hashed(self, user: str) -> str:
        if len(self._users) >= _USERS_KEPT:
            self._users.clear()
        hashed = self._users[user] = hash_user(user, self._key)
        return hashed

    def _language(self, text: str) -> str:
        from zantara_exp.dataset.language import detector

        return detector(self._config).detect(text)
