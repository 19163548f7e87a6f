"""What the judge may cost, is going to cost, and has cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from zantara_exp import clock
from zantara_exp.config.schema import Config
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.prices import price_of
from zantara_exp.usage import Usage


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
        self.spent, self._config, self._path = Spent(), config, path
        self._day, self._today, self._read = clock.now().date().isoformat(), 0.0, 0

    def pay(self, answer: Answer) -> None:
        """Count one reply, and write down what it cost: a killed run has paid as well."""
        self.spent.add(answer)
        cost = usd(self._config, answer.usage.read or 0, answer.usage.output or 0)
        if cost:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(orjson.dumps({"day": self._day, "usd": cost}) + b"\n")

    def _catch_up(self) -> None:
        """Count what was paid since the last look, by this run and by others that go on beside it."""
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        self._read += len(lines)
        self._today += sum(usd for day, usd in _payments(lines) if day == self._day)

    def empty(self) -> str:
        """Why no further question may be asked; empty where one may."""
        judge = self._config.judge
        if (usd(self._config, self.spent.tokens_input, self.spent.tokens_output) or 0.0) > judge.max_usd:
            return f"judge.max_usd={judge.max_usd:g} is spent: raise it to ask on"
        self._catch_up()
        if self._today > judge.max_usd_per_day:
            return f"judge.max_usd_per_day={judge.max_usd_per_day:g} is spent: go on tomorrow, or raise it"
        return ""


def _payments(lines: bytes) -> Iterator[tuple[str, float]]:
    for line in lines.split(b"\n"):
        try:
            row = orjson.loads(line)
            yield str(row["day"]), float(row["usd"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue  # cut off by a kill


def estimated_tokens(config: Config, questions: Sequence[Sequence[Message]]) -> tuple[int, int]:
    """Tokens that the judge will read, and may write at most, if each is asked once."""
    read = sum(len(m["content"]) for messages in questions for m in messages) / config.dataset.chars_per_token
    return round(read), len(questions) * config.judge.endpoint.longest_answer


def usd(config: Config, tokens_input: int, tokens_output: int) -> float | None:
    """What the judge's tokens cost today; None for a model that has no price."""
    price = price_of(config.judge.endpoint.model, config.cost, clock.now().date())
    return None if price is None else price.usd(Usage(tokens_input, output=tokens_output))
