import math
from dataclasses import replace

import numpy as np
import pytest

from tests.gates.evidence import DAY, UNTIMED, above, below, crowd, gate_of, user_days
from zantara_exp.config.gate import Criterion, Gate, Segments, Threshold
from zantara_exp.gates import Missing, Number, Reviews, Seen, decide, resolve
from zantara_exp.gates.eprocess import log_evidence_go, lower_bound
from zantara_exp.gates.kinds import kind_named


def rule_of(criterion, **gate):
    return resolve(Gate("test", {"c": criterion}, **{**UNTIMED, **gate}))["c"]


def judge(criterion, evidence, last=None, **gate):
    return decide(rule_of(criterion, **gate), evidence, last)


@pytest.mark.parametrize("per", ["request", "user"])
def test_a_proportion_is_of_what_is_meant_and_the_other_one_withholds(per):
    rows = [(u, u % 10, 1, 1) for u in range(400)] + [(1000, 3, 200, 100)]
    decided = judge(above(0.9, per=per), user_days(rows), rho="assumed")
    of_requests, of_users = 500 / 600, 400.5 / 401
    weights = np.array([1.0] * 400 + [200.0]) if per == "request" else np.ones(401)
    asked = np.array([1.0] * 400 + [200.0])
    effective = weights.sum() ** 2 / (weights**2 * (0.2 + 0.8 / asked)).sum()
    share, other = (of_requests, of_users) if per == "request" else (of_users, of_requests)
    assert decided.view.effective == pytest.approx(effective)
    assert (decided.view.estimate, decided.view.other) == pytest.approx((share, other))
    bad = effective * (1 - share)
    assert decided.view.log_go == pytest.approx(float(log_evidence_go(effective - bad, bad, 0.9)))
    assert decided.decision == "UNDECIDED"
    if per == "user":
        assert decided.view.log_go > decided.needed_go
        measured = "shown of the average user's requests, but measured 83.3 % of requests"
        assert decided.reason == f"{measured}: above 90 % is needed"


def test_below_is_above_of_what_does_not_happen():
    days = crowd(500, 2, 0.001)
    turned = replace(days, total=days.trials - days.total)
    low, high = judge(below(0.02), days), judge(above(0.98), turned)
    assert low.decision == high.decision == "PASS"
    assert low.view.log_go == pytest.approx(high.view.log_go)
    assert low.view.upper == pytest.approx(1 - high.view.lower)
    assert low.view.estimate == pytest.approx(1 - high.view.estimate)


def test_quantile_is_a_proportion_under_the_limit_and_another_limit_serves_no_go():
    criterion = Criterion("latency", "quantile", go=Threshold(below=1500), no_go=Threshold(above=2500))
    fast, slow = crowd(400, 3, 0.99), crowd(400, 3, 0.80, seed=1)
    assert judge(criterion, Seen(fast, fast)).decision == "PASS"
    # 20 % of requests take longer than 1500: no pass. Whether NO-GO depends on how many take longer than 2500.
    assert judge(criterion, Seen(slow, fast)).decision == "UNDECIDED"
    assert judge(criterion, Seen(slow, slow)).decision == "FAIL"


def test_strict_counts_users_once_and_only_when_their_first_days_are_over():
    days = crowd(600, 4, 1.0, days=10)
    decided = judge(above(0.98, method="strict"), days)
    assert decided.view.users == 480  # those of the last two days are not over
    assert decided.view.lower == pytest.approx(float(lower_bound(480, 0, 0.05)))
    assert decided.decision == "PASS"
    assert judge(above(0.98, method="strict"), days, last=DAY + 1).decision == "MISSING"


def test_exact_uses_effective_counts():
    days = user_days([(u, 0, 1, int(u >= 10)) for u in range(500)])
    decided = judge(above(0.95, method="exact"), days)
    from statsmodels.stats.proportion import proportion_confint

    low, _ = proportion_confint(490, 500, alpha=0.1, method="beta")
    assert decided.view.lower == pytest.approx(low)
    assert decided.decision == "PASS"


