"""What other tools for this job get wrong, one test each."""

from dataclasses import replace

import numpy as np
import pytest

from tests.gates.evidence import above, below, crowd, gate_of, timed, user_days
from tests.gates.test_config import shipped
from zantara_exp.config.gate import Criterion, Segments, Threshold
from zantara_exp.gates import Missing, Number, Reviews, Seen, judge_gate, junit_xml


def verdict(evidence, **criteria):
    gate = gate_of(**criteria)
    return judge_gate(gate, evidence if isinstance(evidence, dict) else dict.fromkeys(gate.criteria, evidence)).verdict


def test_ten_identical_pairs_are_no_go():
    pairs = user_days([(u, 0, 1, 0, 0) for u in range(10)], baseline=True)
    assert verdict(pairs, better=Criterion("m", "paired", go=Threshold(above=0.5))) == "INCONCLUSIVE"


@pytest.mark.parametrize("name", ["go_no_go", "daily", "week1", "week2", "training", "dataset", "guardrails"])
def test_nothing_at_all_is_inconclusive_in_every_shipped_gate(name):
    judged = judge_gate(shipped(name), {})
    assert judged.verdict == "INCONCLUSIVE"
    assert judged.missing == list(judged_names(judged))
    empty = user_days([])
    assert judge_gate(shipped(name), dict.fromkeys(shipped(name).criteria, empty)).verdict == "INCONCLUSIVE"


def judged_names(judged):
    return [d.name for d in judged.criteria]


def test_one_flip_in_twenty_is_not_no_go():
    answers = user_days([(u, 0, 1, int(u > 0)) for u in range(20)])
    assert verdict(answers, m=above(0.98, 0.95)) == "INCONCLUSIVE"
    assert verdict(user_days([(0, 0, 20, 19)]), m=above(0.98, 0.95)) == "INCONCLUSIVE"


def test_a_single_user_for_whom_everything_fails_is_not_no_go():
    assert verdict(user_days([(0, 0, 500, 0)]), m=above(0.98, 0.95)) == "INCONCLUSIVE"


def test_unparsable_judge_answers_are_failures_and_many_are_inconclusive():
    good = crowd(170, 3, 1.0)
    assert verdict(good, m=above(0.98)) == "GO"
    assert verdict(replace(good, lost_per_day={20_000: 5.0}), m=above(0.98)) == "INCONCLUSIVE"
    many = replace(crowd(40_000, 1, 1.0), lost_per_day={20_000: 450.0})
    assert verdict(many, m=above(0.9)) == "INCONCLUSIVE"
    assert verdict(replace(many, lost_per_day={20_000: 100.0}), m=above(0.9)) == "GO"
    # ... and they refute nothing.
    assert verdict(replace(good, lost_per_day={20_000: 2000.0}), m=above(0.98, 0.95)) == "INCONCLUSIVE"


def test_a_missing_metric_does_not_pass():
    evidence = {"a": crowd(500, 5, 1.0), "b": Missing("the log has no such field")}
    judged = judge_gate(gate_of(a=above(0.98), b=above(0.98)), evidence)
    assert judged.verdict == "INCONCLUSIVE"
    assert judged.missing == ["b"]
    assert "b" in judged.reason
    assert judge_gate(gate_of(a=above(0.98), b=above(0.98)), {"a": evidence["a"]}).missing == ["b"]


@pytest.mark.parametrize("method", ["weighted", "exact", "strict"])
def test_nine_worse_of_two_hundred_do_not_pass_five_percent(method):
    worse = user_days([(u, u % 5, 1, int(u < 9)) for u in range(200)] + [(999, 9, 1, 0)])
    assert verdict(worse, worse=below(0.05, method=method)) == "INCONCLUSIVE"


def test_a_group_without_data_is_named_and_does_not_score():
    languages = np.array(["it", "en"] * 200)
    gate = gate_of(m=above(0.95, 0.9))
    gate.segments = Segments(["it", "en", "id"])
    judged = judge_gate(gate, {"m": replace(crowd(400, 3, 1.0), segments={"language": languages})})
    empty = judged.criteria[0].segments[2].view
    assert judged.thin_segments == ["language=id"]
    assert (empty.decision, empty.estimate, empty.lower) == ("MISSING", None, None)


