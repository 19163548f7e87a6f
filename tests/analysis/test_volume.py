"""Requests a month, measured: the interval against simulated truths, and what the log and the money make of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.analysis import logs
from zantara_exp.analysis.evidence import evidence
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.summary import summary
from zantara_exp.analysis.volume import Volume, monthly, volume
from zantara_exp.config import Config
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.core.layout import Layout
from zantara_exp.cost import billing
from zantara_exp.cost.billing import DAYS_A_MONTH
from zantara_exp.gates import judge_gate
from zantara_exp.gates.evidence import EvidenceRequest, UserDays

LIVE: dict[str, Any] = {
    "response": "ciao bello", "model": "claude-haiku-4-5", "provider": "anthropic", "tokens_input": 600,
    "tokens_output": 30, "latency_ms": 900, "error": None, "ttft_ms": None, "finish_reason": None, "detail": None,
}  # fmt: skip
TRAFFIC = logs.Plan(days=17, per_day=120, users=400, heavy=0.0, success=1.0, extra={"primary": LIVE})
"""Half of it greeting and casual: about 60 requests a day, 1,826 a month."""


def measured(config: Config, layout: Layout) -> Volume:
    with open_log(config, layout) as log:
        return volume(log, config)


def savings(config: Config, layout: Layout) -> UserDays:
    found = evidence([EvidenceRequest("savings")], None, config, layout)[0]
    assert isinstance(found, UserDays)
    return found


def simulated(rng: np.random.Generator, days: int, users: int, share: float, spread: float) -> tuple[bool, float]:
    """Whether the interval holds the traffic's true monthly volume, and its width against that."""
    own = rng.lognormal(-(spread**2) / 2, spread, users) * 0.6
    week = np.array([1.2, 1.1, 1.0, 1.0, 1.1, 0.7, 0.6])
    truth = own.sum() * week.mean() * DAYS_A_MONTH
    drawn = own[rng.random(users) < share]
    start = 20_000 + int(rng.integers(7))
    of_day = week[np.arange(start, start + days) % 7] * rng.lognormal(-(0.12**2) / 2, 0.12, days)
    counts = rng.poisson(drawn[:, None] * of_day[None, :])
    user, day = np.nonzero(counts)
    user = np.unique(user, return_inverse=True)[1]
    found = monthly(user, start + day, counts[counts > 0] / share, share, np.arange(start, start + days))
    return truth in found, (found.high - found.low) / truth


@pytest.mark.parametrize(
    ("days", "users", "share", "spread"),
    [(7, 1000, 0.1, 0.8), (14, 1000, 0.1, 1.0), (21, 3000, 0.05, 1.2), (28, 400, 1.0, 1.0), (14, 300, 0.1, 0.5)],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(days: int, users: int, share: float, spread: float) -> None:
    rng = np.random.default_rng(days * users)
    runs = [simulated(rng, days, users, share, spread) for _ in range(1500)]
    covered = np.mean([hit for hit, _ in runs])
    error = np.sqrt(0.95 * 0.05 / len(runs))
    assert covered > 0.95 - 3 * error
    assert np.median([width for _, width in runs]) < 1.2  # and it says something


def test_what_a_plain_sum_gives_where_everyone_is_sampled() -> None:
    days = np.arange(20_000, 20_014)
    per_day = 10.0 + (days % 7)  # the same each week: nothing is left to chance
    user = np.tile(np.arange(2), days.size)
    found = monthly(user, np.repeat(days, 2), np.repeat(per_day / 2, 2), 1.0, days)
    assert found.estimate == found.low == found.high == pytest.approx(13.0 * DAYS_A_MONTH)
    more = monthly(user, np.repeat(days, 2), np.repeat(per_day / 2, 2), 1.0, days, {int(days[3]): 28.0})
    assert more.estimate == pytest.approx((13.0 + 28 / 14) * DAYS_A_MONTH)


def test_the_variance_of_the_drawing_is_horvitz_and_thompsons() -> None:
    """By its formula: nine users of one request a day at a share of a tenth, without any change by day."""
    days = np.arange(20_000, 20_007)
    user, day = np.repeat(np.arange(9), 7), np.tile(days, 9)
    found = monthly(user, day, np.full(user.size, 10.0), 0.1, days)
    cv = np.sqrt(0.9 * 9 * 10**2) / 90
    from scipy.stats import t

    assert found.estimate == pytest.approx(90 * DAYS_A_MONTH)
    assert found.high / found.estimate == pytest.approx(np.exp(t.ppf(0.975, 8) * np.sqrt(np.log1p(cv**2))))
    assert found.low * found.high == pytest.approx(found.estimate**2)


def test_only_complete_days_of_what_would_move_are_counted(layout: Layout, config: Config) -> None:
    lines = logs.write(layout.logs, TRAFFIC)
    inside = [line for line in lines if "2025-10-20" < line["timestamp"][:10] < "2025-11-05"]
    moved = [line for line in inside if line["category"] in config.rollout.categories]
    found = measured(config, layout)
    assert (found.days, found.users) == (15, len({line["user"] for line in moved}))
    assert found.measured is not None
    assert found.measured.estimate == pytest.approx(len(moved) / 15 * DAYS_A_MONTH, rel=0.03)  # weekdays weigh alike


def test_a_tenth_of_the_users_stands_for_all(layout: Layout, config: Config) -> None:
    logs.write(
        layout.logs, replace(TRAFFIC, extra={**TRAFFIC.extra, "sampling": {"percent": 10.0, "reason": "user_hash"}})
    )
    tenth = measured(config, layout).measured
    assert tenth is not None
    assert tenth.estimate == pytest.approx(10 * 60 * DAYS_A_MONTH, rel=0.1)
    assert tenth.high > 1.1 * tenth.estimate  # whom the sample holds is chance


def test_what_was_lost_was_asked_all_the_same(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, TRAFFIC)
    before = measured(config, layout).measured
    logs.write(layout.logs, replace(TRAFFIC, per_day=1, drops=59, seed=2))
    after = measured(config, layout).measured
    assert before is not None
    assert after is not None
    assert after.estimate == pytest.approx(1.5 * before.estimate, rel=0.05)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (replace(TRAFFIC, extra={}), "recorded conversations were replayed"),
        (replace(TRAFFIC, extra={**TRAFFIC.extra, "sampling": {"percent": 50.0, "reason": "replay"}}), "were replayed"),
        (replace(TRAFFIC, extra={**TRAFFIC.extra, "sampling": {"percent": None, "reason": None}}), "do not note what"),
        (replace(TRAFFIC, version=1, extra={}), "2,040 requests do not note what share of the users was sampled"),
        (replace(TRAFFIC, days=8), "6 of the 7 days of the week have a complete day"),
        (replace(TRAFFIC, users=5), "5 users sent what would move, at least 10"),
    ],
)
def test_what_is_missing_is_said(layout: Layout, config: Config, plan: logs.Plan, why: str) -> None:
    logs.write(layout.logs, plan)
    found = measured(config, layout)
    assert found.measured is None
    assert why in found.lacks
    assert found.judged == config.cost.monthly_requests
    assert savings(config, layout).note == ""


