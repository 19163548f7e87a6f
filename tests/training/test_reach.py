"""What the best model could reach, where that is known: answers of parts that are drawn by lot."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.training.data import Example
from zantara_exp.training.encode import Encoded, EncodedSplit
from zantara_exp.training.reach import Reach, reach

GATE = Gate("training", {"accuracy": Criterion("token_accuracy", "mean", Threshold(above=0.95), method="exact"),
                         "loss": Criterion("eval_loss", "mean", Threshold(below=0.5), method="exact")})  # fmt: skip


def split(
    questions: int, users: int, answer: Callable[[random.Random, int], list[int]], seed: int = 1
) -> tuple[list[Example], EncodedSplit]:
    """Each user asks one of the questions; tokens of answers are from 100 on."""
    rng, examples, encoded = random.Random(seed), [], []
    for user in range(users):
        question = rng.randrange(questions)
        said = answer(rng, question)
        chat = ({"role": "user", "content": f"Question {question}?!"}, {"role": "assistant", "content": str(said)})
        examples.append(Example(chat, "en", "business", f"u{user}", f"c{user}"))
        encoded.append(Encoded([1, 2 + question, *said], [-100, -100, *said]))
    return examples, EncodedSplit(encoded, list(range(users)))


def by_lot(rng: random.Random, question: int) -> list[int]:
    """Four parts of five tokens, the first of which is one of two: 16 of 20 tokens follow, 4 are a coin."""
    return [token for part in range(4) for token in [100 + 2 * part + rng.randrange(2), *[200 + part] * 4]]


def test_a_coin_in_five_tokens_caps_accuracy_at_ninety_percent() -> None:
    examples, train = split(25, 1000, by_lot)
    found = reach(examples, train, split(25, 100, by_lot, seed=2)[1])
    truth = 0.9
    assert found.at_least is not None
    assert found.at_least <= truth + 0.03  # of a held-out sample
    assert found.if_alike is not None
    assert truth <= found.if_alike <= truth + 0.04
    assert found.if_alike <= found.at_most <= 1
    assert found.known > 0.5
    assert found.loss_at_least == pytest.approx(0.2 * 0.6931 * found.known, rel=0.3)
    (warning,) = Reach(0.8, 0.94, 0.93, 0.1, 0.5, 40).warnings(GATE)
    assert "gate=training asks for accuracy above 0.95, and no model could choose more than 94.0%" in warning


def test_an_answer_that_follows_from_the_question_caps_nothing() -> None:
    examples, train = split(30, 400, lambda _, question: [100 + question, 7, 8, 9])
    found = reach(examples, train, train)
    assert (found.at_most, found.if_alike, found.at_least) == (1, 1, 1)
    assert found.loss_at_least == 0
    assert not [*found.warnings(GATE)]


def test_chats_that_never_begin_alike_tell_nothing_of_the_best() -> None:
    def any_token(rng: random.Random, _: int) -> list[int]:
        return [rng.randrange(100, 10_000) for _ in range(10)]

    examples, train = split(100_000, 200, any_token)
    found = reach(examples, train, split(100_000, 50, any_token, seed=3)[1])
    assert found.if_alike is None
    assert found.at_most == 1
    assert "and no bound above: only" in str(found)
    (warning,) = found.warnings(GATE)
    assert "answers are so varied" in warning
    assert "gate=training_judged" in warning


def test_one_user_who_repeats_himself_is_one_draw() -> None:
    examples, train = split(1, 50, by_lot)
    alone = [Example(e.messages, e.language, e.category, "u", e.conversation) for e in examples]
    assert reach(alone, train, train).contexts == 0


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Reach(0.93, 1.0, None, 0.0, 0.0, 0), ""),  # as in the demos
        (Reach(0.5, 0.99, 0.93, 0.0, 0.2, 30), "the best one may choose about 93.0%"),
        (Reach(0.5, 0.99, 0.97, 0.6, 0.2, 30), "no model could have less than 0.60"),
        (Reach(None, 1.0, None, 0.0, 0.0, 0), ""),
    ],
)
def test_a_threshold_is_doubted_where_the_chats_speak_against_it(found: Reach, words: str) -> None:
    told = [*found.warnings(GATE)]
    assert len(told) == bool(words)
    assert words in "".join(told)
