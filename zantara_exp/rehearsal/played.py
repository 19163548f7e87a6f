"""What happened in a rehearsal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from zantara_exp.config.schema import Config
from zantara_exp.rehearsal.scenarios import Scenario
from zantara_exp.rollout.guardrails import Look
from zantara_exp.rollout.state import State


@dataclass
class Played:
    """What happened."""

    scenario: Scenario
    config: Config
    """As it was played, with the folder of this scenario."""
    first: datetime
    verdict: dict[str, object] = field(default_factory=dict)
    refused: str = ""
    """Why the rollout did not start, where it did not."""
    state: State = field(default_factory=State)
    said: list[str] = field(default_factory=list)
    """What the controller said, in played time."""
    seen: Look | None = None
    """The guardrails at the last look before the end."""
    asked: int = 0
    """Requests that users made."""
    failed: Counter[str] = field(default_factory=Counter)
    """Of them, those without an answer, by what the gateway said."""
    after_end: int = 0
    """Requests that the candidate still got from users in the half day after a rollback."""
    seconds: float = 0.0

    @property
    def unanswered(self) -> int:
        """Requests without an answer."""
        return self.failed.total()

    @property
    def as_it_should(self) -> bool:
        """Whether it ended as the scenario says."""
        said = str(self.verdict.get("verdict"))
        return said == self.scenario.verdict and self.state.phase == self.scenario.ends and not self.after_end

    @property
    def ending(self) -> str:
        """The verdict, and the phase of the rollout."""
        return f"{self.verdict.get('verdict')}, rollout {self.state.words.replace('_', ' ')}"
