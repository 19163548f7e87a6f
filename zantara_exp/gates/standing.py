"""What a GO would open, and what stands against it: a look cannot be chosen afterwards.

A GO opens a rollout only if its evidence is the newest there is, and nobody has seen since that it is otherwise. What
was said before, by whichever gate, stands: it refuses nothing, and whoever starts says why it may all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.decision import GO, NO_GO

if TYPE_CHECKING:
    from zantara_exp.gates.evidence import Logged

Look = Mapping[str, Any]
"""A look as its record has it; one of an older version lacks `time`, `through`, `newest`, `comparisons`, `reason`."""
_SET_BACK = timedelta(hours=1)
_REASON_CHARS = 200
_SHOWN_DAYS = 3


@dataclass(frozen=True)
class Other:
    """What some gate said of the same candidate, in one or more looks."""

    gate: str
    gate_hash: str
    verdict: str
    looks: int
    first: str
    """The earliest `as_of` of these looks."""
    last: str
    reason: str
    """Of the newest of them."""
    asks: bool
    """Whether a start has to say why it may be in spite of it."""


@dataclass(frozen=True)
class Standing:
    """How a look stands in the log, and among other looks at the same candidate."""

    newest: str
    """The last UTC day that is over and of which the log holds something; empty where there is no log."""
    looks_back: bool
    """Whether the log goes on after what this look saw."""
    refusals: Sequence[str]
    """Why a GO of this look opens nothing."""
    objections: Sequence[str]
    """What a start has to answer by `rollout.reason`."""
    others: Sequence[Other]


@dataclass(frozen=True)
class Around:
    """What a look is held against."""

    record: Sequence[Look]
    """Every look on record, oldest first."""
    logged: Logged | None
    """The log's days now; None where there is none."""
    trained: str
    """What looks at the trained model call it."""
    now: datetime
    """UTC."""
    plan: Rollout
    without_log: date | None = None
    """The day that evidence has to reach where there is no log; None: none is asked for."""

    @property
    def newest(self) -> date | None:
        """The last complete day that evidence has to reach."""
        return self.without_log if self.logged is None else self.logged.complete(self.now.date())


def through(as_of: str, today: date) -> str:
    """The last day that a look has seen whole: a day that is not over is seen in part."""
    if not as_of:
        return ""
    return min(date.fromisoformat(as_of), today - timedelta(days=1)).isoformat()


def standing(mine: Look, place: int, around: Around) -> Standing:
    """How the look `mine` stands; `place` is where it is on record, or would be."""
    newest = around.newest
    older = [*_older(mine, around)]
    refusals = [*older, *_otherwise(mine, place, around.record), *_tampered(around, mine["epoch"])]
    others = _others(mine, place, around)
    answers = [_told(other, mine) for other in others if other.asks]
    return Standing(
        newest="" if around.logged is None or newest is None else newest.isoformat(),
        looks_back=bool(older),
        refusals=refusals,
        objections=[*answers, *_doubts(mine, around)],
        others=others,
    )


def _older(mine: Look, around: Around) -> Iterator[str]:
    """Evidence that is not the newest."""
    newest, seen = around.newest, _through(mine)
    if around.logged is None and newest is None:
        return
    if newest is None:
        yield "no day of the log is over yet"
    elif not seen:
        yield "it is about no day of a log"
    elif date.fromisoformat(seen) + timedelta(days=around.plan.go_max_age_days) < newest:
        there = "and there is no log here that says what came since" if around.logged is None else (
            f"and the log goes on to {newest}"
        )  # fmt: skip
        yield f"its evidence ends with {seen}, {there}"


def _otherwise(mine: Look, place: int, record: Sequence[Look]) -> Iterator[str]:
    """Looks on evidence as new, or newer, that say otherwise: NO_GO by any gate, no GO any more by this one."""
    found: dict[str, Look] = {}
    for at, look in enumerate(record):
        same = look["gate_hash"] == mine["gate_hash"]
        against = _verdict(look) == NO_GO or (same and _verdict(look) != GO)
        if look["epoch"] == mine["epoch"] and against and _later(look, at, mine, place):
            found[look["gate_hash"]] = look
    for look in found.values():
        yield f"{_who(look, mine)} said {_verdict(look)} afterwards, on evidence up to {look['as_of']}{_why(look)}"


def _later(look: Look, at: int, mine: Look, place: int) -> bool:
    return bool(look["as_of"] > mine["as_of"] or (look["as_of"] == mine["as_of"] and at > place))


