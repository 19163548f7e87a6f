"""The controller: checks the guardrails every `rollout.every_seconds`, and rolls back, pauses and resumes.

    python -m zantara_exp stage=rollout rollout.watch=true [rollout.auto_advance=true]

Several may run at once: each change of the state is a compare-and-swap, so only one of them makes it.
`rollout.alone=true` refuses a second one all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context
from zantara_exp.core.webhook import Notifier
from zantara_exp.rollout import ramp
from zantara_exp.rollout.alone import Alone
from zantara_exp.rollout.guardrails import Look, look
from zantara_exp.rollout.history import CONTROLLER, began_at, outages_of_week, paused_for_outage
from zantara_exp.rollout.increases import raised
from zantara_exp.rollout.moves import Clock, rolled_back
from zantara_exp.rollout.notify import announce
from zantara_exp.rollout.served_store import ServedReader
from zantara_exp.rollout.split import UNTESTED
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import Store

_TRY_AGAIN = timedelta(hours=1)
_AT_ONCE_SECONDS = 1.0
"""Seconds until a rollback that could not be written is tried again."""


class UnseenError(ZantaraError):
    """The log holds nothing although the candidate should be answering."""


class Controller:
    """Watches one rollout. After `blind_looks` looks in a row that failed it pauses the rollout."""

    def __init__(self, config: Config, context: Context, store: Store, clock: Clock, notifier: Notifier) -> None:
        self._config, self._context, self._store, self._clock = config, context, store, clock
        self._notifier = notifier
        self._served = ServedReader(config, context.layout)
        self._alone = Alone(config.rollout, context.layout)
        self._blind = 0
        self._said = ""
        self._not_before: datetime | None = None
        """When a refused step or resume is tried again."""
        self._unwritten: tuple[datetime, str] | None = None
        """A decided rollback that could not be written: the start of its rollout, and the reason."""

    def watch(self, sleep: Callable[[float], object] = time.sleep) -> None:
        """Look until interrupted, or as often as `rollout.looks` says.

        Raises ZantaraError where `rollout.alone` is asked for and another controller watches.
        """
        with closing(self._alone):
            self._alone.take()  # before it says that it watches
            self._watch(sleep)

    def _watch(self, sleep: Callable[[float], object]) -> None:
        plan, made = self._config.rollout, 0
        self._context.say(
            f"watching {len(plan.guardrails)} guardrails every {plan.every_seconds:g} s   (Ctrl-C ends it)"
        )
        if not plan.sample_ratio_alpha:
            self._context.say(f"{UNTESTED}: rollout.sample_ratio_alpha=0")
        try:
            while True:
                self._alone.take()
                self.look_once()
                made += 1
                if plan.looks is not None and made >= plan.looks:
                    return
                sleep(plan.every_seconds if self._unwritten is None else min(_AT_ONCE_SECONDS, plan.every_seconds))
        except KeyboardInterrupt:
            return

    def look_once(self) -> None:
        """Look once and act on it. Raises only ConfigError, which waiting does not mend."""
        state: State | None = None
        try:
            state = self._store.read()
            paused = paused_for_outage(state)
            if not state.share and not paused:
                self._blind, self._unwritten = 0, None
                self._say(f"{state.words}: nothing to watch")
                return
            if self._unwritten is not None and self._unwritten[0] == began_at(state):
                self._roll_back(state, self._unwritten[1])
            elif paused:
                self._wait_for_the_end(state)
            else:
                self._follow(state, self._look(state))
            self._blind = 0
        except ConfigError:
            raise
        except Exception as error:
            # After any error: a controller that ended here would leave the candidate unwatched.
            self._missed(state, error)

    def _look(self, state: State) -> Look:
        return look(self._config, self._context.layout, state, self._clock(), self._served)

    def _follow(self, state: State, found: Look) -> None:
        if found.breach:
            self._roll_back(state, found.breach)
            return
        if found.outage:
            self._pause(state, found.outage)
            return
        if found.split.mismatch:
            self._hold(state, found.split.mismatch)
            return
        if found.silent_hours >= self._config.rollout.silent_hours:
            raise UnseenError(
                f"no request of either arm was logged for {found.silent_hours:.0f} hours",
                f"see that the app or gateway runs and writes to paths.logs: {command('stage=doctor')}",
            )
        self._say(f"{state.words}: no breach" + (f"; too little seen yet: {found.thin}" if found.thin else ""))
        if self._config.rollout.auto_advance and not found.thin:
            self._advance(state)

    def _roll_back(self, state: State, why: str) -> None:
        self._unwritten = began_at(state), why
        order = ramp.Order(ramp.GUARDRAILS, why, self._clock())
        new = rolled_back(self._store, order)
        self._unwritten = None
        self._say(f"rolled back: {why}")
        if new.since == order.time:  # our change: another controller announces its own
            announce(self._notifier, new)

    def _pause(self, state: State, why: str) -> None:
        """Pause until the outage is over; too many outages end the rollout."""
        now, most = self._clock(), self._config.rollout.outage.most_per_week
        if outages_of_week(state, now) >= most:
            self._roll_back(state, f"an outage after {most} others within 7 days: {why}")
            return
        new = self._store.swap(state, ramp.outage(state, ramp.Order(ramp.GUARDRAILS, why, now)))
        self._not_before = None
        self._say(f"paused: {why}")
        announce(self._notifier, new)

    def _hold(self, state: State, why: str) -> None:
        """Pause until a person has looked: neither bad nor good is shown."""
        new = self._store.swap(state, ramp.pause(state, ramp.Order(ramp.GUARDRAILS, why, self._clock())))
        self._say(f"paused: {why}")
        announce(self._notifier, new)

    def _wait_for_the_end(self, state: State) -> None:
        """Resume when the candidate passes its test again; roll back if it does not come back."""
        now, rule = self._clock(), self._config.rollout.outage
        since = state.since or now
        if rule.give_up_hours is not None and now >= since + timedelta(hours=rule.give_up_hours):
            self._roll_back(state, f"not over after {rule.give_up_hours:g} hours: {state.history[-1].reason}")
        elif rule.wait_minutes is None:
            self._say(f"{state.words} for an outage: somebody has to resume it")
        elif now >= since + timedelta(minutes=rule.wait_minutes):
            order = ramp.Order(CONTROLLER, "the outage is over: the candidate passed its test", now)
            self._raise(state, "resume", order, timedelta(minutes=rule.wait_minutes))
        else:
            self._say(f"{state.words} for an outage: waiting")

    def _advance(self, state: State) -> None:
        """Go to the next step if it is due."""
        now, due = self._clock(), ramp.due_at(state, self._config.rollout)
        if state.phase == RUNNING and due is not None and now >= due:
            order = ramp.Order(CONTROLLER, "held for its time, and no guardrail is breached", now)
            self._raise(state, "advance", order, _TRY_AGAIN)

    def _raise(self, state: State, action: str, order: ramp.Order, again: timedelta) -> None:
        """Raise the share. A refusal is printed, and the move is tried again later."""
        if self._not_before and order.time < self._not_before:
            return
        try:
            new = raised(self._config, self._context, self._store, state, action, order)
        except ConfigError:
            raise
        except ZantaraError as refused:
            self._not_before = order.time + again
            what = f"{'the next step is held' if action == 'advance' else 'the pause goes on'}: {refused.message}"
            self._say(f"{state.words}: {what}")
            self._notifier.tell("step", what, order.time, {"epoch": state.epoch})
            return
        self._not_before = None
        self._say(f"{action}d: {new.words}")
        announce(self._notifier, new)

    def _missed(self, state: State | None, error: Exception) -> None:
        self._blind += 1
        why = f"{type(error).__name__}: {getattr(error, 'message', error)}"
        self._say(f"look {self._blind} in a row that could not be made: {why}")
        if self._blind < self._config.rollout.blind_looks or state is None or not state.share:
            return
        reason = f"the guardrails could not be looked at {self._blind} times in a row: {why}"
        try:
            order = ramp.Order(ramp.GUARDRAILS, reason, self._clock())
            announce(self._notifier, self._store.swap(state, ramp.pause(state, order)))
            self._say(f"paused: {reason}")
        except Exception as unwritten:
            self._say(f"could not be paused either: {unwritten}")

    def _say(self, line: str) -> None:
        """Print a line if it is new: the same line every minute would hide the one that matters."""
        if line != self._said:
            self._said = line
            self._context.say(f"{self._clock():%Y-%m-%d %H:%M:%S} {line}")
