"""The router: for each request, whether the candidate answers it. Microseconds, no input or output, never an error.

    router = Router.from_config("endpoint=runpod")          # at start-up, once per process, after any fork
    if router.decide(user, category, language).candidate: ...

A thread reads the state every `refresh_seconds`, so that a rollback is seen by every process within that time. A user
stands at one place in [0, 100) for the whole rollout and has the candidate while the share lies above it: who had it at
10 % keeps it at 25 %. What is not known for sure is answered by the primary: an unreadable state, a state that was not
read for `last_known_seconds`, a category not named, a language that the GO does not cover or that is not known, another
candidate than the one authorised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from zantara_exp.config.rollout import Rollout
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import given, of_this_command
from zantara_exp.rollout.state import State, UnreachableStateError, UnreadableStateError
from zantara_exp.rollout.store import Store, open_store
from zantara_exp.rollout.switch import VARIABLE, llama_enabled
from zantara_exp.routing.certificate import Certificate, load
from zantara_exp.routing.score import Known
from zantara_exp.shadow.sampling import user_percentile
from zantara_exp.traffic.movable import SCORE_BELOW, Asked, Movable


class Route(NamedTuple):
    """Who answers, and why."""

    candidate: bool
    reason: str


class _View(NamedTuple):
    """What one reading of the state means. It is replaced as a whole, so that no decision mixes two readings."""

    share: float
    salt: str
    why_not: str
    """Why nobody has the candidate; empty if somebody has."""
    read_at: float
    covers: Mapping[str, tuple[str, ...]] = {}
    """The parts of the traffic that are moved, by dimension."""
    exclude: tuple[Mapping[str, str], ...] = ()
    """The parts that are not moved, whatever this process's config says."""
    certificate: Certificate | None = None
    """The certificate whose score chooses requests; None: all are moved."""


_OFF = Route(False, f"{VARIABLE} is off")
_USER = Route(False, "user is not in the share")
_NOTHING_MORE = Asked()
_NO_TEXT = Route(False, "user id is no text")
BELOW = Route(False, f"stays with the primary: {SCORE_BELOW}")
_CANDIDATE = Route(True, "user is in the share")


class Router:
    """Decides by the last state read. `epoch` is what this process would serve; None if it cannot know."""

    def __init__(
        self,
        store: Store,
        plan: Rollout,
        epoch: str | None,
        clock: Callable[[], float] = time.monotonic,
        movable: Movable | None = None,
        certificate: Callable[[], Certificate] | None = None,
    ) -> None:
        """`movable`: the predicate, where it knows more than the plan; `certificate` reads that of a learned route."""
        self._read_certificate = certificate
        self._certificate: Certificate | None = None
        self._store, self._epoch, self._clock = store, epoch, clock
        self._movable = movable or Movable(plan)
        self._trusted, self._every = plan.last_known_seconds, plan.refresh_seconds
        self._view = _View(0.0, "", "state not read yet", clock())
        self._stop = threading.Event()
        self.refresh()
        self._thread = threading.Thread(target=self._keep_up, name="rollout-router", daemon=True)
        self._thread.start()

    @classmethod
    def from_config(cls, *overrides: str) -> Router:
        """A router on `conf/` with overrides. Raises ConfigError, or MissingInputError without a local model."""
        from zantara_exp.config import compose
        from zantara_exp.core.layout import Layout
        from zantara_exp.rollout.authority import serving_epoch

        config: Config = compose(list(overrides))
        layout = Layout(config)
        with of_this_command(replace(given(), overrides=(*given().overrides, *overrides))):  # whose rollout it is
            store = open_store(config.rollout, layout)
        epoch = serving_epoch(config, layout)
        certificate = partial(load, layout.certificate)
        return cls(store, config.rollout, epoch, movable=Movable.of(config), certificate=certificate)

    def decide(
        self,
        user: str,
        category: str | None,
        language: str | None = None,
        asked: Asked = _NOTHING_MORE,
        known: Known | None = None,
    ) -> Route:
        """Who answers a request of `user`, any stable id, best the keyed hash that the log has too.

        `language` in the log's form; if the rollout moves only some languages, an unknown one stays with the primary.
        `asked`: what the request asks for besides its text, which may keep it with the primary. `known`: the inputs of
        the score, if the rollout needs one (`scored`); without them the request then stays with the primary.
        """
        if not llama_enabled():
            return _OFF
        view = self._view
        if view.why_not:
            return Route(False, view.why_not)
        if self._clock() - view.read_at > self._trusted:
            return Route(False, f"state not read for {self._trusted:g} s")
        if why := self._movable.request(asked) or self._movable.segment(
            category, language, view.covers, more=view.exclude
        ):
            return Route(False, f"stays with the primary: {why}")
        if view.certificate is not None and (known is None or not view.certificate.moves(known)):
            return BELOW
        try:
            return _CANDIDATE if user_percentile(user, view.salt) < view.share else _USER
        except UnicodeEncodeError:
            return _NO_TEXT

    @property
    def covers(self) -> Mapping[str, tuple[str, ...]]:
        """The values that the GO covers, by dimension, for the dimensions that it does not cover whole."""
        return self._view.covers

    @property
    def asks_language(self) -> bool:
        """Whether a decision needs the language of the request."""
        of_state = [self._view.covers, *self._view.exclude]
        return self._movable.by_language or any("language" in named for named in of_state)

    @property
    def scored(self) -> bool:
        """Whether requests are moved by their score."""
        return self._view.certificate is not None

    @property
    def share(self) -> float:
        """Percent of users of the routed categories who have the candidate now."""
        view = self._view
        fresh = self._clock() - view.read_at <= self._trusted
        return view.share if fresh and not view.why_not and llama_enabled() else 0.0

    def refresh(self) -> None:
        """Read the state now. If it cannot be reached, the last known one stays, with its age."""
        began = self._clock()
        try:
            state = self._store.read()
        except UnreachableStateError:
            return
        except UnreadableStateError:
            self._view = _View(0.0, "", "state cannot be read", began)
            return
        salt, certificate = f"rollout {state.epoch}", self._certified(state)
        why_not = self._why_not(state, certificate)
        self._view = _View(state.share, salt, why_not, began, state.covers, state.exclude, certificate)

    def _certified(self, state: State) -> Certificate | None:
        """The certificate with which the rollout began; None if it needs none, or if it is not on this machine."""
        held = self._certificate
        if state.certificate and self._read_certificate and (held is None or held.hash != state.certificate):
            with suppress(ZantaraError):
                held = self._certificate = self._read_certificate()
        return held if held is not None and held.hash == state.certificate else None

    def _why_not(self, state: State, certificate: Certificate | None) -> str:
        if not state.share:
            return f"rollout is {state.phase}"
        if self._epoch is not None and state.epoch != self._epoch:
            return "another candidate than the one authorised"
        if state.certificate and certificate is None:
            return f"certificate {state.certificate} is not here"
        return ""

    def _keep_up(self) -> None:
        while not self._stop.wait(self._every):
            self.refresh()

    def close(self) -> None:
        """Stop reading; the last state is trusted until `last_known_seconds` are over."""
        self._stop.set()
        self._thread.join(timeout=self._every + 1.0)
        self._store.close()
