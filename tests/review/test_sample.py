from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.review.sample import Item, Sample, allocate, blinded, context_of, draw, load, save

rows = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.sampled_from([f"u{number}" for number in range(25)]),
            "comparison_id": st.uuids().map(str),
            "language": st.sampled_from(["it", "en", "id"]),
            "category": st.sampled_from(["greeting", "casual"]),
        }
    ),
    max_size=120,
    unique_by=lambda row: row["comparison_id"],
)


@given(rows, st.integers(1, 40), st.integers(0, 5))
def test_one_pair_per_user_and_never_more_than_asked(found: list[dict[str, Any]], size: int, seed: int) -> None:
    drawn = draw(found, size, seed)
    users = Counter(row["user"] for row in drawn)
    assert len(drawn) == min(size, len({row["user"] for row in found}))
    assert all(count == 1 for count in users.values())


@given(rows, st.integers(1, 40))
def test_the_order_of_the_log_does_not_matter(found: list[dict[str, Any]], size: int) -> None:
    shuffled = random.Random(1).sample(found, len(found))
    assert draw(found, size, 7) == draw(shuffled, size, 7)


strata = st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))


@given(st.dictionaries(strata, st.integers(1, 500), min_size=1), st.integers(1, 60))
def test_shares_are_proportional(sizes: dict[tuple[str, str], int], total: int) -> None:
    shares = allocate(sizes, total)
    everyone = sum(sizes.values())
    assert sum(shares.values()) == min(total, everyone)
    for stratum, size in sizes.items():
        assert shares[stratum] <= size
        assert abs(shares[stratum] - min(total, everyone) * size / everyone) < 1


def test_every_user_is_drawn_alike_whatever_they_ask() -> None:
    """A user with 200 requests is drawn no more often than one with a single request."""
    found = [{"user": "busy", "comparison_id": f"b{n}", "language": "it", "category": "casual"} for n in range(200)]
    found += [{"user": f"u{n}", "comparison_id": f"u{n}", "language": "it", "category": "casual"} for n in range(19)]
    times = sum("busy" in {row["user"] for row in draw(found, 5, seed)} for seed in range(400))
    assert 60 <= times <= 140  # 5 of 20 users: 100 of 400 expected, three standard errors either way


def full(number: int) -> dict[str, Any]:
    return {
        "comparison_id": f"c{number}",
        "language": "it",
        "category": "casual",
        "query": "come stai?",
        "messages": json.dumps([{"role": "system", "content": "secret"}, {"role": "user", "content": "come stai?"}]),
        "primary_response": f"primary {number} \n",
        "candidate_response": f" candidate {number}",
    }


def test_sides_are_shuffled_and_the_key_is_right() -> None:
    items = blinded([full(number) for number in range(200)], seed=3)
    sides = Counter(item.candidate for item in items)
    assert 70 < sides["A"] < 130
    for item in items:
        answers = {"A": item.answer_a, "B": item.answer_b}
        assert answers[item.candidate].startswith("candidate")
    assert blinded([full(0)], 3) == blinded([full(0)], 3)


def test_the_context_is_all_that_the_models_saw_before_the_question() -> None:
    said = [("system", "You are. She likes diving."), ("user", "ciao"), ("assistant", "salve"), ("user", "e tu?")]
    messages = json.dumps([{"role": role, "content": content} for role, content in said])
    assert context_of(messages) == "system: You are. She likes diving.\nuser: ciao\nassistant: salve"
    assert context_of("not json") == ""
    assert context_of(None) == ""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "sample.json"
    save(Sample("e1", "2025-11-03", 7, 50, blinded([full(1), full(2)], 7)), path)
    return path


def test_a_saved_sample_is_read_back(saved: Path) -> None:
    assert load(saved).items[0].comparison_id == "c1"
    assert isinstance(load(saved).items[0], Item)


@pytest.mark.parametrize(("before", "after"), [("primary 1", "primary l"), ('"seed": 7', '"seed": 8'), ("{", "[")])
def test_a_changed_sample_is_refused(saved: Path, before: str, after: str) -> None:
    saved.write_text(saved.read_text().replace(before, after, 1))
    with pytest.raises(ZantaraError, match="changed after it was drawn"):
        load(saved)


def test_no_sample_says_how_to_draw_one(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="stage=review"):
        load(tmp_path / "sample.json")
