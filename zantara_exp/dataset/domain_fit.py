"""Finds where the domain does not fit the chats: patterns that match too little, undeclared languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from zantara_exp.config.languages import NAMES
from zantara_exp.config.schema import Config
from zantara_exp.dataset.category import OTHERWISE, classifier
from zantara_exp.dataset.language import UNKNOWN
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import questions

_MANY_OTHERWISE, _MANY_UNSURE, _MANY_UNKNOWN, _SOME_FOREIGN, _FEW = 0.25, 0.25, 0.1, 0.01, 0.005
"""Shares of the conversations from which, or below which, something is said."""
_MORE = "more examples of it would move more"
_NO_EXAMPLES = (
    "without domain.examples only a text moves that patterns of domain.moves cover word by word; label chats "
    "(stage=label) and put them into domain/examples/NAME.jsonl"
)


def misfits(conversations: Sequence[Record], foreign: Mapping[str, int], config: Config) -> list[str]:
    """What does not fit, in sentences. `foreign`: conversations in languages that are none of the product's."""
    return [*_of_categories(conversations, config), *_of_languages(conversations, foreign, config)]


def _of_categories(conversations: Sequence[Record], config: Config) -> Iterator[str]:
    sort, total = classifier(config), len(conversations)
    told = [sort.conversation(questions(record)) for record in conversations]
    if (share := sum(each.by == OTHERWISE for each in told) / total) > _MANY_OTHERWISE:
        yield (
            f"{share:.0%} are {config.domain.otherwise} by default: no pattern matched; add patterns to "
            "domain.categories, or examples (domain.examples)"
        )
    moving = [each for each in told if each.category in config.domain.moves]
    if moving and (share := sum(not each.sure for each in moving) / len(moving)) > _MANY_UNSURE:
        why = _MORE if config.domain.examples else _NO_EXAMPLES
        yield f"{share:.0%} of what could move is not sure enough for it: {why}"
    counts = Counter(record["metadata"]["category"] for record in conversations)
    for name in config.domain.categories:
        if counts[name] < _FEW * total:
            yield f"{counts[name]} of {total} are {name}: does domain.categories.{name} fit?"


def _of_languages(conversations: Sequence[Record], foreign: Mapping[str, int], config: Config) -> Iterator[str]:
    total, declared = len(conversations), ", ".join(config.dataset.languages)
    for code, count in foreign.items():
        if count / total >= _SOME_FOREIGN:
            name = NAMES.get(code, code)
            yield f"{count / total:.0%} look {name} ({code}), which is not among dataset.languages ({declared})"
    unknown = sum(record["metadata"]["language"] == UNKNOWN for record in conversations) - sum(foreign.values())
    if unknown / total > _MANY_UNKNOWN:
        yield f"{unknown / total:.0%} are in no language that can be told: do dataset.languages ({declared}) fit?"
