"""What a GO covers: parts with users enough whose own estimate is on the right side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.gates.evidence import UNTIMED, above, below, gate_of, user_days
from zantara_exp.config.gate import Criterion, Gate, Segments, Threshold
from zantara_exp.gates import UserDays, judge_gate
from zantara_exp.gates.verdict import Verdict


def spoken(**users: int) -> UserDays:
    """Users of each language, one good request each; of those named `bad_XX` a tenth is not."""
    rows, languages = [], []
    for name, count in users.items():
        for number in range(count):
            good = not (name.startswith("bad_") and number % 10 == 0)
            rows.append((len(rows), number % 10, 1, int(good)))
            languages.append(name.removeprefix("bad_"))
    return user_days(rows, segments={"language": np.array(languages)})


def judged(criterion: Criterion, days: UserDays, thin: str = "exclude", **gate: object) -> Verdict:
    made = replace(gate_of(c=criterion), segments=Segments(["it", "en", "id"], thin=thin), **gate)
    return judge_gate(made, {"c": days})


SUCCESS = above(0.95)


def test_a_part_with_too_few_users_is_left_out():
    found = judged(SUCCESS, spoken(en=240, it=29))
    assert (found.verdict, found.covers) == ("GO", {"language": ["en"]})
    told = {each.segment: each.why for each in found.not_covered}
    assert told == {"language=it": "c: 29 users, 30 are needed", "language=id": "c: 0 users, 30 are needed"}
    assert judged(SUCCESS, spoken(en=240, it=30, id=30)).covers == {"language": ["it", "en", "id"]}


def test_a_gate_may_wait_for_all():
    found = judged(SUCCESS, spoken(en=240, it=29, id=30), thin="wait")
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason == (
        "waits for evidence on every declared part (segments.thin=wait): language=it: c: 29 users, 30 are needed"
    )
    assert judged(SUCCESS, spoken(en=240, it=30, id=30), thin="wait").verdict == "GO"


def test_what_is_on_the_wrong_side_in_a_part_is_not_covered_there():
    found = judged(SUCCESS, spoken(en=500, it=500, bad_id=40))
    assert (found.verdict, found.covers) == ("GO", {"language": ["it", "en"]})
    assert found.not_covered[0].why == "c: measured 90.0 %, needs above 95 %"


@pytest.mark.parametrize(
    ("criterion", "needs"),
    [
        (Criterion("l", "quantile", go=Threshold(below=1500)), "needs more than 95.0 %"),
        (below(0.98), ""),
        (Criterion("m", no_go=Threshold(below=0.5)), ""),
    ],
)
def test_each_kind_is_held_to_what_it_asks(criterion: Criterion, needs: str):
    found = judged(criterion, spoken(en=500, it=500, bad_id=40))
    told = {each.segment: each.why for each in found.not_covered}
    assert (needs in told["language=id"]) if needs else ("language=id" not in told)


def test_a_go_that_would_move_nobody_is_none():
    others = spoken(fr=240, en=20)
    assert judged(SUCCESS, others).verdict == "INCONCLUSIVE"
    assert judged(SUCCESS, others).reason.startswith("a GO would cover no language: language=it")
    assert judged(SUCCESS, others, authorises=False).verdict == "GO"


def test_a_criterion_on_one_language_says_nothing_of_the_others():
    gate = Gate(
        **UNTIMED,
        criteria={"c": SUCCESS, "own": replace(SUCCESS, where={"language": ["en"]})},
        segments=Segments(["it", "en"]),
    )
    days = spoken(en=240, it=240)
    assert judge_gate(gate, {"c": days, "own": days}).covers == {"language": ["it", "en"]}


def test_without_declared_parts_everything_is_covered():
    found = judge_gate(gate_of(c=SUCCESS), {"c": spoken(en=240)})
    assert (found.verdict, found.covers, found.not_covered) == ("GO", {}, [])
