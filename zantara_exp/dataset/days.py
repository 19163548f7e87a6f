"""Days and times that stay within the calendar, whatever a row contains."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

EARLIEST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)


def latest() -> datetime:
    """What is dated later did not take place: tomorrow, because clocks differ."""
    return datetime.now(UTC) + _DAY


def days_until(last: date, days: int) -> tuple[datetime, datetime]:
    """From the first to before the second, whole UTC days; where the calendar ends, less."""
    midnight = datetime.combine(last, time(), UTC)
    end = midnight + _DAY if midnight <= _LAST - _DAY else _LAST
    return earlier(end, timedelta(days=days)), end


def earlier(moment: datetime, span: timedelta) -> datetime:
    """The moment so long before; where the calendar begins, no earlier."""
    return moment - span if moment - EARLIEST >= span else EARLIEST
