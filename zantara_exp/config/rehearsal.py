"""Schema of the rehearsal: what is played, with how many simulated users, and where its reports go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config.fields import setting

SCENARIOS = ("healthy", "degrades", "one_language", "outage", "hiccup", "worse")


@dataclass
class Rehearsal:
    """Config node `rehearsal`: the plan's weeks, played in minutes on simulated users."""

    scenarios: list[str] = setting(list(SCENARIOS), "What is played, one after the other.", choices=SCENARIOS)
    first_day: str = setting("2025-10-06", "The UTC day on which it begins, YYYY-MM-DD.")
    shadow_days: int = setting(16, "Days of shadow mode before the gate is asked.", ge=1, le=60)
    requests_per_day: int = setting(200, "Requests a day of all users and categories.", ge=10, le=100_000)
    tick_hours: float = setting(6.0, "Played hours between two looks of the controller.", gt=0, le=24)
    concurrency: int = setting(8, "Requests under way at once.", ge=1, le=256)
    folder: str = setting("reports/rehearsal", "Where the reports go, one per scenario.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """Something to play, from a day that is one."""
        from datetime import date

        if not self.scenarios:
            yield "scenarios", f"is empty: name at least one of {', '.join(SCENARIOS)}"
        try:
            date.fromisoformat(self.first_day)
        except ValueError:
            yield "first_day", "is not a day, such as 2025-10-06"
        if not self.folder.strip():
            yield "folder", "must not be empty; the default is reports/rehearsal"
