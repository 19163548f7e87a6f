"""What a candidate's answers may cost on a UTC day: its part of `shadow.max_usd_per_day`.

    <paths.logs>/spent/2025-10-21.jsonl     what was paid that day, by candidate: all processes on the folder add to it

A request is asked about only if it could be paid were it as dear as the dearest so far, and those under way in this
process as well. What other processes have under way is not known: they may exceed the bound by so much.
"""

from __future__ import annotations

from pathlib import Path

from zantara_exp import clock
from zantara_exp.billing import SECONDS, TOKENS
from zantara_exp.config.schema import Config
from zantara_exp.endpoints.build import option
from zantara_exp.io.ledger import Ledger
from zantara_exp.layout import Layout
from zantara_exp.shadow.record import Comparison


class Budget:
    """One candidate's; without a bound it lets all pass and writes nothing."""

    def __init__(self, folder: Path, name: str, most: float | None) -> None:
        self._folder, self._name, self._most = folder, name, most
        self._day, self._ledger = "", Ledger(folder)
        self._under_way, self._dearest, self._unwritten = 0, 0.0, 0.0

    def begin(self) -> bool:
        """Whether one more request may be asked about; it is under way then, until `end`."""
        if self._most is None:
            return True
        try:
            spent = self._of_today().paid(self._day, self._name) + self._unwritten
        except OSError:  # nobody knows what was spent
            return False
        if spent >= self._most or spent + (self._under_way + 1) * self._dearest > self._most:
            return False
        self._under_way += 1
        return True

    def end(self, done: Comparison | None) -> None:
        """Pay for what was asked; None where it was given up."""
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
    """The candidate's budget; none where it is paid by the month, whatever it is asked."""
    ways = [each.billing for each in (config.endpoint, *map(option, config.endpoint.fallback))]
    most = config.shadow.max_usd_per_day if {TOKENS, SECONDS} & set(ways) else None
    return Budget(Layout(config).logs / "spent", config.endpoint.name, most)
