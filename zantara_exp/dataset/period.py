"""The days to read: up to the newest conversation that is not in the future, or to `as_of`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.dataset.days import days_until, latest
from zantara_exp.text.wording import agreed


def period(config: Config, newest: datetime | None, later: int, what: str) -> tuple[datetime, datetime]:
    """The configured days up to the newest conversation of `what` that is no later than `latest()`.

    Raises MissingInputError where the `later` ones are all there are, and `as_of` does not say which day to take.
    """
    if config.as_of:
        return days_until(date.fromisoformat(config.as_of), config.source.days)
    if newest is None:
        raise MissingInputError(
            f"all {later} conversations of {what} are dated later than tomorrow",
            "check the clocks of this machine and of what wrote them, or set as_of",
        )
    return days_until(newest.astimezone(UTC).date(), config.source.days)


def newest_of(moments: Iterable[datetime], config: Config) -> tuple[datetime | None, int, str]:
    """The newest that is no later than `latest()`, how many are later, and what to say of these."""
    limit, newest, later = latest(), None, 0
    for moment in moments:
        if moment > limit:
            later += 1
        elif newest is None or moment > newest:
            newest = moment
    return newest, later, said_later(later, config)


def said_later(later: int, config: Config) -> str:
    """What a user should know of conversations dated later than `latest()`; with `as_of` he chose the days."""
    are = agreed(later, "conversation is", "conversations are")
    return f"{are} dated later than tomorrow and not read" if later and not config.as_of else ""
