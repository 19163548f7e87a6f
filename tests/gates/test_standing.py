"""How a look stands among others, and in the log: each thing that refuses a start, or asks it for a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.evidence import Logged
from zantara_exp.gates.standing import Around, Standing, standing, through

NOW = datetime(2025, 11, 3, 9, tzinfo=UTC)
MINE = {
    "gate": "go_no_go", "gate_hash": "a" * 16, "epoch": "e1", "as_of": "2025-11-02", "through": "2025-11-02",
    "verdict": "GO", "authorises": True, "comparisons": 1400, "newest": "2025-11-02",
    "time": "2025-11-03T08:00:00+00:00",
}  # fmt: skip


def look(**changed: Any) -> dict[str, Any]:
    return {**MINE, **changed}


def log(days: int = 14, last: date = date(2025, 11, 2), without: tuple[int, ...] = (), per_day: int = 100) -> Logged:
    held = [last - timedelta(days=back) for back in range(days) if back not in without]
    return Logged(dict.fromkeys(held, per_day))


def stood(
    *record: dict[str, Any], mine: dict[str, Any] = MINE, place: int | None = None, logged: Logged | None = None,
    trained: str = "", now: datetime = NOW, **plan: Any,
) -> Standing:  # fmt: skip
    at = len(record) if place is None else place
    return standing(mine, at, Around(record, logged or log(), trained, now, Rollout(**plan)))


def test_the_newest_evidence_with_nothing_against_it():
    found = stood()
    assert (found.newest, found.looks_back, found.refusals, found.objections) == ("2025-11-02", False, [], [])
    assert found.others == []


@pytest.mark.parametrize(("age", "looks_back"), [(0, True), (1, True), (2, False)])
def test_how_old_a_go_may_be_is_declared(age: int, looks_back: bool):
    found = stood(mine=look(as_of="2025-10-31", through="2025-10-31"), go_max_age_days=age)
    assert found.looks_back == looks_back
    assert bool(found.refusals) == looks_back
    # What is allowed by a key that anybody can give on the command line still asks for its reason.
    assert any("go_max_age_days" in each for each in found.objections)


def test_a_day_that_is_not_over_is_seen_in_part():
    assert through("2025-11-03", NOW.date()) == "2025-11-02"
    assert through("2025-11-01", NOW.date()) == "2025-11-01"
    assert through("", NOW.date()) == ""
    only = log(1, date(2025, 11, 3))
    assert stood(mine=look(as_of="2025-11-03"), logged=only).refusals == ["no day of the log is over yet"]


NO_GO = {"verdict": "NO_GO", "gate": "daily", "gate_hash": "d" * 16, "authorises": False, "reason": "slow"}


@pytest.mark.parametrize(
    ("other", "place", "refuses", "asks"),
    [
        (NO_GO, 0, True, True),  # recorded after it, on the same evidence
        (NO_GO, 1, False, True),  # before it
        (NO_GO | {"as_of": "2025-11-03"}, 1, True, True),  # before it, on newer evidence
        (NO_GO | {"as_of": "2025-10-20"}, 0, False, True),  # after it, looking back
        (NO_GO | {"epoch": "e2"}, 0, False, False),  # of another candidate
        (NO_GO | {"verdict": "INCONCLUSIVE"}, 0, False, False),  # a watch that cannot tell
        (NO_GO | {"verdict": "GO"}, 0, False, False),
        ({"verdict": "NO_GO"}, 1, False, True),  # by this very gate
        ({"verdict": "INCONCLUSIVE"}, 0, True, False),  # and no GO any more
        ({"verdict": "INCONCLUSIVE", "as_of": "2025-10-20"}, 1, False, False),  # on its way
        ({"verdict": "INCONCLUSIVE", "gate_hash": "b" * 16}, 1, False, True),  # a gate that would decide, and cannot
        ({"verdict": "GO", "gate_hash": "b" * 16}, 1, False, False),
    ],
)
def test_what_else_was_said(other: dict[str, Any], place: int, refuses: bool, asks: bool):
    there = look(**other)
    record = [MINE, there] if place == 0 else [there, MINE]
    found = stood(*record, place=place)
    assert (bool(found.refusals), bool(found.objections)) == (refuses, asks)
    if refuses or asks:
        assert other["verdict"] in " ".join([*found.refusals, *found.objections])


def test_what_many_looks_said_is_one_line():
    daily = [look(**NO_GO, as_of=f"2025-10-{day}") for day in range(20, 30)]
    [told] = stood(*daily).objections
    assert told == f"gate=daily ({'d' * 16}) said NO_GO in 10 looks, the last on evidence up to 2025-10-29: slow"


def test_the_training_gate_speaks_of_the_model():
    said = look(**NO_GO | {"gate": "training", "epoch": "weights12345", "as_of": "2025-10-01"})
    assert "gate=training" in stood(said, trained="weights12345").objections[0]
    assert not stood(said, trained="weights12345").refusals
    assert not stood(said, trained="others123456").objections
    assert not stood(look(**NO_GO | {"epoch": ""})).objections


@pytest.mark.parametrize(
    ("logged", "record", "told"),
    [
        (log(without=(3, 4)), [], "holds nothing of 2 of the days up to 2025-11-02: 2025-10-29, 2025-10-30"),
        (log(per_day=90), [look(as_of="2025-10-30", through="2025-10-30", comparisons=1100)], "a look saw 1,100"),
        (log(), [look(after_loss=True, verdict="GO")], "the record of looks was lost once"),
    ],
)
def test_what_makes_the_evidence_doubtful_asks_for_a_reason(logged: Logged, record: list[dict[str, Any]], told: str):
    found = stood(*record, logged=logged)
    assert not found.refusals
    assert told in found.objections[0]


def test_a_log_that_ended_long_ago_asks_for_a_reason():
    assert not stood(now=NOW + timedelta(days=6)).objections
    assert "the log ends with 2025-11-02" in stood(now=NOW + timedelta(days=8)).objections[0]
    assert not stood(now=NOW + timedelta(days=8), log_max_age_days=30).objections


def test_a_log_or_a_clock_that_went_back_refuses():
    assert "a look saw the log up to 2025-11-09" in stood(look(newest="2025-11-09", as_of="2025-10-20")).refusals[0]
    assert not stood(look(newest="2025-11-09", epoch="e2")).refusals
    assert "this machine's clock says" in stood(MINE, place=0, now=NOW - timedelta(hours=3)).refusals[0]


def test_looks_of_an_older_version_count_as_far_as_they_say():
    old = {"gate": "go_no_go", "gate_hash": "b" * 16, "epoch": "e1", "as_of": "2025-10-20", "verdict": "NO_GO"}
    assert "gate=go_no_go with other criteria" in stood(old).objections[0]
    assert not stood({**old, "verdict": ""} | {"gate": "daily"}).objections
