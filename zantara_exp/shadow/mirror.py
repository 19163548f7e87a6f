"""Shadow mode as a library, three lines in an asyncio app:

    shadow = ShadowMirror.from_config("endpoint=runpod", "shadow=live")
    shadow.observe(ChatRequest(message, user_id=user), PrimaryAnswer(text, model="claude-haiku-4-5"))
    await shadow.close()

`observe` puts the request into a bounded queue and returns: it never waits, never raises and does no input or output.
The candidate is called by a process of its own (`_worker.py`), because whatever runs in the app's process, even on
another thread, takes turns with the app's event loop. A killed app leaves a worker that finishes what it has and ends.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from zantara_exp import spans
from zantara_exp.config.candidates import candidates
from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.ids import new_id
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.category import examples_of
from zantara_exp.dataset.user_hash import hash_key, hash_user
from zantara_exp.endpoints.build import check_primary
from zantara_exp.shadow._app_side import Item, Link
from zantara_exp.shadow.identity import only_here, warn_once
from zantara_exp.shadow.log import check_log
from zantara_exp.shadow.record import MOVED, Sampling
from zantara_exp.shadow.safe_labels import known_category
from zantara_exp.shadow.sampling import Sampler, in_reverse
from zantara_exp.shadow.several_candidates import check_each
from zantara_exp.shadow.stats import Stats
from zantara_exp.shadow.switch import Switch
from zantara_exp.traffic.movable import UNSHOWABLE, Asked, Movable

__all__ = ["ChatRequest", "PrimaryAnswer", "ShadowMirror", "Stats"]

_USERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a user asked, as the primary saw it."""

    message: str
    user_id: str
    """The product's id of the user; hashed before it leaves the process. A number or UUID is converted to text."""
    history: Sequence[Mapping[str, str]] = ()
    """Earlier turns, each with `role` and `content`."""
    memory_context: str | None = None
    """What the product knows about the user and has told the primary."""
    category: str | None = None
    """None or an unknown word: determined as for the dataset."""
    language: str | None = None
    """None, or not in dataset.languages: detected as for the dataset."""
    conversation_id: str | None = None
    """Hashed, as `request_id` is, before it leaves the process, unless it is a UUID or a short number."""
    request_id: str | None = None
    """None: a new one is made. Several requests may have the same id, such as that of a trace."""
    system_prompt: str | None = None
    """The primary's system prompt; None: dataset.system_prompt."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The other fields of the request, with the API's names: tools, response_format, max_tokens ... The whole body may
    be given. They decide, with the chat, whether a rollout would move the request."""
    unshowable: str = ""
    """`not_text` for a chat with more than text, such as an image; its texts are then not read."""
    attempt: int = 1
    """The number of this attempt, if the client retries: a retry is no request of its own."""
    traceparent: str | None = None
    """A W3C `traceparent` header, or a trace id alone; the log names the trace. If spans are on and the whole header is
    given, the candidate's call is a span of this trace."""


@dataclass(frozen=True, slots=True)
class PrimaryAnswer:
    """The primary's answer, which the user got."""

    text: str
    model: str | None = None
    provider: str | None = None
    usage: object = None
    """As the API or its SDK reports it: `reply.usage`, a mapping, or `zantara_exp.cost.usage.Usage`."""
    latency_ms: float | None = None
    error: str | None = None
    """Why there is no answer. With `client_gone`, `tool_use` and `not_text` nothing is compared."""
    ttft_ms: float | None = None
    """Milliseconds to the first token, if the answer was streamed."""
    finish_reason: str | None = None


