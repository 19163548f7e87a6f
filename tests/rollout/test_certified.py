"""What a certificate opens: with a GO, or in the place of what reviewers said of all; and whom a router moves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.gates.test_stage import Kept
from tests.rollout.support import AGED, MONDAY, SERVED, config_of, order, put_verdict, record_look, write_verdict
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context
from zantara_exp.rollout import ramp
from zantara_exp.rollout.authority import NotAuthorisedError, authority, serving_epoch
from zantara_exp.rollout.ramp import GUARDRAILS
from zantara_exp.rollout.router import BELOW, Router
from zantara_exp.rollout.stage import rollout
from zantara_exp.rollout.state import State, dump, load
from zantara_exp.rollout.store import open_store
from zantara_exp.routing import certificate
from zantara_exp.routing.score import BUCKETS, Known, Score, features

pytestmark = pytest.mark.usefixtures("workdir")

LEARNED = (AGED, "rollout.route=learned", "rollout.categories=[casual]")
EASY, HARD = Known("ciao", "it", "casual", 1, 9), Known("rimborso", "it", "casual", 1, 9)


def certified(days: float = 0.0, candidate: str = "", threshold: float = 0.5) -> str:
    """A certificate that vouches for what greets; `days`: its age on Monday."""
    config = config_of(*LEARNED)
    weights = [0.0] * BUCKETS
    for place in features(EASY).keys() - features(HARD).keys():
        weights[place] = 5.0
    content = {
        "candidate": candidate or serving_epoch(config, Layout(config)), "threshold": threshold,
        "categories": ["casual"], "made": (MONDAY - timedelta(days=days)).isoformat(),
    }  # fmt: skip
    return certificate.write(Layout(config).certificate, content, Score(-1.0, weights))


def start(*overrides: str) -> State:
    config = config_of(*LEARNED, "rollout.reason=the part that holds", *overrides)
    config = replace(config, rollout=replace(config.rollout, action="start"))
    rollout(config, Context(config, Kept(), Path(".")), lambda: MONDAY)
    return open_store(config.rollout, Layout(config)).read()


def verdict(name: str = "NO_GO", quality: str = "FAIL", **more: object) -> None:
    """A verdict with one criterion that says otherwise."""
    config = config_of(*LEARNED)
    rows = [{"name": each, "decision": quality if each == "quality" else "PASS"} for each in config.gate.criteria]
    write_verdict(config, verdict=name, criteria=rows, reason="quality: too few are as good", **more)


def test_a_go_with_a_certificate_moves_by_the_score() -> None:
    write_verdict(config_of(*LEARNED))
    with pytest.raises(ZantaraError, match=r"no certificate.json under paths.state") as missing:
        start()
    assert "stage=certify" in str(missing.value)
    mark = certified()
    state = start()
    assert (state.phase, state.certificate) == ("running", mark)
    assert load(dump(state)) == state


@pytest.mark.parametrize("quality", ["FAIL", "UNDECIDED", "MISSING"])
def test_a_certificate_stands_for_the_quality_of_all(quality: str) -> None:
    verdict("NO_GO" if quality == "FAIL" else "INCONCLUSIVE", quality)
    with pytest.raises(NotAuthorisedError, match=r"is (NO_GO|INCONCLUSIVE), not GO: quality"):
        start("rollout.route=segment")
    certified()
    assert start().certificate


@pytest.mark.parametrize(
    "more",
    [
        {"criteria": [{"name": "success", "decision": "FAIL"}]},
        {"sample": {"mismatch": "the users are others"}},
        {"covers": {"language": []}},
        {"quality": "PASS"},
    ],
)
def test_it_stands_for_nothing_else(more: dict) -> None:
    config = config_of(*LEARNED)
    rows = [{"name": name, "decision": "PASS"} for name in config.gate.criteria if name != "quality"]
    certified()
    if "criteria" in more:
        write_verdict(config, verdict="NO_GO", reason="success: too few", criteria=[*rows[1:], *more["criteria"]])
    else:
        verdict(**{"name": "INCONCLUSIVE", **more})
    with pytest.raises(NotAuthorisedError, match="not GO, and not for its quality alone"):
        start()


def test_a_verdict_that_no_look_gave_opens_nothing() -> None:
    verdict()
    certified()
    config = config_of(*LEARNED)
    said = json.loads(Layout(config).verdict.read_text())
    put_verdict(config, said | {"covers": {"language": ["it"]}})
    with pytest.raises(ZantaraError, match="has no such look, word for word"):
        start()


def test_a_later_no_go_stands_against_it() -> None:
    verdict()
    certified()
    record_look(config_of(*LEARNED), verdict="NO_GO", as_of="2025-11-03", reason="success")
    with pytest.raises(ZantaraError, match="said NO_GO afterwards"):
        start()


def test_it_is_of_this_candidate_and_not_too_old() -> None:
    write_verdict(config_of(*LEARNED))
    certified(candidate="e9")
    with pytest.raises(NotAuthorisedError, match="is about candidate e9, and [0-9a-f]+ would serve"):
        start()
    certified(days=31)
    with pytest.raises(NotAuthorisedError, match=r"of 2025-10-03: rollout.certify.max_age_days=30") as old:
        start()
    assert "stage=certify" in str(old.value)
    certified(days=29)
    assert start().certificate


def test_what_the_guardrails_refuted_is_not_taken_again() -> None:
    write_verdict(config_of(*LEARNED))
    certified()
    config = config_of(*LEARNED)
    granted = authority(config, Layout(config), MONDAY)
    running = ramp.start(State(), config.rollout, order(), granted)
    back = ramp.rollback(running, order(1, actor=GUARDRAILS, reason="fallback"))
    later = replace(granted, as_of="2025-11-20")
    with pytest.raises(ramp.RefusedError, match="the guardrails rolled back"):
        ramp.start(back, config.rollout, order(20), later)
    assert ramp.start(back, config.rollout, order(20), replace(later, certificate="new")).certificate == "new"


def test_a_running_rollout_keeps_its_certificate() -> None:
    write_verdict(config_of(*LEARNED))
    certified()
    config = config_of(*LEARNED)
    granted = authority(config, Layout(config), MONDAY)
    running = ramp.start(State(), config.rollout, order(), granted)
    with pytest.raises(ramp.RefusedError, match=r"began with certificate [0-9a-f]+, and the GO is now of none"):
        ramp.advance(running, config.rollout, order(8), replace(granted, certificate=""))


def routed(state: State) -> Router:
    config = config_of(*LEARNED)
    store = open_store(config.rollout, Layout(config))
    store.swap(store.read(), state)
    return Router.from_config(*SERVED, *LEARNED, "rollout.refresh_seconds=0.05")


def test_a_router_moves_what_the_certificate_vouches_for() -> None:
    mark = certified()
    epoch = serving_epoch(config_of(*LEARNED), Layout(config_of(*LEARNED)))
    router = routed(State("running", 0, 100.0, epoch, "g1", since=MONDAY, certificate=mark))
    try:
        assert router.scored
        assert router.decide("u1", "casual", "it", known=EASY).candidate
        assert router.decide("u1", "casual", "it", known=HARD) is BELOW
        assert router.decide("u1", "casual", "it") is BELOW
        assert BELOW.reason == "stays with the primary: score_below"
        assert not router.decide("u1", "greeting", "it", known=EASY._replace(category="greeting")).candidate
        certified(threshold=0.1)  # a new one is another: the rollout began with the one before
        router.refresh()
        assert router.decide("u1", "casual", "it", known=HARD) is BELOW
    finally:
        router.close()


def test_a_router_without_the_certificate_moves_nobody() -> None:
    certified()
    epoch = serving_epoch(config_of(*LEARNED), Layout(config_of(*LEARNED)))
    router = routed(State("running", 0, 100.0, epoch, "g1", since=MONDAY, certificate="gone"))
    try:
        assert router.share == 0
        assert router.decide("u1", "casual", "it", known=EASY).reason == "certificate gone is not here"
    finally:
        router.close()
