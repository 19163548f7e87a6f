"""What the judge may cost, is going to cost, and has cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.cost.prices import price_of
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.io.ledger import Ledger


@dataclass
class Spent:
    """Tokens read and written by the judge in this run, as its server counted them."""

    questions: int = 0
    tokens_input: int = 0
    tokens_output: int = 0

    def add(self, answer: Answer) -> None:
        """Count one reply."""
        self.questions += 1
        self.tokens_input += answer.usage.read or 0
        self.tokens_output += answer.usage.output or 0


class Purse:
    """What the judge may cost, by the price lists: in this run, and on this UTC day by all runs of this folder."""

    def __init__(self, config: Config, path: Path) -> None:
        self.spent, self._config, self._ledger = Spent(), config, Ledger(path)
        self._day = clock.now().date().isoformat()

    def pay(self, answer: Answer) -> None:
        """Count one reply, and write down what it cost: a killed run has paid as well."""
        self.spent.add(answer)
        cost = usd(self._config, answer.usage.read or 0, answer.usage.output or 0)
        if cost:
            self._ledger.pay(self._day, cost)

    def empty(self) -> str:
        """Why no further question may be asked; empty where one may."""
        judge = self._config.judge
        if (usd(self._config, self.spent.tokens_input, self.spent.tokens_output) or 0.0) > judge.max_usd:
            return f"judge.max_usd={judge.max_usd:g} is spent: raise it to ask on"
        if self._ledger.paid(self._day) > judge.max_usd_per_day:
            return f"judge.max_usd_per_day={judge.max_usd_per_day:g} is spent: go on tomorrow, or raise it"
        return ""


def estimated_tokens(config: Config, questions: Sequence[Sequence[Message]]) -> tuple[int, int]:
    """Tokens that the judge will read, and may write at most, if each is asked once."""
    read = sum(len(m["content"]) for messages in questions for m in messages) / config.dataset.chars_per_token
    return round(read), len(questions) * config.judge.endpoint.longest_answer


def usd(config: Config, tokens_input: int, tokens_output: int) -> float | None:
    """What the judge's tokens cost today; None for a model that has no price."""
    price = price_of(config.judge.endpoint.model, config.cost, clock.now().date())
    return None if price is None else price.usd(Usage(tokens_input, output=tokens_output))