@pytest.mark.parametrize("method", ["weighted", "exact"])
def test_a_mean_does_not_depend_on_its_unit(method):
    rng = np.random.default_rng(1)
    days = crowd(150, 4, 0.5)
    milliseconds = replace(days, total=rng.gamma(4, 180, 150) * 4)
    seconds = replace(milliseconds, total=milliseconds.total / 1000)
    bounds = (10_000.0, 10.0) if method == "weighted" else (None, None)
    in_ms = Criterion("l", "mean", go=Threshold(below=800), no_go=Threshold(above=900), method=method, bound=bounds[0])
    in_s = Criterion("l", "mean", go=Threshold(below=0.8), no_go=Threshold(above=0.9), method=method, bound=bounds[1])
    first, second = judge(in_ms, milliseconds), judge(in_s, seconds)
    assert first.decision == second.decision
    assert first.view.log_go == pytest.approx(second.view.log_go)
    assert first.view.upper == pytest.approx(1000 * second.view.upper)


def test_savings_need_a_hundred_users_when_they_are_looked_at_daily():
    primary = np.random.default_rng(1).gamma(4, 10, 99)
    costs = replace(crowd(99, 4, 0.5), total=primary * 0.1, baseline=primary)
    decided = judge(Criterion("l", "ratio", go=Threshold(above=0.7)), costs)
    assert decided.decision == "UNDECIDED"
    assert "99 users, at least 100" in decided.reason


def test_bounds_and_evidence_of_a_ratio_say_the_same():
    rng = np.random.default_rng(2)
    days = crowd(300, 3, 1.0)
    primary = rng.gamma(3, 1, 300)
    for share in (0.2, 0.26, 0.28, 0.29, 0.31):
        costs = replace(days, total=primary * share + rng.normal(0, 0.05, 300), baseline=primary)
        decided = judge(Criterion("savings", "ratio", go=Threshold(above=0.7)), costs)
        assert (decided.view.lower > 0.7) == (decided.decision == "PASS")
        assert decided.view.estimate == pytest.approx(1 - costs.total.sum() / primary.sum())


def arms(candidate, baseline):
    rows = [(u, 0, 5, g) for u, g in enumerate(candidate)] + [(10_000 + u, 0, 5, g) for u, g in enumerate(baseline)]
    names = np.array(["candidate"] * len(candidate) + ["baseline"] * len(baseline))
    return user_days(rows, segments={"arm": names})


def test_non_inferiority_shows_the_difference_within_the_margin():
    rng = np.random.default_rng(3)
    good, worse = rng.binomial(5, 0.8, 3000), rng.binomial(5, 0.6, 3000)
    criterion = Criterion("c", "non_inferiority", go=Threshold(above=0), no_go=Threshold(below=0), margin=0.05)
    assert judge(criterion, arms(good, rng.binomial(5, 0.8, 3000))).decision == "PASS"
    assert judge(criterion, arms(worse, good)).decision == "FAIL"
    assert judge(criterion, arms(good[:150], good[150:300])).decision == "UNDECIDED"
    rule = rule_of(criterion)
    assert rule.needed_go == pytest.approx(math.log(1 / 0.05))
    assert "baseline" in judge(criterion, crowd(300, 5, 0.8)).reason


def test_a_handful_of_baseline_users_shows_nothing():
    """Two of them who failed at everything would make any candidate look no worse."""
    good, bad = np.full(400, 5), np.zeros(400, int)
    criterion = Criterion("c", "non_inferiority", go=Threshold(above=0), no_go=Threshold(below=0), margin=0.02)
    decided = judge(criterion, arms(good, bad[:99]))
    assert decided.decision == "UNDECIDED"
    assert decided.reason == "99 users in the baseline, at least 100 are needed"
    assert judge(criterion, arms(good, bad[:100])).decision == "PASS"
    assert judge(criterion, arms(bad, good[:9])).decision == "UNDECIDED"
    assert judge(criterion, arms(bad, good)).decision == "FAIL"


@pytest.mark.parametrize(
    ("keys", "go", "no_go"),
    [
        ({"go": Threshold(above=0), "no_go": Threshold(below=-0.2), "margin": 0.1}, "> -10 %", "< -30 %"),
        ({"go": Threshold(below=0), "no_go": Threshold(above=0.02), "margin": 0.01}, "< +1 %", "> +3 %"),
        ({"no_go": Threshold(above=0), "margin": 0.01}, "", "> +1 %"),
        ({"no_go": Threshold(below=0), "margin": 0.01}, "", "< -1 %"),
    ],
)
def test_thresholds_of_a_difference_are_shown_where_they_are(keys, go, no_go):
    """GO and NO-GO are both shifted to the bad side: no_go printed +10 % where it stood at -30 %."""
    criterion = Criterion("c", "non_inferiority", **keys)
    kind, rule = kind_named("non_inferiority"), rule_of(criterion)
    assert (kind.shown_threshold(criterion, criterion.go), kind.shown_threshold(criterion, criterion.no_go)) == (
        go,
        no_go,
    )
    for bound, shown in ((criterion.go, go), (criterion.no_go, no_go)):
        if shown:
            assert float(shown.split()[1]) / 100 == pytest.approx(kind.at_threshold(rule, bound))


