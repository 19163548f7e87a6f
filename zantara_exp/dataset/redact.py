"""Takes personal data out of texts before anything is written.

    redactor = Redactor()
    redactor.text("Write to anna@example.org")     # 'Write to [EMAIL_1]'

Within one conversation equal values get the same placeholder. Country packs (`zantara_exp.dataset.personal`) declare
what is looked for. A number must pass its check (Luhn, mod 97, date of birth) or have a word beside it that names it,
because prices, dates and law numbers look alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zantara_exp.config.data import COUNTRIES, Dataset
from zantara_exp.dataset.personal.find import finder
from zantara_exp.dataset.personal.fold import folded
from zantara_exp.dataset.personal.search import Span

if TYPE_CHECKING:
    from zantara_exp.dataset.names import Names

_SIGNS = re.compile(r"[\W_]+")
_PLACEHOLDER = re.compile(r"\[[A-Z_]{2,30}_\d{1,6}\]")


def redactor_of(dataset: Dataset) -> Redactor:
    """The redactor that `config.dataset` asks for; raises as `Redactor`."""
    return Redactor(dataset.countries, dataset.names)


class Redactor:
    """Replaces personal data and counts it by kind over all texts it sees."""

    def __init__(self, countries: Sequence[str] = tuple(COUNTRIES), models: Sequence[str] = ()) -> None:
        """Look for what these countries' packs declare (ISO 3166 codes), and for what is no country's own.

        `models` are spaCy's, for names of people. Raises KeyError for a country without a pack,
        MissingRequirementError for a model that is not installed.
        """
        self.counts: Counter[str] = Counter()
        self._finder = finder(tuple(countries))
        self._names: Names | None = None
        self.spans: Callable[[str], list[Span]] = self._finder.spans
        """Where a text holds which kind of personal data, in order and without overlaps."""
        if models:
            from zantara_exp.dataset.names import names

            self._names, self.spans = names(tuple(models)), self._with_names

    def conversation(self) -> ConversationRedactor:
        """A redactor for the texts of one conversation, where equal values get equal placeholders."""
        return ConversationRedactor(self)

    def text(self, text: str) -> str:
        """Redact a text that stands alone."""
        return self.conversation().text(text)

    def _with_names(self, text: str) -> list[Span]:
        found = self._finder.spans(text)
        if self._names is None or not text.strip():
            return found
        taken = [(span.begin, span.end) for span in found]
        taken += [match.span() for match in _PLACEHOLDER.finditer(text)]
        for begin, end in self._names.spans(text):
            if all(end <= first or last <= begin for first, last in taken):
                taken.append((begin, end))
                found.append(Span(begin, end, "PERSON"))
        return sorted(found)


class ConversationRedactor:
    """Redacts the texts of one conversation."""

    def __init__(self, redactor: Redactor) -> None:
        self._spans, self._counts = redactor.spans, redactor.counts
        self._known: dict[str, dict[str, int]] = {}

    def text(self, text: str) -> str:
        """Return the text with a placeholder such as `[PHONE_1]` for every personal detail."""
        spans = self._spans(text)
        if not spans:
            return text
        parts, done = [], 0
        for begin, end, kind in spans:
            parts += [text[done:begin], self._placeholder(kind, text[begin:end])]
            done = end
        return "".join([*parts, text[done:]])

    def _placeholder(self, kind: str, value: str) -> str:
        self._counts[kind] += 1
        known = self._known.setdefault(kind, {})
        same = _SIGNS.sub("", value if value.isascii() else folded(value)[0]).casefold()
        return f"[{kind}_{known.setdefault(same, len(known) + 1)}]"
