"""The controller: looks at the guardrails every `rollout.every_seconds`, and rolls back by itself.

    python -m zantara_exp stage=rollout rollout.watch=true

Several may run at once: each change is a compare-and-swap, and what one has rolled back the other finds rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from zantara_exp.config.schema import Config
from zantara_exp.errors import ConfigError
from zantara_exp.rollout import ramp
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.moves import Clock, rolled_back
from zantara_exp.rollout.state import State
from zantara_exp.rollout.store import Store
from zantara_exp.stage import Context


class Controller:
    """Watches one rollout. A look that could not be made is no good news: `blind_looks` of them in a row pause."""

    def __init__(self, config: Config, context: Context, store: Store, clock: Clock) -> None:
        self._config, self._context, self._store, self._clock = config, context, store, clock
        self._blind = 0
        self._said = ""

    def watch(self, sleep: Callable[[float], object] = time.sleep) -> None:
        """Look until interrupted, or as often as `rollout.looks` says."""
        plan, made = self._config.rollout, 0
        self._context.say(f"watching gate={plan.guardrails} every {plan.every_seconds:g} s   (Ctrl-C ends it)")
        try:
            while True:
                self.look_once()
                made += 1
                if plan.looks is not None and made >= plan.looks:
                    return
                sleep(plan.every_seconds)
        except KeyboardInterrupt:
            return

    def look_once(self) -> None:
        """One look, and what follows from it. Raises ConfigError only: a mistake that no waiting mends."""
        state: State | None = None
        try:
            state = self._store.read()
            if not state.share:
                self._blind = 0
                self._say(f"{state.words}: nothing to watch")
                return
            found = look(self._config, self._context.layout, state)
            if found.breach:
                self._roll_back(found.breach)
            else:
                self._say(f"{state.words}: no breach" + (f"; too few users yet: {found.thin}" if found.thin else ""))
            self._blind = 0
        except ConfigError:
            raise
        except Exception as error:
            # Whatever it was: a controller that ended here would leave the candidate unwatched.
            self._missed(state, error)

    def _roll_back(self, why: str) -> None:
        rolled_back(self._store, ramp.Order(ramp.GUARDRAILS, why, self._clock()))
        self._say(f"rolled back: {why}")

    def _missed(self, state: State | None, error: Exception) -> None:
        self._blind += 1
        why = f"{type(error).__name__}: {getattr(error, 'message', error)}"
        self._say(f"look {self._blind} in a row that could not be made: {why}")
        if self._blind < self._config.rollout.blind_looks or state is None or not state.share:
            return
        reason = f"the guardrails could not be looked at {self._blind} times in a row: {why}"
        try:
            self._store.swap(state, ramp.pause(state, ramp.Order(ramp.GUARDRAILS, reason, self._clock())))
            self._say(f"paused: {reason}")
        except Exception as unwritten:
            self._say(f"could not be paused either: {unwritten}")

    def _say(self, line: str) -> None:
        """Say what is new; the same line every minute would hide the one that matters."""
        if line != self._said:
            self._said = line
            self._context.say(f"{self._clock():%Y-%m-%d %H:%M:%S} {line}")
