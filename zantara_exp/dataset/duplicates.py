"""Exact and near duplicates: dialogues whose sets of words overlap by Jaccard's measure.

MinHash (Broder 1997) proposes pairs, the sets themselves decide, so a pair named here is one. The signature is asked
for pairs well below the threshold, so that a true pair is missed in less than one of 10,000 cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from zantara_exp.dataset.records import Record

_WORD = re.compile(r"\w+")
_PERMUTATIONS = 128
_ASK_BELOW = 0.75
"""Share of the threshold at which pairs are proposed."""


def words_of(record: Record) -> frozenset[str]:
    """The words of a whole dialogue, case ignored, without the system prompt."""
    said = " ".join(message["content"] for message in record["messages"] if message["role"] != "system")
    return frozenset(_WORD.findall(said.casefold())) or frozenset((said.strip(),))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared words over all words of the two."""
    return len(one & other) / len(one | other)


class Index:
    """Dialogues one can ask for near-duplicates of another."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._threshold = threshold
        self._words: dict[str, frozenset[str]] = {}
        self._exact: dict[frozenset[str], list[str]] = {}
        self._lsh = MinHashLSH(threshold=threshold * _ASK_BELOW, num_perm=_PERMUTATIONS)

    def near(self, words: frozenset[str]) -> list[str]:
        """Names of the dialogues that are near-duplicates, the nearest first."""
        found = set(self._exact.get(words, ()))
        if self._threshold < 1:
            # Of dialogues with the same words only the first is asked for; it answers for all of them.
            for name in self._lsh.query(_signature(words)):
                found.update(self._exact[self._words[str(name)]])
        scored = sorted((-jaccard(words, self._words[name]), name) for name in found)
        return [name for score, name in scored if -score >= self._threshold]

    def add(self, name: str, words: frozenset[str]) -> None:
        """Remember a dialogue."""
        self._words[name] = words
        same = self._exact.setdefault(words, [])
        same.append(name)
        if len(same) == 1:  # equal sets share one signature
            self._lsh.insert(name, _signature(words), check_duplication=False)


def _signature(words: frozenset[str]) -> object:
    from datasketch import MinHash

    made = MinHash(num_perm=_PERMUTATIONS, seed=1)
    made.update_batch([word.encode("utf-8", "surrogatepass") for word in words])
    return made


def surplus(records: Iterable[Record], threshold: float, copies: int) -> Mapping[str, str]:
    """Return conversation -> what it duplicates, for all but the first `copies` of each group of near-duplicates."""
    index, found = Index(threshold), {}
    for record in records:
        name, words = record["conversation_id"], words_of(record)
        near = index.near(words)
        if len(near) >= copies:
            found[name] = near[0]
        else:
            index.add(name, words)
    return found


def draw(seed: int, name: str) -> bytes:
    """A fixed place in a shuffled order: it depends on the name alone, so new data leave the old in place."""
    return blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