def test_a_mirror_without_a_category_measures_nothing(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, TRAFFIC)
    config.shadow.categories = ["greeting"]
    assert "leaves out casual" in measured(config, layout).lacks


def test_days_on_which_the_mirror_was_off_are_not_days_without_requests(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, TRAFFIC)
    whole = measured(config, layout)
    for day in ("2025-10-25", "2025-10-26"):
        (layout.logs / f"shadow_comparison_{day}.jsonl").unlink()
    shutil.rmtree(layout.state / "facts")  # nobody saw these days
    found = measured(config, layout)
    assert found.days == whole.days - 2
    assert found.measured is not None
    assert whole.measured is not None
    assert found.measured.estimate == pytest.approx(whole.measured.estimate, rel=0.05)


@pytest.mark.parametrize(("declared", "judged"), [(30_000, "low"), (1_850, "declared"), (200, "low")])
def test_a_declared_volume_that_the_log_contradicts_does_not_decide(
    layout: Layout, config: Config, declared: int, judged: str
) -> None:
    logs.write(layout.logs, TRAFFIC)
    config.cost.monthly_requests = declared
    by = measured(config, layout)
    assert by.measured is not None
    requests = {"low": round(by.measured.low), "declared": declared}[judged]
    assert by.judged == requests
    found = savings(config, layout)
    fee = 3.78 * 1.08 / requests
    assert found.total.sum() == pytest.approx(found.trials.sum() * fee)
    with open_log(config, layout) as log:
        spent = summary(log, config).spending
    assert spent.candidate_each == pytest.approx(fee)
    assert spent.primary_monthly == pytest.approx(requests * (600 * 1 + 30 * 5) / 1e6)
    assert (found.note == "") == (judged == "declared")
    gate = Gate("mine", {"savings": Criterion("savings", "ratio", go=Threshold(above=0.7), no_go=Threshold(below=0.0))})
    decided = judge_gate(gate, {"savings": found}).criteria[0]
    assert decided.monthly_requests == requests
    assert ("contradict the log" in decided.reason) == (judged == "low")


def test_a_declared_volume_no_longer_buys_a_go(layout: Layout, config: Config) -> None:
    """With 30,000 requests declared the fee of EUR 3.78 saves 81 %; the log has 1,826 a month, and it loses."""
    logs.write(layout.logs, TRAFFIC)
    found = savings(config, layout)
    assert found.baseline is not None
    assert 1 - found.total.sum() / found.baseline.sum() < -1
    declared = billing.flat_usd_per_request(config.cost) * found.trials.sum()
    assert 1 - declared / found.baseline.sum() > 0.8


