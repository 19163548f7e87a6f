"""What a rollout moves is what its GO covers: from the log to the router, and wider by a later verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.rollout.support import GRANTED, act, config_of, order, write_verdict
from tests.rollout.test_newest_evidence import days, judged, moved, refused, verdict
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.rollout import ramp
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.state import State, UnreadableStateError, dump, load
from zantara_exp.rollout.store import FileStore, file_store

NOW = datetime(2025, 11, 1, 9, tzinfo=UTC)
"""The day after the log's twelfth."""


@pytest.fixture
def english(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixteen days of 60 English requests of 240 users, and one request a day in Italian and Indonesian."""
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    said = {"category": "casual"}
    days(config_of(), start=-4, days=16, success=1.0, users=240, extra={**said, "language": "en"})
    for seed, language in enumerate(("it", "id"), 5):
        days(config_of(), start=-4, days=16, success=1.0, per_day=1, seed=seed, extra={**said, "language": language})
    return workdir


def store() -> FileStore:
    return file_store(Layout(config_of()))


def test_240_english_pairs_move_nobody_else(english: Path):
    looked = judged(now=NOW)
    assert looked.summary["verdict"] == "GO"
    told = "a rollout of language en, not of language=it: success: 15 users, 30 are needed; language=id: success: "
    assert looked.summary["opens"].startswith(told)
    said = verdict(english)
    assert said["covers"] == {"language": ["en"]}
    assert [each["segment"] for each in said["not_covered"]] == ["language=it", "language=id"]
    shown = moved("start", "rollout.steps_percent=[100]", "rollout.hold_days=[1]", now=NOW)
    assert shown.summary["moves"] == "language en; what is not named stays with the primary"
    router = Router(store(), config_of().rollout, None)
    try:
        assert router.decide("u", "casual", "en").candidate
        for language, told in (("id", "id"), ("unknown", "unknown"), (None, "unknown")):
            why = f"stays with the primary: not_covered_language_{told}"
            assert router.decide("u", "casual", language) == (False, why)
        assert "language" in router.covers
    finally:
        router.close()

    # Until there is evidence on Indonesian there is nothing to widen to; then it is widened by hand.
    assert "covers nothing that is not moved already: language en" in refused(action="widen", now=NOW)
    days(config_of(), days=1, start=12, success=1.0, extra={"category": "casual", "language": "id"})
    tomorrow = NOW + timedelta(days=1)
    assert "the log goes on to 2025-11-01" in refused(action="widen", now=tomorrow)
    judged(now=tomorrow)
    moved("widen", now=tomorrow)
    state = store().read()
    assert state.covers == {"language": ("en", "id")}
    assert state.history[-1].action == "widen"
    assert state.history[-1].reason == "moves language id from here on"


def test_a_gate_that_waits_gives_no_go(english: Path):
    looked = judged("gate.segments.thin=wait", now=NOW)
    assert looked.status == 4
    assert "waits for evidence on every declared part" in looked.summary["why"]
    assert "is INCONCLUSIVE" in refused("gate.segments.thin=wait", now=NOW)


EN = replace(GRANTED, covers={"language": ("en",)})
BOTH = replace(GRANTED, covers={"language": ("en", "id")})
RUNNING = ramp.start(State(), config_of().rollout, order(), BOTH)


def test_a_step_goes_on_with_what_the_go_of_today_covers():
    narrower = ramp.advance(RUNNING, config_of().rollout, order(7, reason="week 2"), EN)
    assert narrower.covers == {"language": ("en",)}
    assert narrower.history[-1].reason == "week 2; language id stays with the primary from here on"
    paused = ramp.pause(RUNNING, order(1))
    assert ramp.resume(paused, config_of().rollout, order(2), EN).covers == {"language": ("en",)}
    assert ramp.advance(RUNNING, config_of().rollout, order(7), BOTH).covers == BOTH.covers
    with pytest.raises(ramp.RefusedError, match="covers no language that is moved"):
        ramp.advance(RUNNING, config_of().rollout, order(7), replace(GRANTED, covers={"language": ("it",)}))
    # One that began before a GO said what it covers goes on with what it covers now.
    before = replace(RUNNING, covers={})
    assert ramp.advance(before, config_of().rollout, order(7), EN).covers == {"language": ("en",)}


def test_widening_is_a_move_of_its_own():
    started = ramp.start(State(), config_of().rollout, order(), EN)
    wider = ramp.widen(started, config_of().rollout, order(3, reason="week 1"), BOTH)
    assert (wider.covers, wider.share, wider.since) == (BOTH.covers, 10, order(3).time)
    assert wider.history[-1].reason == "week 1; moves language id from here on"
    for state, granted, message in (
        (started, EN, "covers nothing that is not moved already: language en"),
        (State(), BOTH, "there is nothing to widen"),
        (started, replace(BOTH, epoch="e2"), "that is another rollout"),
    ):
        with pytest.raises(ramp.RefusedError, match=message):
            ramp.widen(state, config_of().rollout, order(3), granted)


def test_the_state_keeps_what_is_moved(workdir: Path):
    assert load(dump(RUNNING)) == RUNNING
    write_verdict(config_of(), covers={"language": ["en"]})
    act("start")
    assert store().read().covers == {"language": ("en",)}
    body = json.loads(dump(RUNNING))["state"]
    del body["covers"]  # a state of an older version
    assert load(signed(body)).covers == {}
    with pytest.raises(UnreadableStateError):
        load(signed({**body, "covers": {"language": [1]}}))
    with pytest.raises(UnreadableStateError):
        load(signed({**body, "covers": "en"}))


def signed(body: dict[str, object]) -> bytes:
    from zantara_exp.rollout.state import _checksum

    return json.dumps({"checksum": _checksum(body), "state": body}).encode()


def test_widening_needs_the_newest_evidence_and_a_reason_where_something_stands_against_it(workdir: Path):
    write_verdict(config_of(), covers={"language": ["en"]})
    act("start")
    write_verdict(config_of(), covers={"language": ["en", "id"]}, standing={"objections": ["the log has gaps"]})
    with pytest.raises(ZantaraError, match="there is no log here"):
        act("widen", days=3)
    with pytest.raises(ZantaraError, match="this stands against it: the log has gaps"):
        act("widen")
    act("widen", "rollout.reason=they are closed on Sundays")
    told = "they are closed on Sundays (in spite of: the log has gaps); moves language id from here on"
    assert store().read().history[-1].reason == told


PART = {"language": "id", "category": "casual"}
LEFT_OUT = ("rollout.exclude=[{language: id, category: casual}]",)


def test_a_go_about_more_or_less_than_is_left_opens_nothing(workdir: Path):
    write_verdict(config_of())
    with pytest.raises(ZantaraError, match="out language=id, category=casual, and the GO was given without noth"):
        act("start", *LEFT_OUT)
    write_verdict(config_of(*LEFT_OUT), exclude=["language=id, category=casual"])
    with pytest.raises(ZantaraError, match="leaves out nothing, and the GO was given without language=id"):
        act("start")


def test_what_the_go_leaves_out_stays_with_the_primary_whatever_a_router_is_configured_to(workdir: Path):
    write_verdict(config_of(*LEFT_OUT), exclude=["language=id, category=casual"])
    act("start", *LEFT_OUT, "rollout.steps_percent=[100]", "rollout.hold_days=[1]")
    assert store().read().exclude == (PART,)
    assert load(dump(store().read())).exclude == (PART,)
    router = Router(store(), config_of().rollout, None)
    try:
        assert router.asks_language
        assert router.decide("u", "casual", "en").candidate
        assert router.decide("u", "greeting", "id").candidate
        why = "stays with the primary: excluded_language_id_category_casual"
        assert router.decide("u", "casual", "id") == router.decide("u", "casual", None) == (False, why)
    finally:
        router.close()
