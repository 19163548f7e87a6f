"""Labels by examples: what the classifier promises whatever it is fitted on, and what it does on texts it never saw."""

import json
import math
import os
import string
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.support import config_of
from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset import crossval, examples
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.examples import Labelled, Model, fit, fitted, read

_SHIPPED = Path(__file__).resolve().parents[2] / "conf" / "domain" / "examples"
_HELD_OUT = Path(__file__).with_name("held_out")
_ROWS = [
    Labelled(text, label)
    for label, texts in {
        "chat": ("hi there", "how are you", "tell me a joke", "nice weather today", "thank you", "good night"),
        "order": ("where is my parcel", "when does it ship", "my order 123", "cancel the order", "track it", "my box"),
        "refund": ("money back please", "return the shoes", "it broke", "refund me", "wrong item", "exchange it"),
    }.items()
    for text in texts
]
_TEXTS = st.text(st.sampled_from(string.ascii_letters + "éàüß0179 .,!?'\n🙂हि中"), max_size=60)


@pytest.fixture(scope="module")
def small() -> Model:
    return fit(_ROWS)


def _held_out(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (_HELD_OUT / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_text_of_the_examples_is_what_they_say(small: Model) -> None:
    assert small.labels == ("chat", "order", "refund")
    told = [max(small.probabilities(row.text).items(), key=lambda each: each[1])[0] for row in _ROWS]
    assert told == [row.label for row in _ROWS]


@given(text=_TEXTS)
def test_probabilities(small: Model, text: str) -> None:
    told, known = small.judged(text)
    assert math.isclose(sum(told), 1)
    assert all(0 <= each <= 1 for each in told)
    assert 0 <= known <= 1
    assert small.batch([text, "hi"])[0].tolist() == told
    assert list(small.probabilities(text).values()) == told


@given(words=st.lists(st.sampled_from(["parcel", "è", "MONEY", "hi", "zzz", "12", "?"]), max_size=8), data=st.data())
def test_neither_order_nor_case_nor_accents_nor_which_digit_count(
    small: Model, words: list[str], data: st.DataObject
) -> None:
    told = small.judged(" ".join(words))
    other = " ".join(data.draw(st.permutations(words))).swapcase().translate(str.maketrans("èÈ12", "eE98"))
    assert small.judged(other).known == pytest.approx(told.known)
    assert small.judged(other).probabilities == pytest.approx(told.probabilities)


def test_a_word_that_no_example_holds_counts_by_its_parts(small: Model) -> None:
    assert small.judged("refunding").known == 0
    assert small.probabilities("refunding")["refund"] > 0.5


def test_known_is_counted_by_letters(small: Model) -> None:
    assert small.judged("hi, unbekanntes").known == 2 / 13
    assert small.judged("?!").known == small.judged("").known == 0
    assert small.judged("在巴厘岛开公司需要多少钱 hi").known == 2 / 24  # 11 pairs of letters


def test_a_long_word_costs_no_more_than_its_beginning(small: Model) -> None:
    assert small.judged("parcel" * 20_000).probabilities == small.judged("parcel" * 7).probabilities


def test_two_labels_are_told_apart_as_scikit_learn_does() -> None:
    from sklearn.linear_model import LogisticRegression

    rows = [row for row in _ROWS if row.label != "refund"]
    counted = [examples._of_text(row.text) for row in rows]
    features = sorted(set().union(*counted))
    matrix = examples._matrix(counted, {feature: place for place, feature in enumerate(features)})
    theirs = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000).fit(matrix, [row.label for row in rows])
    ours = fit(rows).batch(row.text for row in rows)
    np.testing.assert_allclose(ours, theirs.predict_proba(matrix), atol=1e-6)


def test_the_kept_model_says_the_same(small: Model, tmp_path: Path) -> None:
    kept = fitted(_ROWS, tmp_path / "new")
    (file,) = (tmp_path / "new").iterdir()
    again = Model.load(file)
    assert again is not None
    for text in ("where is it", "großartig 🙂", ""):
        assert small.judged(text) == kept.judged(text) == again.judged(text)


@pytest.mark.interpreter
def test_another_process_reads_it_with_numpy_alone(tmp_path: Path) -> None:
    fitted(_ROWS, tmp_path)
    code = (
        "import json, sys; from pathlib import Path; from zantara_exp.dataset.examples import Labelled, fitted;"
        f"model = fitted([Labelled(*each) for each in {[tuple(row) for row in _ROWS]!r}], Path(sys.argv[1]));"
        "print(model.probabilities('my parcel')['order'] > 0.5,"
        "      sorted({'sklearn', 'scipy', 'threadpoolctl'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert said.stdout.strip() == "True []"


def test_other_examples_make_another_model(tmp_path: Path) -> None:
    fitted(_ROWS, tmp_path)
    other = fitted([*_ROWS, Labelled("parcel", "chat")] * 3, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert other.probabilities("parcel")["chat"] > fitted(_ROWS, tmp_path).probabilities("parcel")["chat"]


def test_a_torn_file_is_fitted_anew(tmp_path: Path, small: Model) -> None:
    fitted(_ROWS, tmp_path)
    (file,) = tmp_path.iterdir()
    for torn in (file.read_bytes()[:500], b"", b"PK\x03\x04"):
        file.write_bytes(torn)
        assert Model.load(file) is None
        assert fitted(_ROWS, tmp_path).judged("my box") == small.judged("my box")
        assert Model.load(file) is not None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"category": "chat"}', "line 2 has no `text`"),
        ("[1]", "line 2 has no `text`"),
        ('{"text": "hi", "category": 3}', "line 2: category is 3, no word"),
        ("{", "line 2"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "examples.jsonl"
    file.write_text('{"text": "hi", "language": "en"}\n' + line)
    with pytest.raises(ZantaraError, match=told):
        read(file, "category")


def test_rows_without_the_label_are_of_no_use(tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    file.write_text('{"text": "hi", "language": "en"}\n{"text": "ciao", "language": "it", "category": "chat"}\n')
    assert read(file, "category") == [("ciao", "chat")]
    assert read(file, "language") == [("hi", "en"), ("ciao", "it")]


def test_one_label_is_no_choice() -> None:
    with pytest.raises(ZantaraError, match="have chat alone"):
        fit(_ROWS[:6])
    with pytest.raises(ZantaraError, match="have no label alone"):
        fit([])


# left out in turn


def test_a_copy_never_helps_its_copy() -> None:
    """Each text has a near copy with the same words that no other text holds; a fold between them would know them."""
    rows = []
    for number in range(20):
        words = " ".join(f"{letter}{'qxjz'[number % 4]}{'wvkpb'[number % 5]}" for letter in "abc")
        rows += [Labelled(f"{words} so", "ab"[number % 2]), Labelled(f"{words} then", "ab"[number % 2])]
    for row, left in zip(rows, crossval.left_out(rows, folds=4), strict=True):
        assert left.label == row.label
        assert left.known == (2 / 11 if row.text.endswith("so") else 4 / 13)  # the last word alone


def test_too_few_examples_to_leave_out() -> None:
    with pytest.raises(ZantaraError, match="fewer than 7 examples of chat, order, refund that are no copies"):
        crossval.left_out(_ROWS, folds=7)


def test_scores_counted_by_hand() -> None:
    def left(said: str, a: float) -> crossval.Left:
        return crossval.Left(said, {"a": a, "b": 1 - a}, 1.0)

    told = crossval.scored([left("a", 0.9), left("a", 0.95), left("a", 0.2), left("b", 0.25)])
    assert told["matrix"] == {"a": {"a": 2, "b": 1}, "b": {"b": 1}}
    assert told["accuracy"] == 0.75
    assert told["macro"] == pytest.approx((2 / 3 + 1) / 2)
    # two at 0.9 to 1, both right: 2 - 1.85; one at 0.8 wrong; one at 0.75 right
    assert told["calibration"] == pytest.approx((0.15 + 0.8 + 0.25) / 4)


# what ships


@pytest.mark.parametrize(
    ("name", "languages", "fewest"),
    [
        ("bali", "it en id", {"greeting": 120, "casual": 250, "business": 250}),
        ("helpdesk", "de fr en", {"smalltalk": 250, "orders": 150, "refunds": 150, "technical": 150}),
    ],
)
def test_shipped_examples(name: str, languages: str, fewest: dict[str, int]) -> None:
    file = _SHIPPED / f"{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert all(set(row) == {"text", "language", "category"} and row["text"] == row["text"].strip() for row in rows)
    counts = Counter((row["language"], row["category"]) for row in rows)
    assert {language for language, _ in counts} == set(languages.split())
    assert not [cell for cell in counts if counts[cell] < fewest[cell[1]]]
    said = {(row["language"], row["text"]): row["category"] for row in rows}
    assert len(said) == len(rows), "a text twice in a language"
    assert not {row["text"] for row in _held_out(name)} & {row["text"] for row in rows}


@pytest.mark.parametrize(("name", "never", "most", "still"), [("bali", 165, 0.04, 0.5), ("helpdesk", 90, 0.05, 0.2)])
def test_texts_that_nobody_fitted_on(name: str, never: int, most: float, still: float) -> None:
    """What stays without a listed word, on topics that the examples lack, in the product's languages and others."""
    config = config_of(f"domain={name}")
    sort, moves = classifier(config), set(config.domain.moves)
    greet = {"it": "Ciao, ", "id": "Halo kak, ", "de": "Hallo, ", "fr": "Bonjour, "}
    moved: Counter[tuple[str, bool]] = Counter()
    texts: Counter[bool] = Counter()
    for row in _held_out(name):
        may = row["category"] in moves
        texts[may] += 1
        for how, text in (("plain", row["text"]), ("polite", greet.get(row["language"], "Hi, ") + row["text"])):
            about = sort.conversation([text])
            moved[how, may] += about.sure and about.category in moves
    assert texts[False] == never
    assert moved["plain", False] / never <= most
    assert moved["polite", False] / never <= most
    assert moved["plain", True] / texts[True] >= still