def test_break_even_and_other_volumes(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(TRAFFIC, success=0.9, failures=("timeout",)))
    with open_log(config, layout) as log:
        found = summary(log, config)
    spent, primary, fee = found.spending, (600 * 1 + 30 * 5) / 1e6, 3.78 * 1.08
    assert spent.curve is not None
    assert spent.candidate_each is not None
    again = spent.candidate_each - fee / spent.volume.judged  # failures are paid to the primary
    assert spent.curve.break_even == pytest.approx(fee / (primary - again))
    assert spent.curve.saved(1_000_000) == pytest.approx(1 - (again + fee / 1_000_000) / primary)
    assert spent.curve.saved(10) == pytest.approx(1 - (again + fee / 10) / primary)


def test_a_worker_that_is_always_on_breaks_even_where_its_share_does(layout: Layout, config: Config) -> None:
    seconds = [{"seconds": float(each), "usd": None, "basis": None, "price_date": None} for each in (1, 3)]
    lines = logs.write(layout.logs, replace(TRAFFIC, days=4))
    rewrite(layout, [as_version_3(line, seconds[place % 2]) for place, line in enumerate(lines)])
    config.endpoint.billing, config.endpoint.gpu, config.endpoint.minimum_workers = "seconds", "L4", 1
    config.cost.gpu_usd_hour = {"L4": 0.36}  # 0.0001 a second
    with open_log(config, layout) as log:
        spent = summary(log, config).spending
    assert spent.curve is not None
    monthly_usd = 0.36 * billing.HOURS_A_MONTH
    # each request takes at least its share of the month: at 0.00075 both kinds do
    assert spent.curve.break_even == pytest.approx(monthly_usd / 0.00075, rel=1e-6)
    config.endpoint.minimum_workers = 0
    with open_log(config, layout) as log:
        spent = summary(log, config).spending
    assert spent.curve is not None
    assert (spent.curve.cheaper_always, spent.curve.break_even) == (True, None)


def test_others_are_billed_by_the_tokens_of_the_log(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(TRAFFIC, days=3))
    with open_log(config, layout) as log:
        spent = summary(log, config).spending
    market = spent.market
    assert market is not None
    usd = {offer.model: offer.usd for offer in market.offers}
    assert usd["claude-haiku-5-5"] == pytest.approx((600 * 0.1 + 30 * 0.5) / 1e6)
    assert usd["claude-haiku-4-5"] == pytest.approx(spent.usd_per_request)
    assert [offer.usd for offer in market.offers] == pytest.approx(sorted(usd.values()))
    assert [offer.model for offer in market.shown if offer.in_log] == ["claude-haiku-4-5"]
    assert len(market.shown) == 16
    assert not [name for name in usd if "image" in name or "embed" in name or "transcribe" in name]
    best = market.cheaper(1e-4)
    assert best is not None
    assert (best.model, best.provider) == ("claude-haiku-5-5", "anthropic")
    assert market.cheaper(1e-6) is None


def test_long_requests_are_billed_by_their_tier(layout: Layout, config: Config) -> None:
    """Above 100,000 tokens read, caches included, claude-haiku-5-5 takes five times as much of every token."""
    usage = {
        "input": 1000,
        "cache_read": 99_001,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 10,
        "estimated": False,
    }
    lines = logs.write(layout.logs, replace(TRAFFIC, days=1, per_day=40))
    whole = [as_version_3(line) for line in lines]
    for line in whole[::2]:
        line["primary"]["usage"] = usage
    rewrite(layout, whole)
    with open_log(config, layout) as log:
        market = summary(log, config).spending.market
    assert market is not None
    moved = [line for line in whole if line["category"] in config.rollout.categories]
    long = sum(line["primary"]["usage"] is usage for line in moved)
    dollars = long * (1000 * 0.5 + 99_001 * 0.05 + 10 * 2.5) + (len(moved) - long) * (600 * 0.1 + 30 * 0.5)
    usd = next(offer.usd for offer in market.offers if offer.model == "claude-haiku-5-5")
    assert usd == pytest.approx(dollars / len(moved) / 1e6)


def as_version_3(line: dict[str, Any], billed: dict[str, Any] | None = None) -> dict[str, Any]:
    def side(old: dict[str, Any], bill: dict[str, Any] | None) -> dict[str, Any]:
        caches = dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h"))
        usage = {"input": old["tokens_input"], **caches, "output": old["tokens_output"], "estimated": False}
        nothing = dict.fromkeys(("usd", "basis", "price_date", "seconds"))
        return {**old, "usage": usage, "billed": bill or nothing}

    scope = {"scope": {"movable": True, "why_not": None}}
    sides = {"primary": side(line["primary"], None), "candidate": side(line["candidate"], billed)}
    return {**line, **sides, **scope, "schema_version": 3}


def rewrite(layout: Layout, lines: Sequence[dict[str, Any]]) -> None:
    by_day: dict[str, list[str]] = {}
    for line in lines:
        by_day.setdefault(line["timestamp"][:10], []).append(json.dumps(line))
    for day, text in by_day.items():
        (layout.logs / f"shadow_comparison_{day}.jsonl").write_text("\n".join(text) + "\n")
