"""What the best model could reach on these chats, by the chats alone: said before training, with the gate's threshold.

At most. Where chats of two users are the same up to some token of an answer, both recorded answers are draws from what
may follow. C, the share of pairs of draws that agree, is estimated without bias from the pairs (Simpson 1949,
https://doi.org/10.1038/163688a0). No model, whatever it knows, is right there more often than the most probable token,
and max p <= sqrt(sum p^2) = sqrt(C); that is what bounds a Bayes rule by its nearest neighbours (Cover & Hart 1967,
https://doi.org/10.1109/TIT.1967.1053964). Nor more often than the most frequent token of the draws themselves is seen,
which is biased upwards. The smaller of both is taken. The loss is at least the entropy, which is at least -ln C (Renyi
1961). Places that one chat alone reaches say nothing: they are taken as certain (`at_most`), or as like the others at
the same depth of an answer (`if_alike`).

At least. A table of the last tokens, of the train split, is tried on the validation split: whatever learns can do that.
Where no more is known, a threshold is doubted that asks a model to mend more than three in four of the table's errors;
that is no bound: the models of the shipped demos mended between a half and two thirds (92 to 93 % by the table, 96.8 to
97.3 % of the validation tokens by the model).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zantara_exp.config.gate import Gate
from zantara_exp.training.data import Example
from zantara_exp.training.encode import IGNORED, Encoded, EncodedSplit

_DEPTHS = (1, 2, 4, 8, 16, 32)
"""Answers are cut into parts here: the first token, the second, then 2, 4, 8, 16 tokens, and the rest."""
_ORDERS = (6, 4, 3, 2, 1)
"""How many of the last tokens the table looks at, the longest that it knows."""
_FEWEST_CHATS, _FEWEST_PLACES = 20, 200
_MENDED, _CERTAIN = 0.75, 0.9995
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Reach:
    """What can be said of the best model; shares from 0 to 1, the loss in nats a token."""

    at_least: float | None
    """Token accuracy of the table on validation; None without a token there."""
    at_most: float
    if_alike: float | None
    """None where too few places are reached twice to speak of the others."""
    loss_at_least: float
    known: float
    """Share of the answers' tokens whose place two users' chats reach by the same words."""
    contexts: int
    """Chats that two users or more began alike."""

    def __str__(self) -> str:
        low = "" if self.at_least is None else f"at least {self.at_least:.0%} (a table of the last tokens), "
        known = f"{self.known:.1%} of the places are reached by two users' chats"
        if self.if_alike is None:
            if self.at_most > _CERTAIN:
                return f"{low}and no bound above: only {known}, of {self.contexts} beginnings"
            return (
                f"{low}at most {self.at_most:.1%}, the others taken as certain: {known}, of {self.contexts} beginnings"
            )
        alike = f"about {self.if_alike:.1%} if all places are like those reached twice"
        return f"{low}{alike}, at most {self.at_most:.1%} ({known})"

    def warnings(self, gate: Gate) -> Iterator[str]:
        """Thresholds of the gate that the best model would not reach, or is not expected to."""
        for name, criterion in gate.criteria.items():
            go, asked = criterion.go, f"gate={gate.name} asks for {name} {criterion.go.side} "
            if criterion.metric == "token_accuracy" and go.given and go.upwards and (why := self._short_of(go.value)):
                yield f"{asked}{go.value:g}, and {why}; gate=training_judged asks for no token accuracy"
            if criterion.metric == "eval_loss" and go.given and self.loss_at_least >= go.value:
                yield f"{asked}{go.value:g}, and no model could have less than {self.loss_at_least:.2f} here"

    def _short_of(self, accuracy: float) -> str:
        """Why no model is expected to choose so many tokens right; empty where nothing speaks against it."""
        if self.at_most <= accuracy:
            return f"no model could choose more than {self.at_most:.1%} of these tokens"
        if self.if_alike is not None:
            return f"the best one may choose about {self.if_alike:.1%}" if self.if_alike <= accuracy else ""
        errors = 1.0 - (1.0 if self.at_least is None else self.at_least)
        if (1.0 - accuracy) >= (1.0 - _MENDED) * errors:
            return ""
        mended = 1.0 - (1.0 - accuracy) / errors
        return (
            f"answers are so varied that a table of the last tokens chooses {self.at_least:.0%}: a model would have to "
            f"mend {mended:.0%} of its errors"
        )


def reach(examples: Sequence[Example], train: EncodedSplit, val: EncodedSplit) -> Reach:
    """From the train split, as messages and as tokens, and the validation split as tokens."""
    groups: dict[tuple[str, ...], dict[str, list[int]]] = {}
    sizes = np.zeros(len(_DEPTHS) + 1)
    for source, encoded in zip(train.sources, train.examples, strict=True):
        about = examples[source]
        for before, answer in zip(_beginnings(about.messages), _answers(encoded), strict=False):
            groups.setdefault(before, {}).setdefault(about.user, answer)
            sizes += np.bincount(_parts(len(answer)), minlength=sizes.size)
    repeated = [[*answers.values()] for answers in groups.values() if len(answers) > 1]
    places, agreeing, modal = (np.zeros(sizes.size) for _ in range(3))
    for answers in repeated:
        for depth, counts in _places(answers):
            draws, part = sum(counts.values()), int(np.searchsorted(_DEPTHS, depth, side="right"))
            places[part] += draws
            agreeing[part] += draws * sum(n * (n - 1) for n in counts.values()) / (draws * (draws - 1))
            modal[part] += max(counts.values())
    has = places > 0
    same = np.divide(agreeing, places, out=np.ones_like(places), where=has)
    best = np.minimum(np.sqrt(same), np.divide(modal, places, out=np.ones_like(places), where=has))
    least = -np.log(np.maximum(same, 1 / np.maximum(places, 2)))
    total = max(float(sizes.sum()), 1.0)
    enough = len(repeated) >= _FEWEST_CHATS and places.sum() >= _FEWEST_PLACES
    return Reach(
        at_least=_table_accuracy(train, val),
        at_most=1.0 - float((places * (1.0 - best)).sum()) / total,
        if_alike=float((sizes * _carried(best, has)).sum()) / total if enough else None,
        loss_at_least=float((places * least).sum()) / total,
        known=float(places.sum()) / total,
        contexts=len(repeated),
    )


def _parts(length: int) -> NDArray[np.int64]:
    return np.searchsorted(_DEPTHS, np.arange(length), side="right")


def _carried(values: NDArray[np.float64], has: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Parts of which nothing is known take what the nearest one before them has, or the first one known."""
    found, last = values.copy(), float(values[int(np.argmax(has))])
    for part in range(values.size):
        last = float(values[part]) if has[part] else last
        found[part] = last
    return found


