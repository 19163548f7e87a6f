"""Checks against the record of looks and the log whether a GO is about the newest evidence, and what contradicts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.gates.record import Looks
from zantara_exp.gates.standing import Around, Look, Standing, standing
from zantara_exp.gates.verdict_record import verdict_hash

if TYPE_CHECKING:
    from zantara_exp.gates.evidence import Logged

_IDENTITY = ("gate_hash", "epoch", "as_of")


class NotNewestError(ZantaraError):
    """A GO that is no longer valid, by newer evidence or by a later look."""


class Recorded(NamedTuple):
    """The look that gave a verdict, among all on record."""

    look: Look
    place: int
    record: Sequence[Look]


def found_on_record(config: Config, layout: Layout, said: Mapping[str, Any]) -> Recorded:
    """The recorded look that gave exactly this verdict. Raises NotNewestError if there is none."""
    looks, mark = Looks(layout.looks), verdict_hash(said)
    record = looks.known(layout.reports)
    same = [
        place
        for place, look in enumerate(record)
        if all(look[name] == said.get(name) for name in _IDENTITY) and "found_in" not in look
    ]
    given = [place for place in same if record[place].get("verdict_hash") == mark]
    newest = record[same[-1]].get("verdict") if same else None
    verdict = said.get("verdict")
    if given and newest == verdict:
        return Recorded(record[given[-1]], given[-1], record)
    what = ", ".join(f"{name} {said.get(name)}" for name in _IDENTITY)
    found = f"says {newest}" if newest not in (None, verdict) else "has no such look, word for word"
    raise NotNewestError(
        f"the verdict says {verdict} for {what}, and the record of looks, {looks.file.name} under paths.state, {found}",
        f"bring looks/{looks.file.name} from the machine that gave the GO, or judge here: "
        + command("stage=gate", f"gate={config.gate.name}"),
    )


def stands(config: Config, layout: Layout, mine: Recorded, now: datetime, opening: bool) -> Standing:
    """The standing of the look at `now`. A move that is not `opening` needs neither the newest evidence nor the log."""
    # Imported here, since it needs scipy: `status` without a GO must be quick.
    from zantara_exp.gates.collect import logged, trained

    log = logged(config, layout, str(mine.look["epoch"])) if opening else None
    yesterday = now.date() - timedelta(days=1) if opening else None
    around = Around(mine.record, log, trained(layout), now, config.rollout, yesterday)
    found = standing(mine.look, mine.place, around)
    return replace(found, refusals=[*found.refusals, *_changed(mine.look, log)])


def _changed(look: Look, log: Logged | None) -> Iterator[str]:
    """Sentences about judged days that hold something else by now."""
    seen, through = look.get("comparisons"), look.get("through")
    if log is None or seen is None or not through:
        return
    now = log.until(date.fromisoformat(through))
    if now != seen:
        yield f"it saw {seen:,} comparisons up to {through}, and the log has {now:,} of these days now"
