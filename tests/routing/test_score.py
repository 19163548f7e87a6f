"""The score: what it finds in a request, and that it is told without scikit-learn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.routing.learn import fitted, out_of_fold
from zantara_exp.routing.score import BUCKETS, Known, Score, features

GREETING = Known("Buongiorno a tutti", "it", "greeting", 1, 9)


def test_what_a_placeholder_is_numbered_by_says_nothing() -> None:
    first, later = (features(GREETING._replace(text=f"chiama [PHONE_{number}]")) for number in (1, 7))
    assert first == later


@pytest.mark.parametrize(
    "other",
    [GREETING._replace(language="en"), GREETING._replace(category="casual"), GREETING._replace(turns=2),
     GREETING._replace(hour=20), GREETING._replace(text="Buonasera a tutti")],
)  # fmt: skip
def test_each_part_of_a_request_counts(other: Known) -> None:
    assert features(other) != features(GREETING)


@given(text=st.text(max_size=80), language=st.none() | st.text(max_size=3), turns=st.integers(0, 50))
def test_any_text_has_a_score(text: str, language: str | None, turns: int) -> None:
    known = Known(text, language, "casual", turns, 3)
    found = features(known)
    assert all(0 <= place < BUCKETS for place in found)
    assert 0.0 < Score(0.3, [0.01] * BUCKETS).of(known) < 1.0


def test_the_score_is_what_scikit_learn_says() -> None:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    texts = [f"{'ciao bella' if number % 3 else 'rimborso negato'} {number % 7}" for number in range(60)]
    found = [features(GREETING._replace(text=text)) for text in texts]
    good = [bool(number % 3) for number in range(60)]
    values, places = zip(*((value, place) for each in found for place, value in each.items()), strict=True)
    matrix = csr_matrix((values, places, np.cumsum([0, *map(len, found)])), shape=(60, BUCKETS))
    theirs = LogisticRegression(C=0.3, solver="liblinear", random_state=0).fit(matrix, good).predict_proba(matrix)[:, 1]
    score = fitted(found, good)
    assert [score.of_features(each) for each in found] == pytest.approx(theirs.tolist(), abs=1e-5)


def test_one_kind_of_verdict_gives_one_score_for_all() -> None:
    score = fitted([features(GREETING), features(GREETING._replace(text="altro"))], [True, True])
    assert score.of(GREETING) == score.of(GREETING._replace(text="tutt'altro")) > 0.5


def test_what_a_user_said_of_a_request_is_not_in_its_own_score() -> None:
    """Words of each user's own: only the user's other requests could teach what they mean."""
    own_word = [letter * 5 for letter in "abcdefghijkl"]
    found = [features(GREETING._replace(text=word)) for word in own_word for _ in range(2)]
    good, users = [place // 2 % 2 == 0 for place in range(24)], [word for word in own_word for _ in range(2)]
    own, crossed = fitted(found, good), out_of_fold(found, good, users)
    apart = [score for score, is_good in zip(crossed, good, strict=True) if is_good]
    assert min(own.of_features(each) for each, is_good in zip(found, good, strict=True) if is_good) > 0.5
    assert np.mean(apart) < 0.55


@pytest.mark.interpreter
def test_a_gateway_needs_no_scikit_learn() -> None:
    script = (
        "import sys; from zantara_exp.routing import certificate, score; import zantara_exp.rollout.router; "
        "assert not {'sklearn', 'scipy', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
