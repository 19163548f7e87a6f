import json
from dataclasses import replace

import numpy as np
import pytest

from tests.gates.evidence import above, crowd, gate_of
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.core.errors import ZantaraError
from zantara_exp.gates import Missing, Reviews, Seen, UserDays, judge_gate
from zantara_exp.gates.evidence import Judgements, reviews_of
from zantara_exp.gates.record import FirstUse, Looks
from zantara_exp.gates.spent_looks import as_begun, looked, refusals

EXACT = above(0.9, method="exact")
REVIEW = Criterion("r", "review", go=Threshold(above=0.8), method="exact")


@pytest.fixture
def looks(tmp_path):
    return Looks(tmp_path / "looks" / "looks.jsonl")


def look(looks, gate, **evidence):
    """Look as the stage does: refuse, judge, record."""
    seen = {name: Seen(item) for name, item in evidence.items()}
    refused = refusals(looks.all(), gate, seen)
    seen = {name: Seen(item.go, refused=refused.get(name, "")) for name, item in seen.items()}
    verdict = judge_gate(gate, seen)
    looks.append(looked(gate, seen, verdict, "run"))
    return verdict


def test_the_same_evidence_may_be_seen_again_and_other_evidence_not(looks):
    gate = gate_of(c=EXACT)
    first = look(looks, gate, c=crowd(300, 2, 0.99))
    again = look(looks, gate, c=crowd(300, 2, 0.99))
    assert first.to_json() == again.to_json()
    assert first.verdict == "GO"
    second = look(looks, gate, c=crowd(300, 2, 0.99, seed=5))
    assert second.verdict == "INCONCLUSIVE"
    assert "its one look is spent" in second.criteria[0].reason
    assert look(looks, gate, c=crowd(300, 2, 0.99)).verdict == "GO"


def test_another_threshold_does_not_buy_another_look(looks):
    look(looks, gate_of(c=EXACT), c=crowd(300, 2, 0.85))
    eased = gate_of(c=above(0.8, method="exact"))
    assert look(looks, eased, c=crowd(300, 2, 0.99, seed=1)).criteria[0].decision == "MISSING"


def test_a_new_epoch_starts_anew(looks):
    gate = gate_of(c=EXACT)
    look(looks, gate, c=crowd(300, 2, 0.85, epoch="old"))
    assert look(looks, gate, c=crowd(300, 2, 0.99, seed=1, epoch="new")).verdict == "GO"


def test_planned_looks_may_be_spent_one_by_one(looks):
    gate = gate_of(c=above(0.9, method="exact", looks=2))
    for seed in (1, 2):
        assert look(looks, gate, c=crowd(300, 2, 0.99, seed=seed)).verdict == "GO"
    assert "its 2 looks are spent" in look(looks, gate, c=crowd(300, 2, 0.99, seed=3)).criteria[0].reason


def test_too_few_users_spend_no_look(looks):
    gate = gate_of(c=EXACT)
    assert look(looks, gate, c=crowd(10, 2, 0.99)).verdict == "INCONCLUSIVE"
    assert look(looks, gate, c=crowd(300, 2, 0.99)).verdict == "GO"


def test_a_review_is_looked_at_when_it_is_complete_and_then_neither_changed_nor_drawn_anew(looks):
    gate = gate_of(r=REVIEW)
    early = look(looks, gate, r=Reviews(30, 2, 0, 18, "s1")).criteria[0]
    assert early.decision == "MISSING"
    assert "18 pairs are not labelled yet" in early.reason
    assert early.view.estimate is None
    assert look(looks, gate, r=Reviews(44, 6, 0, 0, "s1")).verdict == "INCONCLUSIVE"
    changed = look(looks, gate, r=Reviews(46, 4, 0, 0, "s1"))
    assert changed.verdict == "INCONCLUSIVE"
    assert "changed after it was looked at" in changed.criteria[0].reason
    assert "spent" in look(looks, gate, r=Reviews(49, 1, 0, 0, "s2")).criteria[0].reason
    assert look(looks, gate, r=Reviews(44, 6, 0, 0, "s1")).criteria[0].view.requests == 50


def test_a_review_that_grows_is_looked_at_again_and_what_was_seen_stays(looks):
    gate = gate_of(r=replace(REVIEW, method="sequential", look_at=[10, 20, 40]))
    first, rest = "gggggggggw", "." * 20
    early = look(looks, gate, r=reviews_of("g" * 9 + "." * 31, "s1")).criteria[0]
    assert early.reason.startswith("1 of the first 10 pairs is not labelled yet")
    assert "no look is spent" in early.reason
    assert look(looks, gate, r=reviews_of(first + "." * 10 + rest, "s1")).criteria[0].view.requests == 10
    assert look(looks, gate, r=reviews_of(first + "gg" + "." * 8 + rest, "s1")).criteria[0].view.requests == 10
    assert look(looks, gate, r=reviews_of(first + "gggggggggw" + rest, "s1")).criteria[0].view.requests == 20
    changed = reviews_of("g" * 10 + "gggggggggw" + rest, "s1")
    assert "what was measured changed" in look(looks, gate, r=changed).criteria[0].reason
    assert "spent" in look(looks, gate, r=reviews_of("g" * 40, "s2")).criteria[0].reason
    other = gate_of(r=replace(REVIEW, method="sequential", look_at=[10, 20, 30]))
    grown = reviews_of(first + "gggggggggw" + "g" * 20, "s1")
    assert "another look_at" in look(looks, other, r=grown).criteria[0].reason


