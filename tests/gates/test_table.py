"""The tables of a verdict: what is said of what was reckoned with."""

from dataclasses import replace

from tests.gates.evidence import above, crowd, timed
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.gates import judge_gate
from zantara_exp.gates.standing import Other, Standing
from zantara_exp.gates.table import assumptions_table, bursts_table, summary


def said(criterion: Criterion, days):
    verdict = judge_gate(Gate("mine", {"m": criterion}), {"m": timed(days)})
    assert bursts_table(verdict) is None
    (row,) = assumptions_table(verdict).rows
    return verdict.criteria[0].decision, row


def test_a_go_says_how_long_an_outage_it_holds_for():
    decision, row = said(above(0.98), crowd(700, 3, 1.0, days=14))
    assert (decision, row[1], row[3]) == ("PASS", "requests", "0.05")
    assert row[4] == ("holds for outages of up to 1 hour; none was seen; blocks of 4 hours would show it about day 27")


def test_what_is_not_shown_holds_for_nothing_yet():
    decision, row = said(above(0.98), crowd(60, 3, 1.0, days=13))
    assert decision == "UNDECIDED"
    assert row[4].startswith("would hold for outages of up to 1 hour; none was seen")


def test_a_no_go_names_its_own_correlation_and_blocks():
    decision, row = said(above(0.98, 0.95), crowd(700, 3, 0.7, days=14))
    assert (decision, row[3]) == ("FAIL", "0.20")
    assert row[4].startswith("a no-go counts blocks of 8 hours")


def test_a_mean_says_that_users_are_weighed():
    days = replace(crowd(700, 3, 1.0, days=14), total=crowd(700, 3, 1.0).trials * 600)
    criterion = Criterion("latency_ms", "mean", bound=10_000, go=Threshold(below=800))
    decision, row = said(criterion, days)
    assert decision == "PASS"
    assert row[1:] == ["users, weighed by rho", "600", "0.20", "holds for outages of up to 1 hour"]


def test_a_verdict_on_the_rollout_carries_what_the_training_gates_said():
    verdict = judge_gate(Gate("go_no_go", {"m": above(0.98)}), {"m": timed(crowd(60, 3, 1.0, days=13))})
    others = [
        Other(name, "hash", said, 1, "2025-11-01", "2025-11-01", "loss: shown to be above 0.5", said == "NO_GO")
        for name, said in (("training", "NO_GO"), ("training_judged", "GO"), ("daily", "NO_GO"))
    ]
    told = summary(replace(verdict, standing=Standing("", False, [], [], others)))
    assert told["training gate"] == "NO_GO by gate=training: loss: shown to be above 0.5; GO by gate=training_judged"
    assert "training gate" not in summary(verdict)
