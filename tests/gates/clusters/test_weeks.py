"""Whole weeks: days are counted, and each weekday must be among them."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.gates.clusters import weeks


def test_weekdays_are_the_calendars() -> None:
    start = dt.date(1970, 1, 1)
    days = np.arange(0, 30_000, 37)
    assert weeks.weekday(days).tolist() == [(start + dt.timedelta(days=int(day))).weekday() for day in days]


def test_fourteen_days_without_a_sunday_are_not_enough() -> None:
    monday = dt.date(2025, 10, 6).toordinal() - dt.date(1970, 1, 1).toordinal()
    seen = np.ones((2, 30), dtype=bool)
    seen[1, 6::7] = False
    enough = weeks.long_enough(seen, monday, 14)
    assert int(enough[0].argmax()) == 13
    assert not enough[1].any()
    assert weeks.still_missing(monday + np.flatnonzero(seen[1]), 14) == "no evidence of a Sunday yet"
    assert weeks.still_missing(monday + np.arange(9), 14) == "9 days with evidence, at least 14 are needed"
    assert weeks.still_missing(monday + np.arange(14), 14) == ""


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 20_000), st.sampled_from([1, 3, 7, 14]))
def test_the_looks_and_the_sentence_agree(seen: list[bool], first: int, min_days: int) -> None:
    flags = np.array([seen])
    enough = weeks.long_enough(flags, first, min_days)[0]
    for look in range(len(seen)):
        days = first + np.flatnonzero(flags[0, : look + 1])
        assert enough[look] == (weeks.still_missing(days, min_days) == "")


def test_a_window_of_seven_days_asks_for_seven() -> None:
    assert weeks.window_too_young(6, 7) == "the log has 6 days, and the window of 7 days asks for as many"
    assert weeks.window_too_young(7, 7) == ""