def test_the_judge_that_the_looks_began_with_goes_on(looks):
    """Whoever tried judges until one passes would find one."""
    gate = gate_of(r=replace(REVIEW, method="sequential", look_at=[50, 100], judge=True))
    labels = "g" * 43 + "w" * 7

    def seen(judge, after="." * 50):
        of = Judgements(judge, 0.86, 1000, "g" * 43 + "w" * 7 + "g" * 43 + "w" * 7)
        return replace(reviews_of(labels + after, "s1"), judged=of if judge else None)

    def begun(judge):
        return as_begun(looks.all(), gate, {"r": Seen(seen(judge))})["r"].go.judged.refused

    assert begun("first") == ""
    look(looks, gate, r=seen("first"))
    assert begun("first") == ""
    assert begun("another") == "the looks at this sample began with the judge first"
    own = Looks(looks.file.with_name("own.jsonl"))
    look(own, gate, r=seen(""))
    late = as_begun(own.all(), gate, {"r": Seen(seen("late"))})["r"]
    assert late.go.judged.refused == "the looks at this sample began without it"


def test_a_review_belongs_to_the_epoch_of_what_else_is_seen(looks):
    gate = gate_of(r=REVIEW, c=above(0.9))
    assert look(looks, gate, r=Reviews(40, 10, 0, 0, "s1"), c=crowd(300, 2, 1.0, epoch="a")).verdict == "INCONCLUSIVE"
    assert look(looks, gate, r=Reviews(49, 1, 0, 0, "s2"), c=crowd(300, 2, 1.0, epoch="a")).verdict == "INCONCLUSIVE"
    assert look(looks, gate, r=Reviews(49, 1, 0, 0, "s2"), c=crowd(300, 2, 1.0, epoch="b")).verdict == "GO"


def test_the_order_of_rows_and_the_codes_of_users_make_no_other_evidence(looks):
    gate, days = gate_of(c=EXACT), crowd(300, 2, 0.95)
    look(looks, gate, c=days)
    order = np.random.default_rng(0).permutation(300)
    other = UserDays(999 - days.user[order], days.day[order], days.trials[order], days.total[order])
    assert look(looks, gate, c=other).criteria[0].decision == "PASS"


def test_missing_evidence_spends_nothing(looks):
    gate = gate_of(c=EXACT)
    look(looks, gate, c=Missing("not yet"))
    assert look(looks, gate, c=crowd(300, 2, 0.99)).verdict == "GO"


def test_daily_criteria_may_be_looked_at_every_day(looks):
    gate = gate_of(c=above(0.9))
    for seed in range(4):
        assert look(looks, gate, c=crowd(300, 2, 0.99, seed=seed)).verdict == "GO"
    assert len(looks.all()) == 4


def test_first_use_is_remembered_per_gate_and_epoch(looks):
    gate = gate_of(c=above(0.9))
    first = look(looks, gate, c=crowd(300, 2, 0.99, epoch="e"))
    look(looks, gate, c=crowd(400, 2, 0.99, epoch="e"))
    assert looks.first_use(first.gate_hash, "e") == FirstUse(first.as_of, 600.0, 300)
    assert looks.first_use(first.gate_hash, "other") is None


def test_a_torn_last_line_is_no_look_and_a_broken_record_is_an_error(looks):
    gate = gate_of(c=EXACT)
    look(looks, gate, c=crowd(300, 2, 0.99))
    whole = looks.file.read_bytes()
    looks.file.write_bytes(whole + b'{"gate": "te')
    assert len(looks.all()) == 1
    look(looks, gate, c=crowd(300, 2, 0.99))
    assert [json.loads(line)["gate"] for line in looks.file.read_bytes().splitlines()] == ["test", "test"]
    looks.file.write_bytes(b"rubbish\n" + whole)
    with pytest.raises(ZantaraError, match="line 1 is no record"):
        looks.all()


def reason(looks, gate, **evidence):
    return look(looks, gate, **evidence).criteria[0].reason


def renamed(criterion, gate="other", name="d"):
    return replace(gate_of(**{name: criterion}), name=gate)


def test_neither_another_gate_nor_another_name_buys_another_look(looks):
    look(looks, gate_of(r=REVIEW), r=Reviews(44, 6, 0, 0, "s1"))
    other = Reviews(48, 2, 0, 0, "s2")
    assert "its one look is spent" in reason(looks, renamed(REVIEW, name="r"), r=other)
    assert "its one look is spent" in reason(looks, renamed(REVIEW, gate="test"), d=other)
    elsewhere = replace(REVIEW, metric="another")
    assert look(looks, gate_of(r=elsewhere), r=other).verdict == "GO"


