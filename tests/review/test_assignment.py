"""Who gets which pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from zantara_exp.config.decision import Review
from zantara_exp.review.assignment import Desk
from zantara_exp.review.labels import CANNOT, EQUIVALENT, WORSE, Label, merge
from zantara_exp.review.sample import IDENTICAL, Check, Item, Sample, check_id

SAMPLE = Sample(
    "e1",
    "2025-11-03",
    7,
    4,
    tuple(Item(n, f"c{n}", "it" if n < 4 else "id", "casual", "", "q", "a", "b", "A") for n in (1, 2, 4, 5)),
    (Check(Item(3, check_id(3), "it", "casual", "", "q", "a", "a", "A"), IDENTICAL, ("x",)),),
)


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "review.jsonl"


def given(labels: Path, name: str, number: int, verdict: str = EQUIVALENT) -> None:
    comparison = check_id(number) if number == 3 else f"c{number}"
    merge(labels, [Label(SAMPLE.hash, number, comparison, name, verdict, False)])


def next_of(desk: Desk, name: str, *skipped: int) -> int | None:
    found = desk.turn(name, skipped).next
    return found and found.number


def test_two_people_do_not_judge_the_same_pair_but_both_meet_the_check(labels: Path) -> None:
    desk = Desk(SAMPLE, labels, Review())
    assert [next_of(desk, name) for name in ("ayu", "budi", "ayu", "budi")] == [1, 2, 1, 2]  # until they answer
    met: dict[str, list[int | None]] = {"ayu": [], "budi": []}
    for name in ("ayu", "budi") * 3:
        number = next_of(desk, name)
        met[name].append(number)
        if number:
            given(labels, name, number)
    assert met == {"ayu": [1, 3, 4], "budi": [2, 3, 5]}
    assert desk.turn("ayu").open == 0


def test_a_pair_that_nobody_answered_is_offered_again(labels: Path) -> None:
    clock = Clock()
    desk = Desk(SAMPLE, labels, Review(), clock)
    assert (next_of(desk, "ayu"), next_of(desk, "budi")) == (1, 2)
    clock.time = 901.0
    assert next_of(desk, "citra") == 1


def test_what_is_skipped_comes_last(labels: Path) -> None:
    desk = Desk(SAMPLE, labels, Review())
    assert next_of(desk, "ayu", 1, 2) == 3
    assert next_of(desk, "ayu", 1, 2, 3, 4, 5) == 1


def test_each_pair_gets_as_many_labels_as_config_asks(labels: Path) -> None:
    desk = Desk(SAMPLE, labels, Review(labels_per_pair=2))
    for name in ("ayu", "budi", "citra"):
        while number := next_of(desk, name):
            given(labels, name, number)
    said = [(label.reviewer, label.pair) for label in desk.turn("nobody").panel.labels]
    assert said == [(name, number) for name in ("ayu", "budi") for number in (1, 2, 4, 5)]


def test_languages_and_abstentions(labels: Path) -> None:
    terms = Review(reviewers={"ayu": ["it"], "budi": ["it", "id"], "citra": ["id"]})
    desk = Desk(SAMPLE, labels, terms)
    assert (next_of(desk, "citra"), next_of(desk, "ayu")) == (4, 1)
    assert not desk.may("ayu", 4)
    given(labels, "ayu", 1, CANNOT)
    assert next_of(desk, "budi") == 1  # which ayu could not judge
    given(labels, "budi", 1)
    assert desk.turn("ayu").open == 2


def test_the_adjudicator_sees_what_is_disputed_and_nothing_else(labels: Path) -> None:
    desk = Desk(SAMPLE, labels, Review(labels_per_pair=2, adjudicator="boss"))
    assert next_of(desk, "boss") is None
    for name, verdict in (("ayu", EQUIVALENT), ("budi", WORSE)):
        given(labels, name, 3)
        given(labels, name, 2, verdict)
    assert next_of(desk, "boss") == 2
    assert not desk.may("boss", 1)
    given(labels, "boss", 2, WORSE)
    turn = desk.turn("boss")
    assert (turn.next, [item.number for item, _ in turn.said], turn.panel.settled) == (None, [2], {2: WORSE})
