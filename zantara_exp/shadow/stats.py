"""The counts and state of a mirror."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stats:
    """Counts and state; `sampled` = compared + set aside + dropped + still in flight."""

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
    """Seconds from the newest compared request to its comparison."""
    spooled: int = 0
    """log=postgres: lines in the spool of this machine that are not in the database yet."""
    breakers: Mapping[str, str] = field(default_factory=dict)
    """State by endpoint: the candidate's and its fallbacks'."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Sampled requests for which no model was asked, by reason."""

    @property
    def over(self) -> int:
        """Finished sampled requests: compared, set aside or dropped."""
        return self.compared + sum(self.set_aside.values()) + sum(self.dropped.values())
