"""Takes personal data out of texts before anything is written.

    redactor = Redactor()
    redactor.text("Write to anna@example.org")     # 'Write to [EMAIL_1]'

Within one conversation the same value gets the same placeholder. Order matters: what is recognised first is gone
before the next kind looks. Numbers are checked where they have a check (Luhn, mod 97, date of birth), because prices,
dates and law numbers look alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from zantara_exp.dataset import _personal as personal

Spans = Iterator[tuple[int, int]]


@dataclass(frozen=True)
class Kind:
    """One kind of personal data."""

    name: str
    spans: Callable[[str], Spans]
    """Where a text holds it."""


def _matches(pattern: re.Pattern[str], text: str, valid: Callable[[str], bool] | None = None) -> Spans:
    for match in pattern.finditer(text):
        group = match.lastgroup or 0  # the only group any pattern names is the value itself
        if valid is None or valid(match[group]):
            yield match.span(group)


KINDS = (
    Kind("KEY", partial(_matches, personal.KEY)),
    Kind("KEY", partial(_matches, personal.KEY_SAID)),
    Kind("EMAIL", partial(_matches, personal.EMAIL)),
    Kind("EMAIL", partial(_matches, personal.EMAIL_SPELLED)),
    Kind("IBAN", partial(_matches, personal.IBAN, valid=personal.is_iban)),
    Kind("CODICE_FISCALE", partial(_matches, personal.CODICE_FISCALE)),
    Kind("NPWP", partial(_matches, personal.NPWP)),
    Kind("NIK", partial(_matches, personal.NIK_SAID)),
    Kind("CARD", partial(_matches, personal.CARD, valid=personal.is_card)),
    Kind("NIK", partial(_matches, personal.SIXTEEN_DIGITS, valid=personal.is_nik)),
    Kind("IP", partial(_matches, personal.IP, valid=personal.is_ip)),
    Kind("PASSPORT", partial(_matches, personal.PASSPORT)),
    Kind("PASSPORT", partial(_matches, personal.PASSPORT_SAID)),
    Kind("PHONE", personal.phones),
)
"""Every kind, in the order they are looked for."""
_WORTH_A_LOOK = re.compile(
    r"\d|@|[\[(]\s?(?:at|chiocciola)\s?[\])]|[A-Za-z_-]{16}|::|://|\s(?:at|chiocciola)\s[\w-]+\s(?:dot|punto|titik)\s",
    re.IGNORECASE,
)
"""Most messages hold nothing personal; this lets them pass at once."""


class Redactor:
    """Replaces personal data and counts it by kind over all texts it sees."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def conversation(self) -> ConversationRedactor:
        """A redactor for the texts of one conversation, where equal values get equal placeholders."""
        return ConversationRedactor(self.counts)

    def text(self, text: str) -> str:
        """Redact a text that stands alone."""
        return self.conversation().text(text)


class ConversationRedactor:
    """Redacts the texts of one conversation."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._numbers: dict[tuple[str, str], int] = {}

    def text(self, text: str) -> str:
        """Return the text with a placeholder such as `[PHONE_1]` for every personal detail."""
        if not _WORTH_A_LOOK.search(text):
            return text
        for kind in KINDS:
            text = self._without(kind, text)
        return text

    def _without(self, kind: Kind, text: str) -> str:
        parts, done = [], 0
        for begin, end in kind.spans(text):
            if begin < done:
                continue
            parts += [text[done:begin], self._placeholder(kind.name, text[begin:end])]
            done = end
        return "".join([*parts, text[done:]])

    def _placeholder(self, kind: str, value: str) -> str:
        self._counts[kind] += 1
        same = (kind, re.sub(r"[\W_]+", "", value).casefold())
        known = sum(name == kind for name, _ in self._numbers)
        return f"[{kind}_{self._numbers.setdefault(same, known + 1)}]"
