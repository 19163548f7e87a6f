"""What users did, as the product's own tables have it: support tickets, conversations completed, users who came back.

`source.business.queries` declares an SQL query per metric over the database of `source`. Its rows are user, day, how
often it could have happened (`trials`) and how often it did (`total`); days before `since` are the baseline, days from
then on are now. What cannot be read, be it that a table is absent, is missing evidence with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.config.data import DATABASES
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import Evidence, Missing, UserDays

if TYPE_CHECKING:
    from psycopg import Connection

COLUMNS = ("user_id", "day", "trials", "total")
_EPOCH_START = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Periods:
    """Two periods of whole UTC days, one after the other."""

    first: date
    """First day of the baseline."""
    since: date
    """First day of now."""
    last: date
    """Last day of now."""
    epoch: str
    """The candidate's, where the comparison log says it."""


class _Unusable(Exception):
    """Why a query's rows are no evidence."""


def business(
    metric: str, until: date | None, log: Callable[[], ComparisonLog], config: Config, layout: Layout
) -> Evidence:
    """One business metric per user and day, with the segment `arm`: `baseline`, or `candidate` for now.

    `log` opens the comparison log up to `until`.

    The arm is called so because a gate compares arms: while only shadow traffic runs, no user has met the candidate.
    """
    key = f"source.business.queries.{metric}"
    query = config.source.business.queries.get(metric)
    if query is None:
        return Missing(f"no business metrics source is configured: set {key}")
    if config.source.kind not in DATABASES:
        return Missing(f"source={config.source.kind} has no database that {key} could be asked of")
    try:
        periods = _periods(until, log, config)
        return _user_days(list(_rows(query, periods, config, layout)), periods)
    except _Unusable as error:
        return Missing(f"{key}: {error}")
    except ZantaraError as error:  # a database that is away, a log that is not there
        return Missing(error.message)


def _periods(until: date | None, log: Callable[[], ComparisonLog], config: Config) -> Periods:
    declared = config.source.business
    epoch, since, last = "", None, until
    try:
        found = log()
        epoch, since = found.newest()
        last = found.until
    except MissingInputError:
        if declared.since is None or until is None:
            raise
    if declared.since is not None:
        since = date.fromisoformat(declared.since)
    if since is None or last is None or since > last:
        raise _Unusable(f"source.business.since={since} lies after the last day looked at, {last}")
    return Periods(since - timedelta(days=declared.baseline_days), since, last, epoch)


def _rows(query: str, periods: Periods, config: Config, layout: Layout) -> Iterator[tuple[Any, ...]]:
    """The query's rows as (user, day, trials, total), streamed. Raises _Unusable with what the database says."""
    import psycopg

    from zantara_exp.dataset import connect

    bounds = {"first": periods.first, "end": periods.last + timedelta(days=1), "last": periods.last}
    with connect.where(config, layout) as (conninfo, _), connect.read_only(conninfo, config) as connection:
        try:
            yield from _streamed(connection, query, bounds)
        except (psycopg.Error, ValueError) as error:  # ValueError: a placeholder that is none of ours
            said = " ".join(str(connect.explained(error, config).message).split())
            raise _Unusable(said) from error


def _streamed(connection: Connection, query: str, bounds: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name="business") as cursor:  # a named cursor holds some rows, and takes queries only
        cursor.execute(query.strip().rstrip(";").encode(), bounds)
        names = [column.name for column in cursor.description or ()]
        if lacking := [name for name in COLUMNS if name not in names]:
            raise _Unusable(f"the query gives no column {', '.join(lacking)}; it needs {', '.join(COLUMNS)}")
        places = [names.index(name) for name in COLUMNS]
        for row in cursor:
            yield tuple(row[place] for place in places)


def _user_days(rows: list[tuple[Any, ...]], periods: Periods) -> Evidence:
    codes: dict[Any, int] = {}
    users, days, trials, totals = [], [], [], []
    for user, day, tried, counted in rows:
        if user is None or tried is None or counted is None or type(day) is not date:
            raise _Unusable("a row lacks its user, day, trials or total, or its day is no date (write day::date)")
        if not periods.first <= day <= periods.last:
            continue
        users.append(codes.setdefault(user, len(codes)))
        days.append(day.toordinal() - _EPOCH_START)
        trials.append(float(tried))
        totals.append(float(counted))
    start = periods.since.toordinal() - _EPOCH_START
    arms = np.where(np.array(days, dtype=np.int64) < start, "baseline", "candidate")
    for arm, since, before in (("baseline", periods.first, periods.since), ("candidate", periods.since, None)):
        if not (arms == arm).any():
            end = periods.last if before is None else before - timedelta(days=1)
            raise _Unusable(f"the query gives no row from {since} to {end}")
    return UserDays(
        user=np.array(users, dtype=np.int64),
        day=np.array(days, dtype=np.int64),
        trials=np.array(trials, dtype=np.float64),
        total=np.array(totals, dtype=np.float64),
        segments={"arm": arms.astype(np.str_)},
        epoch=periods.epoch,
    )
