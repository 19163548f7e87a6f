"""Exact and near duplicates: dialogues whose sets of words overlap by Jaccard's measure.

MinHash (Broder 1997) proposes pairs and the sets themselves decide, so every reported pair is a true one. The index
holds a few numbers per dialogue, computed for many at once; words are read only for dialogues that share such a number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import ceil, log, log1p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import Turn, turns_of

_WORD = re.compile(r"\w+")
_PERMUTATIONS = 128
"""The most that are worked out."""
_MISSED = 1e-4
"""Share of the pairs at the threshold that may not be proposed."""
_KEPT_WORDS, _AT_ONCE = 50_000, 500
"""Words whose hashes are held; sets whose marks are worked out together."""
_ROUNDING = 1e-6
Numbers = NDArray[np.uint64]


def words_of(record: Record) -> frozenset[str]:
    """The words of a whole dialogue, case ignored, without the system prompt."""
    said = " ".join(message["content"] for message in record["messages"] if message["role"] != "system")
    return frozenset(_WORD.findall(said.casefold())) or frozenset((said.strip(),))


def words_of_turn(turn: Turn) -> frozenset[str]:
    """The words of a question and its answer, case ignored."""
    said = " ".join(turn.texts)
    return frozenset(_WORD.findall(said.casefold())) or frozenset((said.strip(),))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared words over all words of the two."""
    return len(one & other) / len(one | other)


class Marks(NamedTuple):
    """Numbers by which equal and near sets of words are found, one row a set."""

    exact: Numbers
    """Equal for equal words."""
    size: NDArray[np.int64]
    """How many words."""
    bands: Numbers
    """Sets x bands; what shares none is never compared."""

    def keys(self) -> list[list[bytes]]:
        """Of each set the keys of which near ones share one: its bands, or where there are none its words as a whole;
        they say nothing of the words."""
        numbers = self.bands if self.bands.shape[1] else self.exact[:, None]
        places = np.arange(numbers.shape[1], dtype=np.uint64)  # a number in one band says nothing in another
        return [[key.tobytes() for key in row] for row in _mixed(numbers ^ _mixed(places))]

    @classmethod
    def joined(cls, parts: Sequence[Marks]) -> Marks:
        """Of all parts, in their order."""
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Sketch:
    """Works out the marks of sets of words for a threshold of Jaccard's measure: the same in every process."""

    def __init__(self, threshold: float) -> None:
        self._rows, self._bands = _bands(threshold) if threshold < 1 else (0, 0)
        self._seeds = _mixed(np.arange(1, self._rows * self._bands + 1, dtype=np.uint64))

    def of(self, sets: Sequence[frozenset[str]]) -> Marks:
        """The marks; a set of no words has those of none."""
        return Marks.joined([self._of(sets[at : at + _AT_ONCE]) for at in range(0, max(len(sets), 1), _AT_ONCE)])

    def _of(self, sets: Sequence[frozenset[str]]) -> Marks:
        sizes = np.fromiter(map(len, sets), np.int64, len(sets))
        hashes = np.fromiter((_hash(word) for words in sets for word in words), np.uint64, sizes.sum())
        exact, bands = np.zeros(len(sets), np.uint64), np.zeros((len(sets), self._bands), np.uint64)
        some = sizes > 0
        if some.any():
            begins = np.cumsum(sizes[some]) - sizes[some]
            exact[some] = np.add.reduceat(_mixed(hashes), begins)
            bands[some] = self._banded(hashes, begins)
        return Marks(exact, sizes, bands)

    def _banded(self, hashes: Numbers, begins: NDArray[np.int64]) -> Numbers:
        words, places = np.unique(hashes, return_inverse=True)
        keys = np.zeros((len(begins), self._bands), np.uint64)
        for number, seed in enumerate(self._seeds):
            least = np.minimum.reduceat(_mixed(words ^ seed).take(places), begins)
            band = number // self._rows
            keys[:, band] = _mixed(keys[:, band] ^ least)
        return keys


def _bands(threshold: float) -> tuple[int, int]:
    """Rows a band, and bands: the most rows with which few enough pairs at the threshold share no band."""
    for rows in range(16, 1, -1):
        bands = ceil(log(_MISSED) / log1p(-(threshold**rows)))
        if rows * bands <= _PERMUTATIONS:
            return rows, bands
    return 1, min(_PERMUTATIONS, ceil(log(_MISSED) / log1p(-threshold)))


