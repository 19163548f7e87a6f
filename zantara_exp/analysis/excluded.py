"""What `rollout.exclude` leaves out of a log, and whose requests are then evidence on the rest.

A part that was chosen by its failures makes the rest look good to those who chose it, whatever the rest is like: the
worst of their luck went out with it. So users count who had no part in the choice: those of the confirm half, and
those first seen after the last day that was searched (docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from zantara_exp.config.rollout import DECLARED, EXCLUDABLE, part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.traffic.confirmed_slices import FIRST_OF_CONFIRM, SALT, Sliced, load
from zantara_exp.traffic.movable import UNKNOWN, why_excluded

if TYPE_CHECKING:
    import ibis.expr.types as ir


def whole(config: Config) -> Config:
    """The config for a log of which nothing is left out."""
    return replace(config, rollout=replace(config.rollout, exclude=[]))


def left_out(rows: ir.Table, config: Config) -> ir.Table:
    """The rows with what is excluded marked as not movable, as `zantara_exp.traffic.movable` would have noted it."""
    for part in config.rollout.exclude:
        known = [name for name in EXCLUDABLE if name in part]
        inside = rows.movable & reduce(and_, (rows[name].isin([part[name], UNKNOWN]) for name in known))
        rows = rows.mutate(
            movable=rows.movable & ~inside,
            why_aside=inside.ifelse(why_excluded(part), rows.why_aside),
        )
    return rows


def evidence_of(facts: ir.Table, everything: ir.Table, epoch: str, config: Config, layout: Layout) -> ir.Table:
    """Of an epoch's facts those of users who had no part in choosing what is excluded.

    `everything`: all of the log's requests, by which a user's first day is known. Raises MissingInputError where a part
    is neither confirmed nor declared: nobody can say then whose requests chose it.
    """
    for part in config.rollout.exclude:
        since, whose = _chosen(part, epoch, load(layout.slices))
        if since is None:
            continue
        of_epoch = everything.filter(everything.epoch == epoch)
        seen = of_epoch.group_by("user").agg(first=of_epoch.day.min())
        chose = seen.first <= since if whose == "search half" else seen.first < since
        if whose == "search half":
            chose &= (seen.user + SALT).hexdigest("md5") < FIRST_OF_CONFIRM
        facts = facts.anti_join(seen.filter(chose).select("user"), "user")
    return facts


def _chosen(part: Mapping[str, str], epoch: str, found: Sliced | None) -> tuple[date | None, str]:
    """The day by which users could have had a part in the choice, and which of them; no day where none could."""
    if DECLARED in part:
        return date.fromisoformat(part[DECLARED]), "everybody"
    named = {name: part[name] for name in EXCLUDABLE if name in part}
    mine = [] if found is None else [each for each in found.confirmed if dict(each.part) == named]
    if not mine or found is None:
        raise MissingInputError(
            f"rollout.exclude leaves out {part_name(part)}, which slices.json does not confirm: whose requests chose "
            "it is not known",
            command("stage=slices", note="or say `declared: DAY` in it, and who was seen before is no evidence"),
        )
    return (date.fromisoformat(mine[0].until), "search half") if found.epoch == epoch else (None, "")
