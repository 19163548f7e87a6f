"""Schema of the business metrics: SQL over the product's own tables, a baseline period against now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from zantara_exp.config.fields import setting

BUSINESS_METRICS = ("tickets", "completion", "return_rate")


@dataclass
class Business:
    """What users did, read from the database of `source`."""

    queries: dict[str, str] = setting(
        {},
        "SQL by metric (tickets, completion, return_rate): a row per user and day, with the columns user_id, day, "
        "trials and total, from %(first)s to before %(end)s; %(last)s is the last day. Your own % is written %%.",
    )
    since: str | None = setting(
        None, "First UTC day of `now`, YYYY-MM-DD; default: the first day of the comparison log's newest candidate."
    )
    baseline_days: int = setting(28, "Days before `since` that now is compared with.", ge=1, le=3650)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Metrics that a gate knows, with something to run."""
        for name, query in self.queries.items():
            if name not in BUSINESS_METRICS:
                yield f"queries.{name}", f"is no business metric (valid: {', '.join(BUSINESS_METRICS)})"
            elif not query.strip():
                yield f"queries.{name}", "is empty: leave it out, or write a query"
        try:
            date.fromisoformat(self.since or "2025-01-01")
        except ValueError:
            yield "since", f"'{self.since}' is not a day; write it as YYYY-MM-DD"
