"""What is played: how the candidate behaves, and how it should end."""

from __future__ import annotations

from dataclasses import dataclass

from zantara_exp.gates.decision import GO, NO_GO
from zantara_exp.rollout.state import DONE, IDLE, ROLLED_BACK

USUAL = 0.003
"""Share of requests that a healthy candidate fails."""


@dataclass(frozen=True)
class Scenario:
    """One candidate's story."""

    name: str
    title: str
    story: str
    verdict: str
    """What the gate should say after the shadow weeks."""
    ends: str
    """The phase in which the rollout should end."""
    failing: float = USUAL
    """Share of requests that it fails once it has changed."""
    worse: float = 0.0
    """Share of its answers that say next to nothing once it has changed, though they come in time."""
    last_language: bool = False
    """Whether it has changed in the domain's last language only."""
    from_percent: float = 0.0
    """It changes when it serves so many percent of the users."""
    after_hours: float = 0.0
    """Played hours at that share before it changes."""
    for_hours: float | None = None
    """Played hours until it is as before; None: it stays as it is."""


SCENARIOS = {
    each.name: each
    for each in (
        Scenario(
            "healthy", "A healthy candidate",
            "It fails 3 requests in 1,000, all the time and in every language.",
            GO, DONE,
        ),
        Scenario(
            "degrades", "A candidate that degrades at 50 %",
            "It is healthy in shadow mode and up to 25 %. Once half of the users have it, it fails 15 requests in 100, "
            "as a server does that is too small for its load.",
            GO, ROLLED_BACK, failing=0.15, from_percent=50.0,
        ),
        Scenario(
            "one_language", "A candidate that is bad in one language only",
            "It is healthy in the others, and fails 20 requests in 100 in the domain's last one.",
            NO_GO, IDLE, failing=0.2, last_language=True,
        ),
        Scenario(
            "outage", "An outage during the ramp",
            "It is healthy, until its endpoint is down from the third day at 25 % on.",
            GO, ROLLED_BACK, failing=1.0, from_percent=25.0, after_hours=50.0,
        ),
        Scenario(
            "hiccup", "A short outage during the ramp",
            "It is healthy, but for ten hours on the third day at 25 %, in which its endpoint is down.",
            GO, DONE, failing=1.0, from_percent=25.0, after_hours=50.0, for_hours=10.0,
        ),
        Scenario(
            "worse", "A candidate whose answers get worse",
            "It is healthy and in time, but at 25 % six of ten of its answers are one word, as after a bad deployment. "
            "The primary, unseen, answers some of its requests too, and a judge compares.",
            GO, ROLLED_BACK, worse=0.6, from_percent=25.0,
        ),
    )
}  # fmt: skip
