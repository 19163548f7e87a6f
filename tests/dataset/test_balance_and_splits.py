import json
from collections import Counter
from dataclasses import replace
from itertools import product
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataset.support import config_of, context_of, record
from zantara_exp.config.data import Splits
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset.balance import deviation, missing, quotas
from zantara_exp.dataset.duplicates import Index, Marks, Sketch, surplus, words_of
from zantara_exp.dataset.splits import NAMES, held_out_users, known_users, place, save
from zantara_exp.dataset.user_hash import hash_user

TARGETS = config_of().dataset.targets
CALLED = {"it": "Italian", "en": "English", "id": "Indonesian"}
CELLS = list(product(("it", "en", "id"), ("greeting", "casual", "business")))


def share(counts: dict[tuple[str, str], int], side: int) -> dict[str, float]:
    summed: Counter[str] = Counter()
    for cell, count in counts.items():
        summed[cell[side]] += count
    return {name: count / sum(counts.values()) for name, count in summed.items()}


@settings(max_examples=40)
@given(st.lists(st.integers(50, 3000), min_size=9, max_size=9), st.integers(100, 5000))
def test_quotas_are_available_and_on_target(have: list[int], most: int) -> None:
    targets, available = TARGETS, dict(zip(CELLS, have, strict=True))
    made = quotas(available, targets, most)
    assert all(made[cell] <= available[cell] for cell in CELLS)
    assert sum(made.values()) <= most
    rounding = 9 / max(1, sum(made.values()))
    assert deviation(share(made, 0), targets.language) <= targets.tolerance + rounding
    assert deviation(share(made, 1), targets.category) <= targets.tolerance + rounding


def test_the_largest_part_by_hand() -> None:
    """With a tolerance of nothing the scarcest cell decides: 30 of a 12 % cell allow 250 in all."""
    available = dict.fromkeys(CELLS, 1000) | {("it", "greeting"): 30}
    made = quotas(available, replace(TARGETS, tolerance=0.0), 10_000)
    assert sum(made.values()) == pytest.approx(250, abs=9)


def test_a_missing_cell_leaves_nothing() -> None:
    assert sum(quotas(dict.fromkeys(CELLS, 100) | {("id", "business"): 0}, TARGETS, 1000).values()) == 0


def test_what_is_missing_is_said() -> None:
    there = dict.fromkeys(CELLS, 100) | {("id", "business"): 30, ("it", "business"): 0}
    came = {("id", "business"): 126, ("en", "business"): 560}
    lines = missing(there, TARGETS, came, 14, CALLED)
    assert lines[:2] == [
        "146 more Italian business conversations, none came in the last 14 days: too few to tell how long that takes",
        "80 more Indonesian business conversations, at today's rate 9 days (8 to 11)",
    ]
    assert lines[2].endswith("at today's rate 1 day")


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (4, "4 came in the last 14 days: too few to tell"),
        (5, "at today's rate 264 days (113 to 811)"),
        (2000, "at today's rate 1 day"),
    ],
)
def test_a_wait_is_a_range_or_not_told(came: int, said: str) -> None:
    there = dict.fromkeys(CELLS, 100) | {("id", "business"): 30}
    line = next(
        line for line in missing(there, TARGETS, {("id", "business"): came}, 14, CALLED) if "Indonesian bus" in line
    )
    assert said in line


def test_a_wait_of_years_is_not_counted_in_days() -> None:
    there = {("en", "casual"): 100_000, ("it", "business"): 5}
    assert "more than 365 days" in missing(there, TARGETS, {("it", "business"): 5}, 14, CALLED)[0]


def examples(users: dict[str, int], prefix: str = "") -> list[dict[str, object]]:
    made = []
    for number, (user, count) in enumerate(users.items()):
        for each in range(count):
            language, category = CELLS[(number + each) % 9]
            made.append(
                record("a", "b", name=f"{user}-{each}", user=prefix + user, language=language, category=category)
            )
    return made


