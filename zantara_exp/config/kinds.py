"""The tables of the kinds of criterion and of the methods: what a config may say about each.

A new kind is a row of `KINDS` and one file, `zantara_exp/gates/kinds/NAME.py`, with its statistics and its words. This
page knows no statistics, so a config is checked without loading any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class MethodRow:
    """How often a criterion may be looked at."""

    one_look: bool = False
    """Looked at as often as declared, and each look is recorded; every day otherwise."""
    alarms: bool = False
    """Watches users one by one over a ramp, and only ever alarms."""
    once: bool = False
    """Each user counts once, so that shares are means over users."""


METHODS: Mapping[str, MethodRow] = {
    "weighted": MethodRow(),
    "strict": MethodRow(once=True),
    "exact": MethodRow(one_look=True),
    "sequential": MethodRow(one_look=True),
    "detector": MethodRow(alarms=True, once=True),
}


class Values(NamedTuple):
    """The values a metric can have: between `low` and `high`, and not those themselves."""

    low: float = -math.inf
    high: float = math.inf
    needs: str = ""
    """Said of a value outside; `{kind}` stands for the kind."""
    needs_truth: str = ""
    """Said of a truth, which may be `low` or `high` where this is given."""

    def problem(self, value: float, kind: str, truth: bool = False) -> str:
        """Why a metric can never have this value; empty where it can."""
        if not math.isfinite(value):
            return f"{value} is no number to compare with"
        ends = truth and bool(self.needs_truth)
        if self.low < value < self.high or (ends and value in (self.low, self.high)):
            return ""
        return (self.needs_truth if ends else self.needs).format(kind=kind)


TIMELESS = frozenset(
    ("quality", "judged_equivalent", "judged_preference", "answer_language", "answer_flawed", "eval_loss")
    + ("token_accuracy",)
    + ("tickets", "completion", "return_rate")
)
"""Metrics that are no traffic over hours: of a dataset, of a test split, of days."""

_SHARE = Values(0, 1, "kind={kind} needs a share strictly between 0 and 1", "kind={kind} needs a share from 0 to 1")
_POSITIVE = Values(0, math.inf, "kind={kind} needs a value above 0, in the metric's unit")
_SAVED = Values(-math.inf, 1, "is the part of the other arm's sum that is saved, below 1")
_DIFFERENCE = Values(-1, 1, "is the difference to the baseline, a share between -1 and 1")
_DAILY_OR_ONCE = ("weighted", "exact")
_OF_SHARES = ("weighted", "strict", "exact", "detector")


@dataclass(frozen=True)
class KindRow:
    """What a config may say about criteria of one kind."""

    methods: tuple[str, ...]
    """Names of METHODS; none where nothing is estimated."""
    values: Values = Values()
    windowed: bool = False
    """Whether the last days may withhold a GO."""
    by_segment: bool = False
    """Whether it is judged in each declared segment as well."""
    one_number: bool = False
    """Whether it is one number for all requests, of which no part can be chosen."""
    bounded: bool = False
    """Whether its values are bet on between 0 and a declared bound, where it is looked at daily."""
    counted: bool = False
    """Whether the metric is known exactly, so that it may also be equal to a bound."""
    share: bool = False
    """Whether it is a share of requests, or else of users, as the config says."""
    good_is: str = ""
    """`above` or `below`, where only that side of a threshold can be GO, and only the other NO-GO."""
    good_is_because: str = ""


KINDS: Mapping[str, KindRow] = {
    "proportion": KindRow(_OF_SHARES, _SHARE, windowed=True, by_segment=True, share=True),
    "quantile": KindRow(
        _OF_SHARES,
        _POSITIVE,
        windowed=True,
        by_segment=True,
        share=True,
        good_is="below",
        good_is_because="a quantile is judged as go: {below: limit}, no_go: {above: limit}",
    ),
    "mean": KindRow(_DAILY_OR_ONCE, _POSITIVE, windowed=True, by_segment=True, bounded=True),
    "ratio": KindRow(_DAILY_OR_ONCE, _SAVED, windowed=True, by_segment=True),
    "review": KindRow(
        ("exact", "sequential"),
        _SHARE,
        one_number=True,
        good_is="above",
        good_is_because="a review counts good answers: go: {above: share}, no_go: {below: share}",
    ),
    "non_inferiority": KindRow(("weighted",), _DIFFERENCE),
    "paired": KindRow(_DAILY_OR_ONCE, _SHARE, share=True),
    "count": KindRow((), one_number=True, counted=True),
}
