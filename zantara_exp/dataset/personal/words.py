"""Finds words that name personal data; for a text without one that is as cheap as a look into a set."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

# Bytes of a text in small letters: all but letters, digits and what is beyond ASCII parts words.
_GAPS = bytes(byte if byte > 127 or chr(byte).isalnum() else 32 for byte in range(256))
_WORD = re.compile(r"[^\W_]+")
_BY_FREQUENCY = "eaionsrltcdupmgbfhvkzwyqjx"


class Hit(NamedTuple):
    """A word that names something."""

    begin: int
    end: int
    label: str


class Words:
    """Phrases by the label they stand for."""

    def __init__(self, phrases: Mapping[str, Iterable[str]], alone: Collection[str]) -> None:
        """`alone` are the labels that matter in texts without figures."""
        self._said = {
            label: {each for phrase in said for each in _spellings(phrase)} for label, said in phrases.items()
        }
        by_sign: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
        for label, said in self._said.items():
            for phrase in said:
                words = _WORD.findall(phrase)
                by_sign[_rarest(words)][label, words[0]].append(phrase)
        self._forms = {
            sign.encode(): [(label, _pattern(head, found)) for (label, head), found in groups.items()]
            for sign, groups in by_sign.items()
        }
        self._known = frozenset(self._forms)
        self._alone = frozenset(
            sign for sign, forms in self._forms.items() if any(label in alone for label, _ in forms)
        )

    def of(self, label: str) -> frozenset[str]:
        """All that stands for a label."""
        return frozenset(self._said[label])

    def among(self, lower: str, figures: bool) -> list[Hit]:
        """Every phrase of a text in small letters, in order; of phrases with the same begin and label, the longest."""
        tokens = lower.encode(errors="replace").translate(_GAPS).split()
        present = (self._known if figures else self._alone).intersection(tokens)
        if not present:
            return []
        hits = set()
        for token in present:
            for label, form in self._forms[token]:
                for match in form.finditer(lower):
                    begin, end = match.span()
                    if not begin or not lower[begin - 1].isalnum():
                        hits.add(Hit(begin, end, label))
        return sorted(hits)


def _spellings(phrase: str) -> list[str]:
    """With and without full stops, with Indonesian endings where `~` stands."""
    phrase = phrase.lower()
    said = [phrase, phrase.replace(".", "")] if phrase.count(".") > 2 else [phrase]
    return [each[:-1] + ending for each in said for ending in ("", "nya", "ku", "mu")] if phrase[-1] == "~" else said


def _rarest(words: Iterable[str]) -> str:
    """The word of a phrase that fewest texts hold: the longest; of single letters, the one that is used least."""
    return max(words, key=lambda word: (len(word), _BY_FREQUENCY.find(word)))


def _pattern(head: str, phrases: Iterable[str]) -> re.Pattern[str]:
    """The phrases that begin with a word, which stands first so that it is searched for as a plain text is."""
    each = []
    for phrase in sorted(phrases, key=len, reverse=True):
        rest = phrase.removeprefix(head)
        stop = r"\.\s?" if len(head) == 1 else r"\.?\s?"  # "a.n." is not "an"
        form = "".join({" ": r"[\s_-]{1,3}", ".": stop}.get(sign, re.escape(sign)) for sign in rest)
        if rest.endswith("."):
            form = form.removesuffix(stop) + r"\.?"
        each.append(form if rest and not rest[-1].isalnum() and rest[-1] != "." else form + r"(?![^\W_])")
    return re.compile(rf"{re.escape(head)}(?:{'|'.join(each)})")