class ShadowMirror:
    """Mirrors a sample of an app's requests to the candidate."""

    def __init__(self, config: Config) -> None:
        """Start the worker. Raises ZantaraError for a config that cannot work, such as a key that is not set."""
        several = candidates(config)
        check_each(several)
        if config.primary.aa_percent or config.rollout.reverse_percent:
            check_primary(config.primary.endpoint or "")
        examples_of(config.domain)
        check_log(config)
        self._sampler, self._movable = Sampler(config.shadow), Movable.of(config)
        self._categories = frozenset(config.domain.categories)
        self._out_of_scope = config.shadow.out_of_scope
        self._reverse = Sampling(config.rollout.reverse_percent, MOVED)
        self._key = hash_key(config)
        for trouble in filter(None, (only_here(config), spans.trouble())):
            warn_once(trouble)
        self._users: dict[str, str | None] = {}
        """Recent users: their hash, or None for users outside of the sample."""
        # Each candidate has its own queue and worker, so a slow one delays no other.
        self._links = {name: Link(each, Switch(Layout(each).state), self._key) for name, each in several.items()}
        self._link = next(iter(self._links.values()))
        self._moved_to = self._links.get(config.rollout.candidate or "", self._link)
        for link in self._links.values():
            # Without this the worker of a dropped mirror (a notebook's cell that runs again) would stay for ever.
            weakref.finalize(self, link.finish).atexit = False

    @classmethod
    def from_config(cls, *overrides: str, config_dir: str | None = None) -> ShadowMirror:
        """A mirror from the config with overrides such as `endpoint=runpod`. Raises ConfigError."""
        from zantara_exp.config import compose, looking_in

        with looking_in(config_dir):
            return cls(compose(overrides, config_dir))

    @property
    def enabled(self) -> bool:
        """Whether shadow mode is on."""
        return self._link.enabled

    def chooses(self, user_id: str, category: str | None = None) -> bool:
        """Whether this user is in the sample, for callers to whom preparing a request costs something."""
        return self._takes_category(category) and self._sampled(user_id) is not None

    def pass_by(self) -> None:
        """Count a request outside of the sample."""
        self._link.observed += 1

    def lose(self, reason: str) -> None:
        """Count a request of the sample that cannot be compared."""
        self._link.observed += 1
        for link in self._links.values():
            link.lose(reason)

    def observe(self, request: ChatRequest, answer: PrimaryAnswer) -> None:
        """Mirror the request if it is in the sample. Returns at once and never raises; a loss is counted."""
        link = self._link
        link.observed += 1
        if not link.enabled:
            return
        try:
            user = self._sampled(request.user_id)
            if user is None or not self._takes_category(request.category):
                return
            said = len(request.message) + sum(len(turn["content"]) for turn in request.history)
            why_not = self._movable.request(Asked(request.options, said, request.unshowable))
            bare = why_not in UNSHOWABLE or bool(why_not and not self._out_of_scope)
            if bare:
                request, answer, said = _without_texts(request), replace(answer, text=""), 0
            now = time.monotonic()
            size = said + len(answer.text) + len(request.memory_context or "") + len(request.system_prompt or "")
            history, sampling = tuple(request.history), self._sampler.sampling
            same = new_id() if len(self._links) > 1 else ""
            item = Item(request, history, answer, user, sampling, clock.seconds(), size, why_not, bare, now, same=same)
            for link in self._links.values():
                link.offer(item)
        except Exception:  # no request may hurt the app; the loss is counted and logged
            for link in self._links.values():
                link.drop("unreadable")

    def observe_moved(self, request: ChatRequest, user: str, answer: PrimaryAnswer, at: float) -> None:
        """For a share of the requests that the candidate answered in a rollout, have the primary asked the same.

        `answer` is the candidate's, `user` a keyed hash, `at` in seconds since 1970, and the request's id is used as it
        is. Returns at once and never raises, as `observe` does.
        """
        link = self._moved_to
        if not link.enabled or not in_reverse(request.request_id or "", self._reverse.percent or 0.0):
            return
        size = len(request.message) + len(answer.text) + sum(len(turn["content"]) for turn in request.history)
        now = time.monotonic()
        link.offer(Item(request, tuple(request.history), answer, user, self._reverse, at, size, seen=now, moved=True))

    def _takes_category(self, said: str | None) -> bool:
        return self._sampler.takes_category(known_category(said, self._categories))

    def _sampled(self, user_id: str) -> str | None:
        """The hash of a user in the sample; None for another."""
        try:
            return self._users[user_id]
        except KeyError:
            if len(self._users) >= _USERS_KEPT:
                self._users.clear()
            user = hash_user(user_id if isinstance(user_id, str) else _text_of(user_id), self._key)
            found = self._users[user_id] = user if self._sampler.takes_user(user) else None
            return found

    @property
    def stats(self) -> Stats:
        """Counts and state of the first candidate's mirror."""
        return self._link.stats()

    @property
    def others(self) -> dict[str, Stats]:
        """Counts and state of each further candidate's mirror."""
        return {name: link.stats() for name, link in self._links.items() if link is not self._link}

    async def close(self, deadline_seconds: float | None = None) -> None:
        """Finish what is queued and in flight, up to the deadline (default: shadow.drain_seconds); count the rest.

        Calls are given up at the deadline; writing that down may take two seconds more.
        """
        for link in self._links.values():
            link.finish(deadline_seconds)
        for link in self._links.values():
            await asyncio.to_thread(link.close, deadline_seconds)


def _without_texts(request: ChatRequest) -> ChatRequest:
    """A request without texts and tools, for the queue: no model will be asked."""
    return replace(request, message="", history=(), memory_context=None, system_prompt="", options={})


def _text_of(user_id: object) -> str:
    """The id as text, as in the dataset; products may number their users. Raises TypeError for anything else."""
    if isinstance(user_id, int | UUID):
        return str(user_id)
    raise TypeError