def _mixed(numbers: Numbers) -> Numbers:
    """Each bit of them depends on all (SplitMix64's finalizer, Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@lru_cache(_KEPT_WORDS)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Index:
    """Sets of words, some of them remembered, that one can ask for near-duplicates of another."""

    def __init__(
        self, threshold: float, marks: Marks, words: Callable[[int], frozenset[str]], name: Callable[[int], str] = str
    ) -> None:
        """`marks` are those of all sets that will be remembered or asked for; `words` gives one of them, which has to
        have some; of those as near, the one whose `name` comes first is the nearest."""
        self._threshold, self._words, self._name, self._sizes = threshold, words, name, marks.size
        self._equal = _shared(marks.exact)
        self._bands = np.stack([_shared(column) for column in marks.bands.T] or [self._equal[:0]], axis=-1)
        self._alone = self._equal < 0
        if self._bands.size:
            self._alone &= (self._bands < 0).all(axis=1)
        self._same: dict[int, list[int]] = defaultdict(list)
        self._near: dict[tuple[int, int], list[int]] = defaultdict(list)

    def near(self, item: int) -> list[int]:
        """The remembered near-duplicates of a set, the nearest first."""
        if self._alone[item]:
            return []
        scored = [(-1.0, self._name(other), other) for other in self._same.get(int(self._equal[item]), ())]
        # Of sets with the same words only the first is compared; it answers for all of them.
        for other in {other for band in self._bands_of(item) for other in self._near.get(band, ())}:
            score = self._overlap(item, other)
            if score >= self._threshold:
                scored += [(-score, self._name(each), each) for each in self._equal_to(other)]
        return [other for _, _, other in sorted(scored)]

    def add(self, item: int) -> None:
        """Remember a set."""
        if self._alone[item]:
            return
        equal = int(self._equal[item])
        if equal >= 0:
            self._same[equal].append(item)
            if len(self._same[equal]) > 1:
                return
        for band in self._bands_of(item):
            self._near[band].append(item)

    def _bands_of(self, item: int) -> list[tuple[int, int]]:
        if not self._bands.size:
            return []
        return [(band, group) for band, group in enumerate(self._bands[item].tolist()) if group >= 0]

    def _equal_to(self, item: int) -> Sequence[int]:
        equal = int(self._equal[item])
        return self._same[equal] if equal >= 0 else (item,)

    def _overlap(self, item: int, other: int) -> float:
        """Their Jaccard measure; 0 where the numbers of words tell that it is too small, or that they are equal."""
        equal, (fewer, more) = self._equal[item], sorted((self._sizes[item], self._sizes[other]))
        if (equal >= 0 and equal == self._equal[other]) or fewer < self._threshold * more - _ROUNDING:
            return 0.0
        return jaccard(self._words(item), self._words(other))


def _shared(column: Numbers) -> NDArray[np.int32]:
    """A number for each value that stands there several times, -1 for what stands there once."""
    order = np.argsort(column, kind="stable")
    groups = np.cumsum(np.diff(column[order], prepend=column[order[:1]]) != 0)
    groups[np.bincount(groups, minlength=1)[groups] < 2] = -1
    found = np.empty(len(column), dtype=np.int32)
    found[order] = groups
    return found


def surplus(dialogues: Iterable[tuple[str, frozenset[str]]], threshold: float, copies: int) -> Mapping[str, str]:
    """Return conversation -> what it duplicates, for all but the first `copies` of each group of near-duplicates.

    `dialogues` are names and words, in the order in which the first ones stay.
    """
    said = list(dialogues)
    names, sets = [name for name, _ in said], [words for _, words in said]
    index = Index(threshold, Sketch(threshold).of(sets), sets.__getitem__, names.__getitem__)
    return {names[item]: names[of] for item, of in surplus_in(index, range(len(names)), copies).items()}


def surplus_in(index: Index, items: Iterable[int], copies: int) -> Mapping[int, int]:
    """As `surplus`, of the items of an index that remembers none yet."""
    found = {}
    for item in items:
        near = index.near(item)
        if len(near) >= copies:
            found[item] = near[0]
        else:
            index.add(item)
    return found


def nearest(
    remembered: Sequence[frozenset[str]], asked: Sequence[frozenset[str]], threshold: float, name: Callable[[int], str]
) -> list[int | None]:
    """For each that is asked, the place of the nearest one that is remembered; None where none is near."""
    sets = [*remembered, *asked]
    index = Index(threshold, Sketch(threshold).of(sets), sets.__getitem__, name)
    for item in range(len(remembered)):
        index.add(item)
    near = (index.near(item) for item in range(len(remembered), len(sets)))
    return [next(iter(each), None) for each in near]


class Trained:
    """What training sees, turn by turn and as whole dialogues: what is held out must hold none of it."""

    def __init__(self, examples: Iterable[tuple[str, Record]], threshold: float) -> None:
        """`examples`: by their names."""
        self._threshold = threshold
        self._first: dict[frozenset[str], str] = {}
        """The words of each turn -> the first example that holds it."""
        self._dialogues: list[tuple[str, frozenset[str]]] = []
        for name, example in examples:
            turns = turns_of(example["messages"])
            for turn in turns:
                self._first.setdefault(words_of_turn(turn), name)
            if len(turns) > 1:  # one of a single turn is asked for as that turn
                self._dialogues.append((name, words_of(example)))

    def dialogues(self, records: Sequence[Record]) -> list[str]:
        """For each the nearest example of which it, a dialogue of several turns, is a near-duplicate, or ""."""
        several = [place for place, record in enumerate(records) if len(turns_of(record["messages"])) > 1]
        names, sets = [name for name, _ in self._dialogues], [words for _, words in self._dialogues]
        found = nearest(sets, [words_of(records[at]) for at in several], self._threshold, names.__getitem__)
        near = {place: names[of] for place, of in zip(several, found, strict=True) if of is not None}
        return [near.get(place, "") for place in range(len(records))]

    def turns(self, turns: Sequence[Turn]) -> list[str]:
        """For each an example that holds a near-duplicate of it, or ""."""
        sets, names = list(self._first), list(self._first.values())
        found = nearest(sets, [words_of_turn(turn) for turn in turns], self._threshold, str)
        return ["" if of is None else names[of] for of in found]

    def word_for_word(self, turn: Turn) -> bool:
        """Whether a turn of the same words stands in an example."""
        return words_of_turn(turn) in self._first


def draw(seed: int, name: str) -> bytes:
    """A fixed place in a shuffled order: it depends on the name alone, so new data leave the old in place."""
    return blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
