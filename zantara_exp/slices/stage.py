"""stage=slices: where is the candidate worse than on the rest of the traffic, and is that real?

    python -m zantara_exp stage=slices

Searches language x category x length x hour x topic on one half of the users and confirms the worst on the other, at
`slices.alpha` over all searches of a candidate's log. Writes slices.json under `paths.reports`, from which report,
review and next take what was confirmed, and prints the `rollout.exclude` that leaves it with the primary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import orjson

from zantara_exp.analysis.excluded import whole
from zantara_exp.analysis.log import open_log
from zantara_exp.config.rollout import EXCLUDABLE, part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.gates.slices import Found, Requests, Slice, Terms, confirm, level, search
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.opinions import opinions
from zantara_exp.slices.table import FAILED, Traffic, traffic
from zantara_exp.text.wording import counted
from zantara_exp.traffic.confirmed_slices import COLUMNS, Confirmed, Sliced, load, save, shown

_PAIRS = 200
"""Comparisons kept of each slice."""


class _Tested(NamedTuple):
    measure: str
    part: Slice
    found: Found | None
    """None where the confirm half has too few users in it."""
    place: int
    """Among all slices that were ever carried over, from 1 on."""

    @property
    def key(self) -> str:
        return _key(self.measure, self.part)

    def p(self) -> float:
        """Adjusted for all that were carried over before."""
        return 1.0 if self.found is None else min(1.0, math.exp(-self.found.log_evidence) / level(self.place, 1.0))


def slices(config: Config, context: Context) -> StageResult:
    """Search and confirm; what was confirmed of this candidate before stays so.

    Raises MissingInputError without comparisons, ZantaraError where slices.json or the labels cannot be read.
    """
    at = context.layout
    until = date.fromisoformat(config.as_of) if config.as_of else None
    before = load(at.slices)
    with open_log(whole(config), at, until) as log:  # what is left out is looked at as well
        epoch, _ = log.newest()
        seen = traffic(log, epoch, opinions(config, at, context.say), config, at)
        day = log.until.isoformat()
    known = before if before is not None and before.epoch == epoch else Sliced(epoch, day)
    terms = Terms(config.slices.alpha, config.slices.carried, config.slices.min_users, config.gate.rho0)
    tested = _tested(seen, known.tried, terms)
    found = _added(known, tested, day, terms)
    save(found, at.slices)
    pairs = {part_name(each.part): _some(seen, each) for each in found.confirmed}
    write_whole(at.slice_pairs, orjson.dumps({"epoch": epoch, "pairs": pairs}) + b"\n")
    return _result(found, tested, seen, config, context)


def _tested(seen: Traffic, tried: Sequence[str], terms: Terms) -> list[_Tested]:
    """What is carried over of each measure, and what the confirm half says of it."""
    order, tested = list(tried), []
    for measure, at in seen.requests.items():
        carried = search(at, terms) if at.user.size else []
        for part, found in zip(carried, confirm(at, carried, terms), strict=True):
            if (key := _key(measure, part)) not in order:
                order.append(key)
            tested.append(_Tested(measure, part, found, order.index(key) + 1))
    return tested


def _added(known: Sliced, tested: Sequence[_Tested], day: str, terms: Terms) -> Sliced:
    """With what is confirmed for the first time: a slice that was shown to be worse has been shown."""
    done = {(each.measure, part_name(each.part)) for each in known.confirmed}
    fresh = [
        _confirmed(each, each.found, day, terms.alpha)
        for each in tested
        if each.found is not None and each.p() <= terms.alpha and (each.measure, part_name(dict(each.part))) not in done
    ]
    tried = tuple(dict.fromkeys([*known.tried, *(each.key for each in tested)]))
    return Sliced(known.epoch, day, (*known.confirmed, *fresh), tried)


def _confirmed(of: _Tested, found: Found, day: str, alpha: float) -> Confirmed:
    bad, rest = ((rate.share, rate.lower, rate.upper) for rate in found.rates(alpha))
    about = found.users, found.requests, found.share, bad, rest
    return Confirmed(dict(of.part), of.measure, *about, of.p(), day)


def _some(seen: Traffic, of: Confirmed) -> list[str]:
    """Comparisons of a slice, one per user; those that failed cannot be judged, and review leaves them out."""
    at: Requests = seen.requests[FAILED]
    rows = np.flatnonzero(at.inside(tuple(of.part.items())) & ~at.bad)
    _, first = np.unique(at.user[rows], return_index=True)
    ids = seen.ids[FAILED]
    return sorted(ids[row] for row in rows[first])[:_PAIRS]


def _key(measure: str, part: Slice) -> str:
    return f"{measure}: {part_name(dict(part))}"


def to_exclude(found: Sliced) -> list[Mapping[str, str]]:
    """The confirmed slices that are named by what is known before an answer, each once."""
    named = [dict(each.part) for each in found.confirmed if all(name in EXCLUDABLE for name in each.part)]
    return [part for place, part in enumerate(named) if part not in named[:place]]


def _result(found: Sliced, tested: Sequence[_Tested], seen: Traffic, config: Config, context: Context) -> StageResult:
    parts = to_exclude(found)
    line = ", ".join("{" + ", ".join(f"{name}: {value}" for name, value in part.items()) + "}" for part in parts)
    at = seen.requests[FAILED]
    users = [np.unique(at.user[half]).size for half in (at.searched, ~at.searched)]
    rows = [[each.key, *_figures(each), "yes" if each.p() <= config.slices.alpha else "no"] for each in tested]
    table = shown(found)
    elsewhere = sum(not all(name in EXCLUDABLE for name in each.part) for each in found.confirmed)
    return StageResult(
        summary={
            "searched": f"{at.user.size:,} requests up to {found.until}, on {counted(users[0], 'user')}",
            "confirmed on": f"{counted(users[1], 'other user')}, at {config.slices.alpha:g} over all searches",
            "confirmed": counted(len(found.confirmed), "slice") if found.confirmed else "none",
            **({"to exclude": f"rollout.exclude: [{line}]"} if parts else {}),
            **({"not to exclude": f"{elsewhere}: a rollout asks for language and category alone"} if elsewhere else {}),
        },
        metrics={"slices/confirmed": float(len(found.confirmed)), "slices/tested": float(len(tested))},
        tags={"epoch": found.epoch},
        tables=[
            *([table] if table else []),
            *([Table("carried over now, on the other half", [*COLUMNS, "confirmed"], rows)] if rows else []),
        ],
        artifacts=[context.layout.slices],
        next_command=command("stage=gate", f"rollout.exclude=[{line}]") if parts else command("stage=report"),
    )


def _figures(each: _Tested) -> list[str]:
    if each.found is None:
        return ["too few users", *[""] * 4, "1"]
    f = each.found
    bad, rest = (100 * rate.share for rate in f.rates(0.05))
    return [f"{f.users:,}", f"{100 * f.share:.1f} %", f"{bad:.1f} %", "", f"{rest:.1f} %", f"{each.p():.2g}"]