def _beginnings(messages: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, ...]]:
    """Before each answer: what was said, by its words alone."""
    said: list[str] = []
    for message in messages:
        if message["role"] == "assistant":
            yield tuple(said)
        said.append(f"{message['role']}: {' '.join(_WORD.findall(message['content'].casefold()))}")


def _answers(encoded: Encoded) -> Iterator[list[int]]:
    """The token ids of each answer."""
    answer: list[int] = []
    for label in encoded.labels:
        if label != IGNORED:
            answer.append(label)
        elif answer:
            yield answer
            answer = []
    if answer:
        yield answer


def _places(answers: Sequence[list[int]]) -> Iterator[tuple[int, Counter[int]]]:
    """Each place that two answers or more reach by the same tokens: how deep it is, and what follows how often."""
    waiting = [(list(answers), 0)]
    while waiting:
        reached, depth = waiting.pop()
        alive = [answer for answer in reached if len(answer) > depth]
        if len(alive) < 2:
            continue
        counts = Counter(answer[depth] for answer in alive)
        yield depth, counts
        for token, count in counts.items():
            if count > 1:
                waiting.append(([answer for answer in alive if answer[depth] == token], depth + 1))


def _table_accuracy(train: EncodedSplit, val: EncodedSplit) -> float | None:
    """Held-out share of tokens that the most frequent one after the longest known run of last tokens is."""
    known, wanted = _laid_out(train), _laid_out(val)
    if not wanted[1].size:
        return None
    guessed = np.full(wanted[1].size, -1, dtype=np.int64)
    for order in _ORDERS:
        keys, tokens = _most_frequent(_run(known, order), known[0][known[1]])
        asked = _run(wanted, order)
        at = np.minimum(np.searchsorted(keys, asked), max(keys.size - 1, 0))
        hit = (guessed < 0) & (keys[at] == asked if keys.size else np.zeros(asked.size, dtype=bool))
        guessed[hit] = tokens[at[hit]]
    return float((guessed == wanted[0][wanted[1]]).mean())


def _laid_out(split: EncodedSplit) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All tokens in a row, a gap before each chat, and where those of answers stand."""
    gap = [-1] * max(_ORDERS)
    ids = [token for each in split.examples for token in (*gap, *each.input_ids)]
    said = [label != IGNORED for each in split.examples for label in (*[IGNORED] * len(gap), *each.labels)]
    return np.array(ids, dtype=np.int64), np.flatnonzero(np.array(said, dtype=bool))


def _run(laid: tuple[NDArray[np.int64], NDArray[np.int64]], order: int) -> NDArray[Any]:
    """A hash of the `order` tokens before each token of an answer."""
    ids, at = laid
    found = np.zeros(at.size, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for back in range(1, order + 1):
            found = found * np.uint64(1_000_003) + (ids[at - back] + 2).astype(np.uint64)
            found ^= found >> np.uint64(29)
    return found


def _most_frequent(keys: NDArray[Any], tokens: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Each key once, sorted, with the token that follows it most often."""
    order = np.lexsort((tokens, keys))
    keys, tokens = keys[order], tokens[order]
    begins = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]) | (tokens[1:] != tokens[:-1])]) if keys.size else order
    counts = np.diff(np.r_[begins, keys.size])
    best = np.lexsort((-counts, keys[begins]))
    keys, tokens = keys[begins][best], tokens[begins][best]
    first = np.r_[True, keys[1:] != keys[:-1]] if keys.size else np.zeros(0, dtype=bool)
    return keys[first], tokens[first]
