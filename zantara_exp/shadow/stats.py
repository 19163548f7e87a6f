"""What a mirror says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stats:
    """Where a mirror stands; `sampled` = compared + set aside + dropped + what is still on its way."""

    enabled: bool
    observed: int
    sampled: int
    compared: int
    dropped: Mapping[str, int]
    queued: int
    in_flight: int
    breaker: str
    restarts: int
    lag_seconds: float = 0.0
    """From the newest compared request to its comparison."""
    spooled: int = 0
    """log=postgres: lines that are safe on this machine and not in the database yet."""
    breakers: Mapping[str, str] = field(default_factory=dict)
    """State by endpoint: the candidate's and those that stand in for it."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Sampled requests that nobody was asked about, by what keeps them with the primary, or what became of them."""

    @property
    def over(self) -> int:
        """Sampled requests that are over: compared, set aside or dropped."""
        return self.compared + sum(self.set_aside.values()) + sum(self.dropped.values())
