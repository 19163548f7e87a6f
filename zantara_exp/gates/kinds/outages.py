"""What evidence over blocks of time holds for: outages as long as a block; and the longest burst of failures so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zantara_exp.gates.clusters import bursts as scan
from zantara_exp.gates.clusters.blocks import day_shown
from zantara_exp.gates.clusters.time import in_blocks
from zantara_exp.gates.decision import BurstSeen, Outages
from zantara_exp.gates.evidence import SLOTS
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.user_visits import Floats, Measured

_LONGER = 4
"""Times a block that is tried as well."""


def outages(of: Measured, bad: Floats, rule: Rule, p0: float | None) -> Outages:
    """Of one log; `bad` requests per row, `p0` the share of good requests that GO asks for, None where it asks none."""
    assert of.at.slot is not None  # noqa: S101  asked by the caller
    found = scan.bursts(of.at.user, of.at.slot, bad)
    block = rule.clusters.time_block if p0 is not None else 0
    longer = next((size for size in range(_LONGER * block, SLOTS + 1) if size > block and SLOTS % size == 0), 0)
    observed, day = of.at.days - int(of.at.day.min(initial=0)), None
    if p0 is not None and longer:
        since = of.at.day if rule.clusters.per == "user" else None
        (part,) = in_blocks(of, bad, longer, lost_as_bad=True, since=since).parts
        day = day_shown(part.weight[0], part.bad[0], p0, rule.needed_go, observed)
    begun = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=of.at.start)
    return Outages(
        block=10 * block,
        no_go_block=10 * rule.clusters.time_block_no_go if rule.criterion.no_go.given else 0,
        observed=observed,
        longest=10 * max((burst.slots for burst in found), default=0),
        longer=10 * longer,
        longer_day=day,
        bursts=[
            BurstSeen(
                begin=f"{begun + timedelta(minutes=10 * burst.first):%Y-%m-%dT%H:%M}",
                minutes=10 * burst.slots,
                users=burst.users,
                failing=burst.failing,
            )
            for burst in found
        ],
    )