def test_more_tickets_are_refused_and_fewer_are_welcome():
    rng = np.random.default_rng(3)
    few, many = rng.binomial(5, 0.02, 2000), rng.binomial(5, 0.2, 2000)
    criterion = Criterion("tickets", "non_inferiority", no_go=Threshold(above=0), margin=0.01, required=False)
    assert judge(criterion, arms(many, few)).decision == "FAIL"
    assert judge(criterion, arms(few, many)).decision == "PASS"
    assert judge(criterion, arms(many, few)).view.estimate == pytest.approx(0.18, abs=0.02)


def pairs(wins, losses, ties):
    rows = []
    for u, (w, lost, t) in enumerate(zip(wins, losses, ties, strict=True)):
        rows.append((u, 0, w + lost + t, w, lost))
    return user_days(rows, baseline=True)


def test_paired_looks_at_discordant_pairs_only():
    wins, losses = np.ones(60, int), np.zeros(60, int)
    losses[:5], wins[:5] = 1, 0
    criterion = Criterion("better", "paired", go=Threshold(above=0.5), no_go=Threshold(below=0.5))
    decided = judge(criterion, pairs(wins, losses, np.full(60, 9)))
    assert decided.view.effective == 60
    assert decided.decision == "PASS"
    assert judge(criterion, pairs(losses, wins, np.full(60, 9))).decision == "FAIL"


def test_a_review_is_exact_and_counts_what_nobody_judged_against():
    criterion = Criterion("r", "review", go=Threshold(above=0.8), no_go=Threshold(below=0.7), method="exact")
    assert judge(criterion, Reviews(45, 5, 0, 0)).decision == "PASS"
    assert judge(criterion, Reviews(44, 6, 0, 0)).decision == "UNDECIDED"
    assert judge(criterion, Reviews(44, 0, 6, 0)).decision == "UNDECIDED"
    assert judge(criterion, Reviews(44, 0, 0, 6)).decision == "UNDECIDED"
    assert judge(criterion, Reviews(0, 0, 0, 50)).decision == "MISSING"
    assert judge(criterion, Reviews(20, 30, 0, 0)).decision == "FAIL"
    # What nobody has labelled is no proof of bad quality either.
    assert judge(criterion, Reviews(1, 2, 0, 47)).decision == "UNDECIDED"


def test_four_planned_samples_share_alpha():
    criterion = Criterion("r", "review", go=Threshold(above=0.8), method="exact", looks=4)
    assert rule_of(criterion).alpha == 0.0125
    assert judge(criterion, Reviews(45, 5, 0, 0)).decision == "UNDECIDED"


def test_counts_are_compared_as_they_are():
    bugs = Criterion("bugs", "count", go=Threshold(at_most=0), no_go=Threshold(at_least=1))
    assert judge(bugs, Number(0)).decision == "PASS"
    assert judge(bugs, Number(1)).decision == "FAIL"
    enough = Criterion("n", "count", go=Threshold(at_least=500))
    assert [judge(enough, Number(n)).decision for n in (499, 500)] == ["UNDECIDED", "PASS"]
    assert judge(enough, Number(math.nan)).decision == "MISSING"


