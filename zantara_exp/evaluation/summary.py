"""Scores of examples added up, over all and by segment, each with an interval that counts users, not examples.

Examples of one user resemble each other. The interval of a ratio of sums (correct tokens per token, loss per token, a
mean over answers) comes from the linearised variance over users: Cochran, Sampling Techniques, 3rd ed. 1977, section
6.3 (ratio estimator), with Student's t on users - 1 degrees of freedom; the clustered standard error of Miller 2024,
https://arxiv.org/abs/2411.00640, is the same thing for means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Row = Mapping[str, Any]


class Measure(NamedTuple):
    """A ratio of two sums over rows; rows without the numerator's key are not counted."""

    top: str
    below: str = ""
    """Empty: every row counts one."""
    highest: float = math.inf
    """The largest value there is."""
    lowest: float = 0.0
    """The smallest value there is."""


MEASURES: dict[str, Measure] = {
    "loss": Measure("loss_sum", "tokens"),
    "token_accuracy": Measure("correct", "tokens", highest=1),
    "exact_match": Measure("exact_match", highest=1),
    "chrf": Measure("chrf", highest=100),
    "rouge_l": Measure("rouge_l", highest=1),
    "language_match": Measure("language_match", highest=1),
    "flawed": Measure("flawed", highest=1),
    "answer_tokens": Measure("answer_tokens"),
    "embedding": Measure("embedding", highest=1, lowest=-1),
    "judged_equivalent": Measure("judged_equivalent", highest=1),
    "judged_better": Measure("judged_better", highest=1),
    "primary_language_match": Measure("primary_language_match", highest=1),
    "primary_flawed": Measure("primary_flawed", highest=1),
    "primary_tokens": Measure("primary_tokens"),
}
"""`primary_...` is measured on the recorded answers of the primary, which are the references of the others."""


class Estimate(NamedTuple):
    """A value with its 95 % interval, and what it rests on."""

    value: float
    low: float
    high: float
    examples: int
    users: int


def estimate(rows: Iterable[Row], measure: Measure, confidence: float = 0.95) -> Estimate | None:
    """The measure over `rows`; None where no row has it. One user gives no interval: all values there are."""
    kept = [row for row in rows if row.get(measure.top) is not None]
    if not kept:
        return None
    codes = {user: code for code, user in enumerate(sorted({str(row["user"]) for row in kept}))}
    top, below = np.zeros(len(codes)), np.zeros(len(codes))
    for row in kept:
        code = codes[str(row["user"])]
        top[code] += float(row[measure.top])
        below[code] += float(row[measure.below]) if measure.below else 1.0
    value = float(top.sum() / below.sum())
    low, high = _interval(top, below, value, measure, confidence)
    return Estimate(value, low, high, len(kept), len(codes))


def _interval(top: Any, below: Any, value: float, measure: Measure, confidence: float) -> tuple[float, float]:
    from scipy import stats

    users = len(top)
    span = measure.highest - measure.lowest
    ends = [end for end in (measure.lowest, measure.highest) if math.isclose(value, end, abs_tol=1e-12)]
    if ends and math.isfinite(span):
        # No variance was seen. At least the users are independent: Clopper-Pearson with one trial for each, whose
        # outcome is one end or the other. No measure between them leaves more room.
        reach = span * (1 - ((1 - confidence) / 2) ** (1 / users))
        return (ends[0], ends[0] + reach) if ends[0] == measure.lowest else (ends[0] - reach, ends[0])
    if users < 2:
        return measure.lowest, measure.highest
    residual = top - value * below
    error = math.sqrt(users / (users - 1) * float((residual**2).sum())) / float(below.sum())
    half = float(stats.t.ppf((1 + confidence) / 2, users - 1)) * error
    return max(value - half, measure.lowest), min(value + half, measure.highest)


def by_segment(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """Every measure for all rows, for each value of each key, and for each pair: `all`, `language=it`, ..."""
    groups: dict[str, list[Row]] = {"all": list(rows)}
    for key in keys:
        _group(groups, rows, lambda row, key=key: f"{key}={row[key]}")  # type: ignore[misc]
    if len(keys) == 2:
        _group(groups, rows, lambda row: ", ".join(f"{key}={row[key]}" for key in keys))
    return {name: estimates(inside) for name, inside in groups.items()}


def _group(groups: dict[str, list[Row]], rows: Sequence[Row], name_of: Callable[[Row], str]) -> None:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(name_of(row), []).append(row)
    groups.update(sorted(found.items()))


def estimates(rows: Sequence[Row]) -> dict[str, Estimate]:
    """Every measure that `rows` have."""
    found = {name: estimate(rows, measure) for name, measure in MEASURES.items()}
    return {name: value for name, value in found.items() if value is not None}