def _tampered(around: Around, epoch: str) -> Iterator[str]:
    """A clock or a log that went back."""
    times = [datetime.fromisoformat(look["time"]) for look in around.record if look.get("time")]
    if times and max(times) - around.now > _SET_BACK:
        yield (
            f"this machine's clock says {around.now:%Y-%m-%d %H:%M} UTC, and a look was made at "
            f"{max(times):%Y-%m-%d %H:%M}: one of the two was wrong"
        )
    seen = max((look["newest"] for look in around.record if look["epoch"] == epoch and look.get("newest")), default="")
    if around.logged is not None and seen > around.logged.last.isoformat():
        yield f"a look saw the log up to {seen}, and it ends with {around.logged.last} now: bring back what is gone"


def _others(mine: Look, place: int, around: Around) -> list[Other]:
    """What was said of the same candidate, but for what a gate says on its way to a verdict."""
    groups: dict[tuple[str, str, str], list[Look]] = {}
    for at, look in enumerate(around.record):
        model = bool(look["epoch"]) and look["epoch"] == around.trained
        same = look["epoch"] == mine["epoch"]
        on_the_way = look["gate_hash"] == mine["gate_hash"] and _verdict(look) != NO_GO
        if bool(look["epoch"]) and at != place and (model or same) and not on_the_way:
            groups.setdefault((look["gate"], look["gate_hash"], _verdict(look)), []).append(look)
    return [_other(looks) for looks in groups.values()]


def _other(looks: Sequence[Look]) -> Other:
    newest, days = looks[-1], [str(look["as_of"]) for look in looks]
    authorises = newest.get("authorises", newest["gate"] == "go_no_go")
    asks = _verdict(newest) == NO_GO or (authorises and _verdict(newest) != GO)
    of = newest["gate"], newest["gate_hash"], _verdict(newest)
    return Other(*of, len(looks), min(days), max(days), _cut(newest.get("reason", "")), asks)


def _told(other: Other, mine: Look) -> str:
    times = f" in {other.looks} looks, the last" if other.looks > 1 else ""
    who = _who({"gate": other.gate, "gate_hash": other.gate_hash}, mine)
    why = f": {other.reason}" if other.reason else ""
    return f"{who} said {other.verdict}{times} on evidence up to {other.last}{why}"


def _doubts(mine: Look, around: Around) -> Iterator[str]:
    """What makes the evidence itself doubtful."""
    if any(look.get("after_loss") for look in around.record):
        yield "the record of looks was lost once: what was said before cannot be known"
    if around.logged is None or not _through(mine):
        return
    if around.newest is not None and date.fromisoformat(_through(mine)) < around.newest:
        yield (
            f"its evidence ends with {_through(mine)}, and the log goes on to {around.newest}: "
            f"rollout.go_max_age_days={around.plan.go_max_age_days} allows it"
        )
    log, until = around.logged, date.fromisoformat(_through(mine))
    for look in around.record:
        before = look.get("comparisons")
        if look["epoch"] != mine["epoch"] or before is None or not "" < _through(look) <= _through(mine):
            continue
        now = log.until(date.fromisoformat(_through(look)))
        if now < before:
            yield f"a look saw {before:,} comparisons up to {_through(look)}, and {now:,} are left of them"
            break
    if gaps := log.gaps(until):
        some = ", ".join(map(str, gaps[:_SHOWN_DAYS])) + (", ..." if len(gaps) > _SHOWN_DAYS else "")
        yield f"the log holds nothing of {len(gaps)} of the days up to {until}: {some}"
    last = log.complete(around.now.date())
    if last is not None and (around.now.date() - last).days > around.plan.log_max_age_days:
        yield f"the log ends with {log.last}: what came since is not in it (rollout.log_max_age_days)"


def _verdict(look: Look) -> str:
    return str(look.get("verdict", ""))


def _through(look: Look) -> str:
    return str(look.get("through", look["as_of"]))


def _who(look: Look, mine: Look) -> str:
    if look["gate_hash"] == mine["gate_hash"]:
        return f"gate={look['gate']}, this very one,"
    with_others = " with other criteria" if look["gate"] == mine["gate"] else ""
    return f"gate={look['gate']}{with_others} ({look['gate_hash']})"


def _why(look: Look) -> str:
    reason = _cut(look.get("reason", ""))
    return f": {reason}" if reason else ""


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 3] + "..."
