"""What a gate says: the decision about each criterion, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zantara_exp.config.gate import Criterion

PASS, FAIL, UNDECIDED, MISSING = "PASS", "FAIL", "UNDECIDED", "MISSING"
GO, NO_GO, INCONCLUSIVE = "GO", "NO_GO", "INCONCLUSIVE"


@dataclass(frozen=True)
class View:
    """The evidence of one criterion, from all its users, some segment, or another assumption."""

    decision: str
    estimate: float | None
    lower: float | None
    upper: float | None
    requests: float
    users: int
    effective: float
    """Effective sample: requests after weighing users, or users."""
    log_go: float | None
    log_no_go: float | None
    rho: float | None = None
    """Correlation of one user's requests that was reckoned with; None where none is."""
    blocks: float | None = None
    """Effective number of blocks of time, for GO; None where time is no cluster."""
    other: float | None = None
    """The share that is not meant: the mean over users where requests are, the share of requests where users are."""


@dataclass(frozen=True)
class SegmentView:
    """One declared segment of a criterion."""

    segment: str
    """Such as `language=id`."""
    view: View
    thin: bool
    """Too few users to show anything."""


@dataclass(frozen=True)
class Sensitivity:
    """The same evidence under another assumed correlation of one user's requests."""

    rho0: float
    view: View


@dataclass(frozen=True)
class Window:
    """The veto of the last days."""

    days: int
    estimate: float | None
    users: int
    agrees: bool


@dataclass(frozen=True)
class Days:
    """Days until a decision, if the traffic and the candidate stay as they are."""

    low: int
    high: int | None
    """None: not within a year."""
    toward: str
    """GO or NO_GO; `either` where the range reaches both."""


@dataclass(frozen=True)
class Outages:
    """How long an outage may be that GO holds for, and what was seen. Minutes."""

    block: int
    """GO reckons with outages as long as this, or shorter; 0 where none is asked for."""
    no_go_block: int
    """The same for NO-GO."""
    observed: int
    """Days of the log."""
    longest: int | None
    """The longest burst of failures so far; 0: none was seen; None: nobody looked for any."""
    longer: int
    """A longer block of time that was tried; 0: none was."""
    longer_day: int | None
    """Day of the log on which blocks as long would show it too, if the next days are like these; None: not in sight."""
    bursts: Sequence[BurstSeen] = ()


@dataclass(frozen=True)
class BurstSeen:
    """A stretch of time in which far more users failed than usually do."""

    begin: str
    """Its first slot of ten minutes with a failure: UTC, such as `2025-11-03T14:20`."""
    minutes: int
    """How long it lasted at least."""
    users: int
    failing: int


@dataclass(frozen=True)
class Helped:
    """What a judge's verdicts on many pairs added to people's labels on few."""

    judge: str
    users: int
    """How many users' pairs it saw."""
    share: float
    """Of these, the pairs that it calls equivalent or better."""
    agrees: float
    """Of the labelled pairs, those of which it says what people say."""
    worth: float
    """How many labels would tell as much without it."""
    alone: str
    """The decision without it, from the same labels."""


@dataclass(frozen=True)
class CriterionDecision:
    """One criterion, decided."""

    name: str
    criterion: Criterion
    decision: str
    """PASS, FAIL (NO-GO is shown), UNDECIDED or MISSING."""
    reason: str
    """One plain sentence."""
    view: View
    needed_go: float | None
    """Log evidence that a pass needs."""
    needed_no_go: float | None
    """Log evidence that a NO-GO needs."""
    per: str = ""
    """What is meant: `request` or `user`, or `weighed` between the two; empty where it is neither share nor mean."""
    outages: Outages | None = None
    """What the evidence over blocks of time holds for; None where time is no cluster."""
    lost: float = 0.0
    """Requests that were sampled but not measured."""
    window: Window | None = None
    days: Days | None = None
    sensitivity: Sequence[Sensitivity] = ()
    segments: Sequence[SegmentView] = ()
    monthly_requests: int | None = None
    """Over how many requests a month what is paid by the month was spread; None where it is not about money."""
    helped: Helped | None = None
    """What a judge added; None where none counts."""
    evidence_hash: str = ""
    """Identifies what was looked at."""
    epoch: str = ""


NOTHING = View(MISSING, None, None, None, 0.0, 0, 0.0, None, None)


def missing(name: str, criterion: Criterion, reason: str) -> CriterionDecision:
    """The decision where evidence is not there."""
    return CriterionDecision(name, criterion, MISSING, reason, NOTHING, None, None)
