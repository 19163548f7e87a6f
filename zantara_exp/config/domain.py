"""Schema of the domain: what is one product's alone. None of it stands in code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config.fields import setting
from zantara_exp.config.languages import mistaken
from zantara_exp.text.patterns import faults

CATEGORY = re.compile(r"[a-z][a-z0-9_]{0,30}")
"""What a category may be called: its name stands in keys, metrics and names of files."""
CATEGORY_SAID = "small letters, digits and underscores, a letter first, 31 at most"


@dataclass
class Language:
    """One language of the product."""

    name: str = setting("", "What tables call it; empty: its code.")
    words: list[str] = setting(
        [], "Whole words that decide a text too short to judge otherwise; one that two languages have decides nothing."
    )


@dataclass
class Category:
    """One kind of chat."""

    patterns: list[str] = setting(
        [], "Regular expressions of it, matched from word boundary to word boundary, case ignored."
    )
    other_words: int | None = setting(
        None, "A text that they match has at most this many words besides; null: any number.", ge=0
    )


@dataclass
class Mix:
    """Shares of the chats that a model is to be trained on, 0 to 1; empty asks for none."""

    language: dict[str, float] = setting({}, "Share of each language.")
    category: dict[str, float] = setting({}, "Share of each category.")


@dataclass
class Domain:
    """Config group `domain`: a product's languages, categories and what its answers are held to."""

    name: str = setting("", "The product, as reports name it.")
    system_prompt: str = setting("", "First message of every example, and what the candidate is told.")
    languages: dict[str, Language] = setting({}, "Languages of the product, by ISO 639-1 code.")
    neighbours: list[str] = setting(
        [], "Languages of nobody here that could be taken for one of them: a whole chat in one is `unknown`."
    )
    categories: dict[str, Category] = setting(
        {}, "Kinds of chats, the lightest first: a chat counts as the weightiest of its messages."
    )
    otherwise: str = setting("", "Category of what is not surely of another; none of `moves`.")
    examples: str | None = setting(
        None,
        "Labelled examples that categories are learnt from: NAME of domain/examples/NAME.jsonl; null: patterns alone, "
        "and only a text moves that patterns of `moves` cover word by word.",
    )
    may_stay: float = setting(
        0.15,
        "A text moves only if it belongs to what stays with a probability below this, by the examples.",
        gt=0,
        lt=1,
    )
    known: float = setting(
        0.35, "And only if the examples know this share of its letters' words, or a pattern says so.", ge=0, le=1
    )
    moves: list[str] = setting([], "Categories that a rollout may move; all others stay with the primary, always.")
    mix: Mix = setting(Mix(), "What a model is to be trained on.")
    samples: dict[str, dict[str, list[str]]] = setting(
        {}, "Questions by language and category, invented: for the test before a rollout's step, and for the rehearsal."
    )
    replies: dict[str, list[str]] = setting({}, "Two answers by language that say the same, for the rehearsal.")
    demo: str | None = setting(None, "Its demo product, for source=embedded: NAME of conf/domain/demo/NAME.json.")
    openings: list[str] = setting([], "Words that open a chat, and may not stand in one answer three times.")
    no_contacts: list[str] = setting([], "Categories whose answers may push no contact details on a user.")
    contact_patterns: list[str] = setting([], "Regular expressions of contact details, case ignored.")
    error_patterns: list[str] = setting([], "Regular expressions of error texts in answers, case ignored.")
    leak_patterns: list[str] = setting([], "Regular expressions of the prompt, or marks of it, in answers.")
    knowledge_patterns: list[str] = setting(
        [], "Regular expressions of what an answer shows of a knowledge base: passages, their marks, talk of them."
    )
    dangling_words: list[str] = setting([], "Words that no answer ends with, unless it is cut off.")
    countries: list[str] = setting(
        [],
        "Countries whose identity, tax and bank numbers and addresses are redacted (ISO 3166), besides what all have.",
    )
    report_language: str = setting(
        "en", "Language of its report and verdict, unless report.language names another.", choices=["en", "it"]
    )
    rubric: dict[str, str] = setting(
        {}, "What reviewers and the judge look at beside the preference, and how it is put."
    )
    critical: str = setting("", "What a critical bug would be, as reviewers are told.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """Categories that are named are declared, patterns compile."""
        for name, such_as in (("languages", "{en: {name: English}}"), ("categories", "{questions: {}}")):
            if not getattr(self, name):
                yield name, f"name at least one, such as {such_as}"
        known = ", ".join(self.categories)
        yield from self._strange_names()
        if self.categories and not self.moves:
            yield "moves", f"is empty: name what a rollout may move (valid: {known}, but not domain.otherwise)"
        for name in ("moves", "no_contacts"):
            if unknown := [each for each in getattr(self, name) if each not in self.categories]:
                yield name, f"no such category: {', '.join(unknown)} (valid: {known})"
        if self.categories and self.otherwise not in self.categories:
            yield "otherwise", f"no such category (valid: {known})"
        if self.otherwise in self.moves:
            stay = [each for each in self.categories if each not in self.moves]
            yield (
                "otherwise",
                f"is among domain.moves: what is not sure has to stay (valid: {', '.join(stay) or 'none'})",
            )
        yield from self._strange_samples()
        if "overall" in self.rubric:
            yield "rubric", "`overall` is asked in any case; give your criterion another name"
        yield from self._broken_patterns()

    def _strange_names(self) -> Iterator[tuple[str, str]]:
        for name in self.categories:
            if not CATEGORY.fullmatch(name):
                yield f"categories.{name}", f"no name of a category (valid: {CATEGORY_SAID})"
        named = [
            *((f"languages.{code}", code) for code in self.languages),
            *(("neighbours", code) for code in self.neighbours),
        ]
        yield from ((key, what) for key, code in named if (what := mistaken(code)))

    def _strange_samples(self) -> Iterator[tuple[str, str]]:
        for language, said in self.samples.items():
            if language not in self.languages:
                yield f"samples.{language}", f"no such language (valid: {', '.join(self.languages)})"
            if unknown := [each for each in said if each not in self.categories]:
                yield (
                    f"samples.{language}",
                    f"no such category: {', '.join(unknown)} (valid: {', '.join(self.categories)})",
                )

    def _broken_patterns(self) -> Iterator[tuple[str, str]]:
        groups = {
            f"categories.{name}.patterns": (kind.patterns, name in self.moves) for name, kind in self.categories.items()
        }
        for name, (patterns, moves) in groups.items():
            yield from ((name, what) for pattern in patterns for what in faults(pattern, moves))
        for name in ("contact_patterns", "error_patterns", "leak_patterns", "knowledge_patterns"):
            yield from ((name, what) for pattern in getattr(self, name) for what in faults(pattern))