def test_heavy_tailed_users_are_shared_out_evenly() -> None:
    rows = examples({f"u{n}": max(1, 200 // (n + 1)) for n in range(300)})
    placed = place(rows, {}, Splits(), 7)
    sizes = Counter(placed[str(row["user"])] for row in rows)
    for name, wanted in {"train": 0.8, "val": 0.1, "test": 0.1}.items():
        assert sizes[name] / len(rows) == pytest.approx(wanted, abs=0.03)


def test_another_hash_key_gives_the_same_splits() -> None:
    rows = examples({f"u{n}": 1 + n % 7 for n in range(90)})
    rehashed = [{**row, "user": hash_user(str(row["user"]), b"another key")} for row in rows]
    one, other = ([place(each, {}, Splits(), 7)[str(row["user"])] for row in each] for each in (rows, rehashed))
    assert one == other


@settings(max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.lists(st.integers(1, 30), max_size=40))
def test_nobody_ever_moves(first: list[int], later: list[int]) -> None:
    rows = examples({f"u{n}": count for n, count in enumerate(first)})
    placed = place(rows, {}, Splits(), 7)
    more = rows + examples({f"n{n}": count for n, count in enumerate(later)})
    again = place(more, placed, Splits(), 7)
    assert {user: again[user] for user in placed} == placed
    assert set(again) == {str(row["user"]) for row in more}
    assert set(again.values()) <= set(NAMES)


def test_splits_are_kept(workdir: Path) -> None:
    layout = context_of(config_of()).layout
    with pytest.raises(MissingInputError, match="stage=prepare writes it"):
        held_out_users(layout)
    assert known_users(layout) == {}
    save(layout, {"a": "train", "b": "val", "c": "test"})
    assert held_out_users(layout) == {"b", "c"}
    layout.splits.write_text(json.dumps({"users": {"a": "trian"}}))
    with pytest.raises(ZantaraError, match="trian"):
        known_users(layout)
    layout.splits.write_text("{")
    with pytest.raises(ZantaraError, match="no record of splits"):
        known_users(layout)


def test_near_duplicates() -> None:
    words = " ".join(f"parola{n}" for n in range(40))
    first = record(words, "risposta", name="a")
    near = record(words + " inoltre", "Risposta!", name="b")
    far = record(words.replace("parola1", "altro1"), "risposta diversa", name="c")
    said = [(each["conversation_id"], words_of(each)) for each in (first, near, far)]
    assert surplus(said, 0.9, 1) == {"b": "a"}
    assert surplus(said, 0.9, 2) == {}
    assert surplus([*said[:2], ("d", said[0][1])], 1.0, 1) == {"d": "a"}
    assert words_of(record("...", "!!!")) != words_of(record("???", "!!!"))


def index_of(sets: list[frozenset[str]], threshold: float, names: str = "abcdefghijklmnopqrstuvwxyz") -> Index:
    return Index(threshold, Sketch(threshold).of(sets), sets.__getitem__, names.__getitem__)


def test_of_equal_dialogues_all_are_near():
    index = index_of([frozenset("01234"), frozenset("01234"), frozenset("0123")], 0.8)
    for item in range(2):
        index.add(item)
    assert index.near(2) == [0, 1]


@settings(max_examples=25)
@given(
    st.lists(st.sets(st.integers(0, 60), min_size=1, max_size=40), min_size=2, max_size=20),
    st.sampled_from([0.35, 0.8, 1.0]),
)
def test_the_index_finds_what_a_plain_loop_finds(sets: list[set[int]], threshold: float) -> None:
    words = [frozenset(map(str, each)) for each in sets]
    index = index_of(words, threshold)
    for number, each in enumerate(words):
        others = [(len(each & other) / len(each | other), n) for n, other in enumerate(words[:number])]
        wanted = sorted((-score, n) for score, n in others if score >= threshold)
        assert index.near(number) == [n for _, n in wanted]
        index.add(number)


def test_marks_do_not_depend_on_what_else_is_marked() -> None:
    sets = [frozenset(f"{n} {n % 7} {n // 2}".split()) for n in range(900)] + [frozenset[str]()]
    together, sketch = Sketch(0.9).of(sets), Sketch(0.9)
    for number in (0, 1, 450, 899, 900):
        alone = sketch.of([sets[number]])
        assert all((one[0] == all_[number]).all() for one, all_ in zip(alone, together, strict=True))
    assert Marks.joined([sketch.of(sets[:300]), sketch.of(sets[300:])]).bands.tolist() == together.bands.tolist()


@pytest.mark.parametrize("threshold", [0.35, 0.5, 0.7, 0.9, 0.99])
def test_hardly_a_pair_at_the_threshold_is_missed(threshold: float) -> None:
    shared, size = ceil(200 * threshold / (1 + threshold)), 100  # of two sets of a hundred words
    sets = [
        frozenset(f"{pair} {word if word < shared else (word, side)}" for word in range(size))
        for pair in range(150)
        for side in range(2)
    ]
    bands = Sketch(threshold).of(sets).bands
    assert (bands[::2] == bands[1::2]).any(axis=1).all()
    assert bands.shape[1] <= 128
