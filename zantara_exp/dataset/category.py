"""The category of a chat, among those of the domain, and whether that is sure enough for the chat to move.

Declared patterns come first, so that anyone can see why. A text that matches a pattern of a category that stays with
the primary has that category, whatever else it says. Otherwise a pattern of a category that moves decides, or else the
likeliest category by the examples. A text is sure to move only if the examples give categories that stay a probability
below `domain.may_stay`; without examples, only if the patterns cover every word. A text that matches nothing, and whose
words are in no example, has the category `domain.otherwise`, which stays. A chat has the weightiest category of its
messages, and is as sure as the least sure of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zantara_exp.config import CONF, folders
from zantara_exp.config.domain import Domain
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.dataset.ignoring_case import finds_the_same_in_small, small
from zantara_exp.text.normal_form import UNPARTED, one_form, one_form_of_pattern, words_in
from zantara_exp.text.patterns import compiled

if TYPE_CHECKING:
    from zantara_exp.dataset.examples import Labelled, Model

PATTERN, EXAMPLES, OTHERWISE = "pattern", "examples", "otherwise"
_LIKELY = 0.5
_FEWEST_STAYING_OF = 10
"""Of so many examples one at least is of a category that stays."""
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(rf"[.!?…]\s+|[!?](?=[{UNPARTED}])|[。؟۔।]\s*|\n+")


_Declared = tuple[str, tuple[str, ...], int | None, bool]
"""Name, patterns, other words, and whether it moves."""


class Told(NamedTuple):
    """What a text is about."""

    category: str
    sure: bool
    """Whether that is sure enough for it to move, where its category does."""
    by: str
    """PATTERN, EXAMPLES, or OTHERWISE: nothing told it."""


class _Kind(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    other_words: int | None
    moves: bool

    def holds(self, text: str) -> bool:
        """Whether a text has a pattern of it, and few enough words besides."""
        if self.other_words is None:
            return self.pattern.search(text) is not None
        rest = self.rest(text)
        return rest is not None and self.has_few_words(rest)

    def rest(self, text: str) -> str | None:
        """What a text says besides its patterns; None where it has none of them."""
        return self.pattern.sub(" ", text) if self.pattern.search(text) else None

    def has_few_words(self, rest: str) -> bool:
        """Whether besides the patterns there are few enough words."""
        return self.other_words is None or words_in(rest) <= self.other_words


class _Kinds:
    """The categories of a domain, the weightiest first."""

    def __init__(self, kinds: Sequence[_Kind]) -> None:
        self.stays = [kind for kind in kinds if not kind.moves]
        self.moves = [kind for kind in kinds if kind.moves]

    @classmethod
    def of(cls, declared: Sequence[_Declared], flags: re.RegexFlag) -> _Kinds:
        """Those that a domain declares, the lightest first."""
        return cls(
            [
                _Kind(name, compiled(said, flags, grown=not moves), words, moves)
                for name, said, words, moves in reversed(declared)
            ]
        )


class Classifier:
    """Sorts texts into the categories of a domain."""

    def __init__(
        self, declared: Sequence[_Declared], otherwise: str, model: Model | None, may_stay: float, known: float
    ) -> None:
        """`declared`: the lightest category first."""
        self._weight = {name: weight for weight, (name, *_) in enumerate(declared)}
        self._kinds = self._in_small = _Kinds.of(declared, re.IGNORECASE)
        written = [one_form_of_pattern(each) for _, said, *_ in declared for each in said]
        self._in_small_letters = all(map(finds_the_same_in_small, written))
        if self._in_small_letters:
            self._in_small = _Kinds.of(declared, re.NOFLAG)
        self._nothing = Told(otherwise, True, OTHERWISE)
        self._otherwise, self._model, self._may_stay, self._known = otherwise, model, may_stay, known
        labels = model.labels if model is not None else ()
        moving = {kind.name for kind in self._kinds.moves}
        self._labels = [(name, place, name in moving) for place, name in enumerate(labels)]

    def text(self, text: str) -> str:
        """Category of one message."""
        return self._told(text).category

    def conversation(self, questions: Iterable[str]) -> Told:
        """Of what a user said in all."""
        said = [self._told(text) for text in questions] or [self._nothing]
        weightiest = max(said, key=lambda told: self._weight[told.category])
        return weightiest._replace(sure=all(told.sure for told in said))

    def doubt(self, text: str) -> float:
        """How unsure the category of a message is: 0 where patterns alone say it, 1 where nothing does."""
        text = one_form(text)
        if any(kind.holds(text) for kind in self._kinds.stays):
            return 0.0
        said = any(kind.holds(text) for kind in self._kinds.moves)
        if self._model is None:
            return (0.0 if self._covered(text, self._kinds) else 0.5) if said else 1.0
        probabilities = self._model.judged(text).probabilities
        return self._stays_by(probabilities) if said else 1 - max(probabilities)

    def _told(self, text: str) -> Told:
        text = one_form(text)
        lowered = small(text) if self._in_small_letters else None
        return self._of(text, self._kinds) if lowered is None else self._of(lowered, self._in_small)

    def _of(self, text: str, kinds: _Kinds) -> Told:
        for kind in kinds.stays:
            if kind.holds(text):
                return Told(kind.name, True, PATTERN)
        rests = [(kind, kind.rest(text)) for kind in kinds.moves]
        said = next((kind.name for kind, rest in rests if rest is not None and kind.has_few_words(rest)), "")
        if self._model is None:
            return Told(said, self._covered(text, kinds), PATTERN) if said else self._nothing
        probabilities, known = self._model.judged(text)
        stays = self._stays_by(probabilities)
        if stays >= _LIKELY:
            return Told(self._likeliest(probabilities, moving=False), True, EXAMPLES)
        if not said and known < self._known:  # words that no example has, such as those of another language
            return self._nothing
        others = [rest for _, rest in rests if rest is not None]
        sure = stays < self._may_stay and self._sure_of_each(self._model, text, others)
        return Told(said or self._likeliest(probabilities, moving=True), sure, PATTERN if said else EXAMPLES)

    def _covered(self, text: str, kinds: _Kinds) -> bool:
        """Whether patterns of what moves leave no word of a text: what else it says, nobody has told."""
        for kind in kinds.moves:
            text = kind.pattern.sub(" ", text)
        return not _WORD.search(text)

    def _stays_by(self, probabilities: Sequence[float]) -> float:
        return sum(probabilities[place] for _, place, moves in self._labels if not moves)

    def _sure_of_each(self, model: Model, text: str, rests: Sequence[str]) -> bool:
        """Of each sentence: a question of what stays does not move behind three about the weather. And of the `rests`
        of what is said besides the words that move: a hello opens no door."""
        parts = [part for part in _SENTENCE.split(text) if part.strip()]
        parts = parts if len(parts) > 1 else []
        parts += [rest for rest in rests if rest != text and _WORD.search(rest)]
        return all(self._stays_by(model.judged(part)[0]) < self._may_stay for part in parts)

    def _likeliest(self, probabilities: Sequence[float], moving: bool) -> str:
        found = [(probabilities[place], name) for name, place, moves in self._labels if moves == moving]
        return max(found)[1] if found else self._otherwise


def classifier(config: Config) -> Classifier:
    """The classifier that a domain declares; what its examples teach is kept under `paths.state`.

    Raises ConfigError where `domain.examples` names no file, one with a label that is no category, or one with next to
    no example of what stays, ZantaraError where its lines are none.
    """
    domain = config.domain
    path = examples_of(domain)
    changed = path.stat().st_mtime_ns if path is not None else 0
    return _made(
        _declared(domain), domain.otherwise, path, changed, Layout(config).state, domain.may_stay, domain.known
    )


def _declared(domain: Domain) -> tuple[_Declared, ...]:
    return tuple(
        (name, tuple(kind.patterns), kind.other_words, name in domain.moves) for name, kind in domain.categories.items()
    )


@lru_cache(maxsize=8)
def _made(
    declared: tuple[_Declared, ...],
    otherwise: str,
    path: Path | None,
    changed: int,
    state: Path,
    may_stay: float,
    known: float,
) -> Classifier:
    model = None
    if path is not None:
        from zantara_exp.dataset import examples

        rows = examples.read(path, "category")
        known_kinds = [name for name, *_ in declared]
        if unknown := sorted({row.label for row in rows} - set(known_kinds)):
            raise ConfigError(
                f"{path.name}: no such category: {', '.join(unknown)} (valid: {', '.join(known_kinds)})",
                "label them so, or declare it in domain.categories",
            )
        _check_staying(rows, {name for name, *_, moves in declared if not moves}, path)
        model = _fitted(rows, kept_in(path, state))
    return Classifier(declared, otherwise, model, may_stay, known)


def _check_staying(rows: Sequence[Labelled], staying: set[str], path: Path) -> None:
    """Examples of what moves alone would call everything sure to move."""
    count = sum(row.label in staying for row in rows)
    if count * _FEWEST_STAYING_OF < len(rows):
        raise ConfigError(
            f"{path.name}: {count} of {len(rows)} examples are of what stays ({', '.join(sorted(staying))}); "
            "the others teach nothing to keep back",
            f"add examples of what stays, at least one in {_FEWEST_STAYING_OF}, or domain.examples=null",
        )


def _fitted(rows: Sequence[Labelled], folder: Path) -> Model:
    from zantara_exp.dataset import examples

    try:
        return examples.fitted(rows, folder)
    except OSError:  # a folder that cannot be written: every process fits its own
        return examples.fit(rows)


def kept_in(examples: Path, state: Path) -> Path:
    """Where what examples teach is kept: of shipped ones in the user's cache, of a team's own, which may be somebody's
    words, in its own project."""
    if not examples.is_relative_to(CONF):
        return state / "examples"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "zantara-exp" / "examples"


def examples_of(domain: Domain) -> Path | None:
    """The file of `domain.examples`; None where there is none. Raises ConfigError where it names no file."""
    if not domain.examples:
        return None
    name = f"domain/examples/{domain.examples}.jsonl"
    path = next((folder / name for folder in folders() if (folder / name).is_file()), None)
    if path is None:
        raise ConfigError(
            f"domain.examples={domain.examples}: there is no {name} in conf/ or --config-dir",
            command("domain.examples=null", note="or write it: docs/domain.md"),
        )
    return path
