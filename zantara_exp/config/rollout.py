"""Schema of the gradual rollout: its steps, who is routed, and how a router keeps up with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config._fields import setting

ACTIONS = ("status", "start", "advance", "pause", "resume", "rollback")


@dataclass
class Rollout:
    """Config group `rollout`: the gradual rollout."""

    action: str = setting("status", "What stage=rollout does.", choices=ACTIONS)
    steps_percent: list[float] = setting(
        [10.0, 25.0, 50.0, 100.0], "Share of users per step, in percent, growing.", gt=0, le=100
    )
    hold_days: list[float] = setting([7.0, 7.0, 7.0, 7.0], "How long each step is held, in days.", ge=0, le=365)
    categories: list[str] = setting(["greeting", "casual"], "Categories the candidate may answer; never business.")
    actor: str | None = setting(None, "Who changes the rollout, for its history; default: $USER.")
    reason: str = setting("", "Why, for its history.")
    state: str = setting(
        "file",
        "Where the state lies: file, under paths.state; postgres, for processes on several machines.",
        choices=["file", "postgres"],
    )
    state_url_env: str = setting("ROLLOUT_DATABASE_URL", "state=postgres: environment variable with the URL.")
    refresh_seconds: float = setting(0.5, "How often a router looks at the state.", ge=0.05, le=1)
    last_known_seconds: float = setting(
        30.0, "How long a router trusts the last state it read; then the primary answers everyone.", ge=1, le=3600
    )

    guardrails: str = setting("guardrails", "Option of conf/gate whose no_go, once shown, rolls back.")
    min_users: int = setting(
        100, "Users whom every required guardrail must have seen in a step before the next one.", ge=1, le=1_000_000
    )
    watch: bool = setting(False, "Look at the guardrails again and again, and roll back when one is breached.")
    every_seconds: float = setting(60.0, "watch: time from look to look.", gt=0, le=3600)
    looks: int | None = setting(None, "watch: stop after so many looks; null: watch until interrupted.", ge=1)
    blind_looks: int = setting(5, "watch: pause after so many looks in a row that could not be made.", ge=1, le=1000)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Steps that grow, a time for each, and categories without business."""
        steps = self.steps_percent
        if not steps or any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
            yield "steps_percent", f"{steps} must grow from step to step, such as [10, 25, 50, 100]"
        if len(self.hold_days) != len(steps):
            yield "hold_days", f"has {len(self.hold_days)} times for {len(steps)} steps; give one for each"
        if not self.categories:
            yield "categories", "is empty: name at least one category, such as greeting"
        if "business" in self.categories:
            yield "categories", "business stays with the primary; remove it"
        if self.watch and self.action != "status":
            yield "watch", f"moves nothing but back: leave out rollout.action={self.action}"
        if self.actor is not None and not self.actor.strip():
            yield "actor", "is empty: name who changes the rollout, or leave it out"