def test_each_part_of_the_traffic_has_its_own_look(looks):
    for language in ("it", "en"):
        days = replace(crowd(300, 2, 0.99), segments={"language": np.full(300, language)})
        assert look(looks, gate_of(c=replace(EXACT, where={"language": [language]})), c=days).verdict == "GO"


def test_an_unknown_epoch_may_be_any(looks):
    look(looks, gate_of(r=REVIEW, c=above(0.9)), r=Reviews(44, 6, 0, 0, "s1"), c=crowd(300, 2, 1.0, epoch="a"))
    assert "spent" in reason(looks, gate_of(r=REVIEW), r=Reviews(48, 2, 0, 0, "s2"))
    own = looks.file.with_name("own.jsonl")
    look(Looks(own), gate_of(r=REVIEW), r=Reviews(44, 6, 0, 0, "s1"))
    known = gate_of(r=REVIEW, c=above(0.9))
    assert "spent" in reason(Looks(own), known, r=Reviews(48, 2, 0, 0, "s2"), c=crowd(300, 2, 1.0, epoch="a"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (replace(REVIEW, go=Threshold(above=0.78)), "go"),
        (replace(REVIEW, alpha=0.1), "alpha"),
        (replace(REVIEW, looks=2), "looks"),
        (replace(REVIEW, no_go=Threshold(below=0.9)), "no_go"),
    ],
)
def test_what_is_asked_may_not_change_after_the_first_look(looks, changed, named):
    look(looks, gate_of(r=REVIEW), r=Reviews(44, 6, 0, 0, "s1"))
    for again in (Reviews(44, 6, 0, 0, "s1"), Reviews(48, 2, 0, 0, "s2")):
        assert f"judged by another {named} since" in reason(looks, gate_of(r=changed), r=again)
    assert look(looks, gate_of(r=REVIEW), r=Reviews(44, 6, 0, 0, "s1")).criteria[0].view.users == 50


def test_below_the_users_asked_for_nothing_is_shown(looks):
    gate = gate_of(r=replace(REVIEW, min_users=51))
    first = look(looks, gate, r=Reviews(44, 6, 0, 0, "s1"))
    assert first.criteria[0].view.estimate is None
    assert "waits for 51 reviewed pairs, there are 50" in first.criteria[0].reason
    assert looks.all()[0]["exact"] == {}


def test_daily_looks_at_growing_evidence_are_no_free_chances_of_a_no_go(looks):
    gate = gate_of(c=above(0.98, method="exact", no_go=0.95))
    decided = [look(looks, gate, c=crowd(users, 1, 0.5)).criteria[0].decision for users in (20, 60, 100, 140)]
    assert decided == ["MISSING"] * 4
    assert look(looks, gate, c=crowd(160, 1, 0.5)).criteria[0].decision == "FAIL"
    assert look(looks, gate, c=crowd(170, 1, 0.5)).criteria[0].decision == "MISSING"


def test_the_size_of_a_sample_may_not_change(looks):
    gate = gate_of(r=REVIEW)
    look(looks, gate, r=Reviews(41, 9, 0, 0, "s1"))
    assert "changed after" in reason(looks, gate, r=Reviews(51, 9, 0, 0, "s1"))
    assert "changed after" in reason(looks, gate, r=Reviews(41, 9, 0, 10, "s1"))
    assert look(looks, gate, r=Reviews(41, 9, 0, 0, "s1")).criteria[0].view.users == 50


def test_what_was_not_recorded_is_not_shown_elsewhere(looks):
    gate, seen = gate_of(r=REVIEW), {"r": Seen(Reviews(44, 6, 0, 0, "s1"))}
    assert "has not looked" in refusals(looks.all(), gate, seen, recorded=True)["r"]
    look(looks, gate, r=seen["r"].go)
    assert refusals(looks.all(), gate, seen, recorded=True) == {}
    other = {"r": Seen(Reviews(45, 5, 0, 0, "s2"))}
    assert "spent" in refusals(looks.all(), gate, other, recorded=True)["r"]


@pytest.mark.parametrize("line", [b'{"a": 1}', b"3", b'{"gate": "x", "exact": []}'])
def test_a_line_of_something_else_is_named(looks, line):
    looks.file.parent.mkdir()
    looks.file.write_bytes(line + b"\n")
    with pytest.raises(ZantaraError, match="line 1 is no record"):
        refusals(looks.all(), gate_of(c=EXACT), {"c": Seen(crowd(300, 2, 0.9))})


def test_a_line_whose_looks_are_something_else_is_named(looks):
    look(looks, gate_of(c=EXACT), c=crowd(300, 2, 0.9))
    line = json.loads(looks.file.read_bytes())
    looks.file.write_text(json.dumps(line | {"exact": {"c": {"metric": "m"}}}) + "\n")
    with pytest.raises(ZantaraError, match="line 1 is no record"):
        looks.all()
