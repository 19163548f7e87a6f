"""Limits what a candidate's answers cost on a UTC day to its part of `shadow.max_usd_per_day`.

    <paths.logs>/spent/2025-10-21.jsonl     what was paid that day, by candidate: all processes on the folder add to it

A request is sent only if the money would be enough should it, and every request under way in this process, cost as much
as the dearest so far. Requests under way in other processes are not known: the limit may be exceeded by their cost.
"""

from __future__ import annotations

from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.layout import Layout
from zantara_exp.cost.billing import SECONDS, TOKENS
from zantara_exp.endpoints.build import option
from zantara_exp.io.ledger import Ledger
from zantara_exp.shadow.record import Comparison


class Budget:
    """The budget of one candidate. Without a limit it allows everything and writes nothing."""

    def __init__(self, folder: Path, name: str, most: float | None) -> None:
        self._folder, self._name, self._most = folder, name, most
        self._day, self._ledger = "", Ledger(folder)
        self._under_way, self._dearest, self._unwritten = 0, 0.0, 0.0

    def begin(self) -> bool:
        """Whether one more request may be sent; if so it is under way until `end`."""
        if self._most is None:
            return True
        try:
            spent = self._of_today().paid(self._day, self._name) + self._unwritten
        except OSError:  # what was spent is not known, so nothing is sent
            return False
        if spent >= self._most or spent + (self._under_way + 1) * self._dearest > self._most:
            return False
        self._under_way += 1
        return True

    def end(self, done: Comparison | None) -> None:
        """Record the cost of a finished request; None if it was given up."""
        if self._most is None:
            return
        self._under_way -= 1
        usd = done.candidate.billed.usd if done is not None else None
        if usd:
            self._dearest = max(self._dearest, usd)
            try:
                self._of_today().pay(self._day, usd, self._name)
            except OSError:
                self._unwritten += usd

    def _of_today(self) -> Ledger:
        if (day := clock.now().date().isoformat()) != self._day:
            self._day, self._ledger, self._unwritten = day, Ledger(self._folder / f"{day}.jsonl"), 0.0
        return self._ledger


def budget_of(config: Config) -> Budget:
    """The candidate's budget. A candidate that is paid by the month has no limit."""
    ways = [each.billing for each in (config.endpoint, *map(option, config.endpoint.fallback))]
    most = config.shadow.max_usd_per_day if {TOKENS, SECONDS} & set(ways) else None
    return Budget(Layout(config).logs / "spent", config.endpoint.name, most)