def test_a_faultless_control_and_a_few_errors_do_not_pass():
    control = [(10_000 + u, 0, 1, 0) for u in range(30)]
    candidate = [(u, 0, 1, int(u < 3)) for u in range(30)]
    arm = np.array(["baseline"] * 30 + ["candidate"] * 30)
    days = user_days(control + candidate, segments={"arm": arm})
    errors = Criterion("errors", "non_inferiority", go=Threshold(below=0), margin=0.02)
    assert verdict(days, errors=errors) == "INCONCLUSIVE"


def test_seven_of_ten_fast_and_three_a_hundred_times_slower_do_not_pass():
    rows = [(u, u % 10, 1, 8.0 if u % 10 < 7 else 800.0) for u in range(300)]
    assert verdict(user_days(rows), mean=Criterion("l", "mean", bound=1000, go=Threshold(below=80))) == "INCONCLUSIVE"
    under_limit = user_days([(u, u % 10, 1, int(u % 10 < 7)) for u in range(300)])
    p95 = Criterion("l", "quantile", go=Threshold(below=80), no_go=Threshold(above=80))
    assert verdict(under_limit, p95=p95) == "NO_GO"


def test_inconclusive_is_not_shipped():
    judged = judge_gate(gate_of(a=above(0.98), b=above(0.98)), {"a": crowd(500, 5, 1.0), "b": crowd(50, 5, 1.0)})
    assert judged.verdict == "INCONCLUSIVE"
    assert 'errors="1"' in junit_xml(judged)


def test_five_hundred_faultless_comparisons_by_twenty_five_users_are_not_enough():
    judged = judge_gate(gate_of(m=above(0.98)), {"m": user_days([(u, u % 5, 20, 20) for u in range(25)])})
    assert judged.verdict == "INCONCLUSIVE"
    assert "25 users, at least 149 are needed" in judged.criteria[0].reason


def test_an_open_critical_bug_vetoes_whatever_else_is_good():
    gate = shipped("go_no_go")
    segments = {"category": np.array(["casual"] * 600), "language": np.array(["it"] * 600)}
    good = timed(crowd(600, 5, 1.0, days=14, segments=segments))
    cheap = replace(good, total=np.full(600, 0.1), baseline=np.random.default_rng(1).gamma(4, 1, 600))
    rare = replace(good, total=np.zeros(600))
    complete = {
        "success": good,
        "latency_p95": good,
        "timeouts": rare,
        "quality": Reviews(48, 1, 1, 0),
        "savings": cheap,
        "critical_bugs": Number(0),
        "complaints": Missing("no tickets yet"),
    }
    assert judge_gate(gate, complete).verdict == "GO"
    assert "complaints" in judge_gate(gate, complete).reason
    assert judge_gate(gate, {**complete, "critical_bugs": Number(1)}).verdict == "NO_GO"
    assert judge_gate(gate, {**complete, "critical_bugs": Missing("never counted")}).verdict == "INCONCLUSIVE"


def test_epochs_of_one_source_are_not_mixed():
    evidence = {"a": crowd(500, 5, 1.0, epoch="e1"), "b": crowd(500, 5, 1.0, epoch="e2")}
    judged = judge_gate(gate_of(a=above(0.98), b=above(0.98)), evidence)
    assert judged.verdict == "INCONCLUSIVE"
    assert "candidates are not mixed" in judged.criteria[1].reason


def test_the_two_limits_of_one_quantile_are_of_one_epoch():
    latency = Criterion("latency_ms", "quantile", go=Threshold(below=1500), no_go=Threshold(above=3000))
    seen = Seen(crowd(300, 2, 1.0, epoch="new"), crowd(300, 2, 0.2, epoch="old"))
    judged = judge_gate(gate_of(latency=latency), {"latency": seen})
    assert judged.verdict == "INCONCLUSIVE"
    assert "candidates are not mixed" in judged.criteria[0].reason