def test_a_detector_alarms_on_a_change_that_cumulative_evidence_would_not_see():
    rows = [(u, u // 100, 1, 1) for u in range(3000)] + [(u, 31, 1, 0) for u in range(3000, 3009)]
    detector = judge(Criterion("m", no_go=Threshold(below=0.95), method="detector"), user_days(rows))
    assert detector.decision == "FAIL"
    assert judge(above(0.5, 0.45), user_days(rows)).decision == "PASS"


def test_the_veto_window_withholds_and_never_grants():
    good = [(u, u % 20, 2, 2) for u in range(2000)]
    recent = [(5000 + u, 19 + u % 7, 2, 1 if u % 10 == 0 else 2) for u in range(200)]
    criterion = above(0.98, window="7d", window_min_users=30)
    assert judge(above(0.98), user_days(good + recent)).decision == "PASS"
    vetoed = judge(criterion, user_days(good + recent))
    assert vetoed.decision == "UNDECIDED"
    assert "the last 7 days alone do not show it" in vetoed.reason
    assert judge(criterion, user_days(good)).decision == "PASS"
    alone = judge(criterion, user_days(good), last=DAY + 60)
    assert alone.decision == "UNDECIDED"
    assert "0 users in the last 7 days" in alone.reason


def test_a_bad_segment_is_seen_though_all_is_fine_overall():
    languages = np.array((["it"] * 4 + ["en"] * 3 + ["id"]) * 150)
    rng = np.random.default_rng(8)
    total = rng.binomial(3, np.where(languages == "id", 0.6, 1.0))
    days = replace(crowd(languages.size, 3, 1.0), total=total.astype(float), segments={"language": languages})
    segments = Segments(["it", "en", "id", "de"])
    decided = judge(above(0.9, 0.8), days, segments=segments)
    assert decided.decision == "FAIL"
    assert "language=id" in decided.reason
    assert [s.view.decision for s in decided.segments] == ["PASS", "PASS", "FAIL", "MISSING"]
    assert [s.thin for s in decided.segments] == [False, False, False, True]
    assert judge(above(0.9, 0.8), days).decision == "PASS"


def test_sensitivity_shows_both_ends():
    decided = judge(above(0.98), crowd(160, 20, 1.0))
    assert [s.rho0 for s in decided.sensitivity] == [0, 1]
    assert [s.view.effective for s in decided.sensitivity] == [3200, 160]
    assert [s.view.decision for s in decided.sensitivity] == ["PASS", "UNDECIDED"]


def test_days_to_a_decision_come_true():
    # 20 users a day, all good: the forecast after 5 days is the day on which it is decided.
    rows = [(u, u // 20, 3, 3) for u in range(2000)]
    decided = judge(above(0.98, min_users=0), user_days(rows), last=DAY + 4)
    assert decided.decision == "UNDECIDED"
    passed = next(d for d in range(5, 60) if judge(above(0.98), user_days(rows), last=DAY + d).decision == "PASS")
    assert decided.days.toward == "GO"
    assert decided.days.low == passed - 4
    assert decided.days.high is None or decided.days.high >= decided.days.low


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (crowd(10, 1, 1, epoch="x"), ""),
        (user_days([(1, 0, 0, 0)]), "nothing was measured"),
        (user_days([]), "nothing was measured"),
        (user_days([(1, 0, 1, 2)]), "more successes than requests"),
        (user_days([(1, 0, math.nan, 1)]), "no numbers"),
        (user_days([(1, 0, -1, 0), (2, 0, 5, 5)]), "negative"),
        (Missing("the log is empty"), "the log is empty"),
        (Number(3), "cannot be judged"),
    ],
)
def test_malformed_evidence_is_missing_and_says_why(days, words):
    decided = judge(above(0.98), days)
    assert decided.decision == ("MISSING" if words else "UNDECIDED")
    assert words in decided.reason


def test_false_no_go_is_shared_by_everything_that_could_end_in_one():
    bugs = Criterion("n", "count", no_go=Threshold(at_least=1))
    gate = gate_of(a=above(0.98, 0.95), b=above(0.9), c=above(0.9, 0.8), bugs=bugs)
    gate.segments = Segments(["it", "en", "id"])
    assert resolve(gate)["a"].needed_no_go == pytest.approx(math.log(8 / 0.05))
    assert resolve(gate)["a"].needed_go == pytest.approx(math.log(1 / 0.05))
    assert resolve(gate)["a"].min_users == 149


def test_no_bug_in_a_sample_says_what_it_excludes():
    criterion = Criterion("critical_bugs", "count", go=Threshold(at_most=0), no_go=Threshold(at_least=1))
    decided = judge(criterion, Number(0.0, sample=50))
    assert decided.decision == "PASS"
    assert decided.reason == "0 is at most 0; 0 of 50 at random excludes only more than 5.8 % of all"  # 1 - 0.05^(1/50)
    assert judge(criterion, Number(0.0)).reason == "0 is at most 0"
