"""Chooses the largest part of the examples with the wanted mix of languages and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil

from zantara_exp.config.data import Targets

Cell = tuple[str, str]
"""Language and category."""
_FEWEST_TO_TELL = 5
"""From fewer conversations no rate is told: its interval would span a factor of eight and more."""
_LONGEST_WAIT_DAYS = 365
_TOLERANCE_PARTS = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Tried in this order; the last part is left to rounding and to what is rejected afterwards."""


def deviation(shares: Mapping[str, float], targets: Mapping[str, float]) -> float:
    """Largest distance of a share from its target, 0 to 1; 0 where there are no targets."""
    if not targets:
        return 0.0
    return max((abs(shares.get(name, 0.0) - targets.get(name, 0.0)) for name in {*shares, *targets}), default=0.0)


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts as shares of their sum."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def quotas(available: Mapping[Cell, int], targets: Targets, most: int) -> dict[Cell, int]:
    """How many examples of each cell to keep: as near the targets as still gives `most`, within the tolerance.

    All zero where no mix within the tolerance is possible.
    """
    made: dict[Cell, int] = {}
    for part in _TOLERANCE_PARTS:
        made = _largest(available, targets, part * targets.tolerance, most)
        if sum(made.values()) >= most - len(made):  # whole numbers lose less than one per cell
            break
    return made


def _largest(available: Mapping[Cell, int], targets: Targets, tolerance: float, most: int) -> dict[Cell, int]:
    """The largest mix by a linear programme.

    Every language's, every category's and every cell's share lies within the tolerance of its target; a cell's
    target is the product of its language's and its category's.
    """
    from scipy.optimize import linprog

    cells = list(product(targets.language, targets.category))
    bounds = [(0, available.get(cell, 0)) for cell in cells]
    rows, limits = [[1.0] * len(cells)], [float(most)]
    for members, target in _groups(cells, targets):
        for sign in (1, -1):  # sign * (share of the members - target) <= tolerance
            edge = target + sign * tolerance
            rows.append([sign * ((cell in members) - edge) for cell in cells])
            limits.append(0.0)
    solved = linprog([-1.0] * len(cells), A_ub=rows, b_ub=limits, bounds=bounds, method="highs")
    counts = [0.0] * len(cells) if solved.x is None else [float(count) for count in solved.x]
    return {cell: int(count + 1e-6) for cell, count in zip(cells, counts, strict=True)}


def _groups(cells: Sequence[Cell], targets: Targets) -> list[tuple[set[Cell], float]]:
    groups: list[tuple[set[Cell], float]] = []
    for language, target in targets.language.items():
        groups.append(({cell for cell in cells if cell[0] == language}, target))
    for category, target in targets.category.items():
        groups.append(({cell for cell in cells if cell[1] == category}, target))
    for cell in cells:
        groups.append(({cell}, targets.language[cell[0]] * targets.category[cell[1]]))
    return groups


def weights(available: Mapping[Cell, int], targets: Targets, most: float) -> dict[Cell, float]:
    """How often an example of each cell counts for the mix of the targets, from 1 for the fullest cell up to `most`."""
    total = sum(available.values())
    goals = {cell: targets.language.get(cell[0], 0.0) * targets.category.get(cell[1], 0.0) for cell in available}
    raw = {cell: goals[cell] * total / count for cell, count in available.items() if count and goals[cell]}
    least = min(raw.values(), default=1.0)
    return {cell: min(most, weight / least) for cell, weight in raw.items()}


def missing(
    available: Mapping[Cell, int], targets: Targets, recent: Mapping[Cell, int], days: int, called: Mapping[str, str]
) -> list[str]:
    """What each cell lacks for the mix of as many examples as are `available`, the largest lack first.

    `212 more LANGUAGE CATEGORY conversations, at today's rate 9 days (7 to 12)`: `recent` is how many came within the
    last `days`, `called` what a language's code is shown as.
    """
    total, lines = sum(available.values()), []
    for cell in product(targets.language, targets.category):
        lack = round(targets.language[cell[0]] * targets.category[cell[1]] * total) - available.get(cell, 0)
        if lack > 0:
            what = f"{called.get(cell[0]) or cell[0]} {cell[1]} conversation{'s' if lack > 1 else ''}"
            lines.append((lack, f"{lack} more {what}, {_wait(lack, recent.get(cell, 0), days)}"))
    return [line for _, line in sorted(lines, reverse=True)]


def _wait(lack: int, came: int, days: int) -> str:
    """How long `lack` conversations take where `came` came within `days`, with the exact 95 % interval of a Poisson
    rate (Garwood 1936). Conversations of one user come together, so the truth may lie outside it more often."""
    if came < _FEWEST_TO_TELL:
        return f"{came or 'none'} came in the last {days} days: too few to tell how long that takes"
    from scipy.special import gammaincinv

    rates = (came, gammaincinv(came + 1, 0.975), gammaincinv(came, 0.025))
    expected, soonest, latest = (ceil(lack * days / rate) for rate in rates)
    if expected > _LONGEST_WAIT_DAYS:
        return f"at today's rate more than {_LONGEST_WAIT_DAYS} days"
    span = f" ({soonest} to {latest})" if soonest < latest else ""
    return f"at today's rate {expected} day{'s' if expected > 1 else ''}{span}"


def cells(pairs: Sequence[Cell]) -> Counter[Cell]:
    """How many examples each cell has."""
    return Counter(pairs)
