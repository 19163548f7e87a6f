"""Whether evidence is well-formed: what every decision takes for granted, checked before anything is computed.

Evidence comes from other areas and from callers of the library. A number that is none compares as neither larger nor
smaller, and would slip past a bound; here it is named instead, so that it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from numbers import Integral, Real

import numpy as np

from zantara_exp.gates.evidence import SLOTS, Evidence, Number, Reviews, UserDays, reviews_of

LAST_DAY = date(2200, 12, 31).toordinal() - date(1970, 1, 1).toordinal()
"""Days since 1970-01-01 beyond this are no days: milliseconds, or seconds, in their place."""
SIGNED = frozenset({"generalization_gap"})
"""Metrics of kind=count that may lie below zero: differences. All others count something."""


def unsound(evidence: Evidence, metric: str = "") -> str:
    """What is wrong with the form of the evidence, or nothing."""
    if isinstance(evidence, UserDays):
        return _columns(evidence) or _values(evidence) or _losses(evidence.lost_per_day)
    if isinstance(evidence, Reviews):
        return _reviews(evidence)
    if isinstance(evidence, Number):
        return _number(evidence.value, metric)
    return ""


def _columns(days: UserDays) -> str:
    numbers = {"trials": days.trials, "total": days.total}
    others = {"baseline": days.baseline, "capped": days.capped}
    numbers |= {name: column for name, column in others.items() if column is not None}
    segments: object = days.segments
    if not isinstance(segments, Mapping):
        return "the evidence's segments are no columns by name"
    codes = {"user": days.user, "day": days.day}
    if days.slot is not None:
        codes["slot"] = days.slot
    columns: dict[str, object] = {**codes, **numbers, **segments}
    for name, column in columns.items():
        if not isinstance(column, np.ndarray) or column.ndim != 1:
            return f"the evidence's {name} is no column of values"
        if column.size != days.user.size:
            return "the evidence's columns differ in length"
    for name, whole in codes.items():
        if whole.dtype.kind not in "iu" or not np.can_cast(whole.dtype, np.int64):
            return f"the evidence's {name} holds values that are no whole numbers"
    for name, values in numbers.items():
        if values.dtype.kind not in "iuf":
            return f"the evidence's {name} holds values that are no numbers"
    return ""


def _values(days: UserDays) -> str:
    if ((days.day < 0) | (days.day > LAST_DAY)).any():
        return "the evidence holds days outside 1970 to 2200"
    if days.slot is not None and ((days.slot < 0) | (days.slot >= SLOTS)).any():
        return f"the evidence holds slots outside of a day, which has {SLOTS} of ten minutes"
    numbers = [column for column in (days.trials, days.total, days.baseline, days.capped) if column is not None]
    if not all(np.isfinite(column).all() for column in numbers):
        return "the evidence holds values that are no numbers"
    return "the evidence holds negative counts" if (days.trials < 0).any() else ""


def _losses(lost: object) -> str:
    if not isinstance(lost, Mapping):
        return "the evidence's lost requests are not given by day"
    for day, count in lost.items():
        if not isinstance(day, Integral) or not 0 <= int(day) <= LAST_DAY:
            return "the evidence lost requests on days outside 1970 to 2200"
        if not isinstance(count, Real) or not math.isfinite(count):
            return "the evidence's lost requests are no numbers"
        if count < 0:
            return "the evidence holds negative counts of lost requests"
    return ""


def _reviews(reviews: Reviews) -> str:
    for name in ("equivalent_or_better", "worse", "cannot_judge", "missing"):
        value: object = getattr(reviews, name)
        if not isinstance(value, Integral):
            return f"the review's {name} is {value}, which is no count"
        if int(value) < 0:
            return f"the review's {name} is {value}, and a count is never negative"
    if reviews.in_order and reviews != reviews_of(reviews.in_order, reviews.sample_hash):
        return "the review's counts are not those of its pairs in their order"
    return ""


def _number(value: object, metric: str) -> str:
    if not isinstance(value, Real) or not math.isfinite(value):
        return f"it is {value}, which is no number to compare"
    return f"it is {value:g}, and a count is never negative" if value < 0 and metric not in SIGNED else ""
