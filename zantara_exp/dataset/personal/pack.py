"""What a country pack declares: the words that name personal data, and what the data look like.

Words are written as people say them, parted by `|`: "codice fiscale|c.f.". A space stands for any gap within the
phrase, a full stop for one that may be missing, and `~` at the end for the endings of Indonesian (nya, ku, mu).
Forms are regular expressions over text whose unusual signs are folded (`fold`), case ignored unless `(?-i:...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Check = Callable[[str], bool]
"""Whether what a form matched is one: a check digit, a date, a range."""


@dataclass(frozen=True)
class Shape:
    """Personal data that is recognised wherever it stands."""

    kind: str
    form: str
    valid: Check | None = None
    digits: int = 7
    """The fewest digits that the form holds; texts with fewer are not looked at."""
    letter: bool = False
    """Whether it begins with a letter, not with a figure."""


@dataclass(frozen=True)
class Named:
    """Personal data that is recognised behind (or before) a word that names it; a wrong check digit is a slip there."""

    kind: str
    label: str
    """A key of `Pack.words`."""
    form: str
    valid: Check | None = None
    near: int = 30
    """The most characters between the word and the value."""
    beside: bool = False
    """Whether the word may also stand right behind the value: 1234567890 BCA."""


@dataclass(frozen=True)
class Streets:
    """Postal addresses around one kind of street word."""

    order: str
    """first: Via Roma 12; number: 12 rue de Rome; last: 12 Baker Street; ending: Hauptstraße 12."""
    sure: str
    """Words that mean a street in small letters as well."""
    unsure: str = ""
    """Words that mean something else as often: a name with capitals, a postcode or a word such as `address` decides."""
    tail: str = ""
    """What may follow: a flat, a postcode, a town."""
    capitals: bool = True
    """Whether a capital says that an unsure word is followed by a name; in German every noun has one."""
    postcode: str = r"\d{5}"
    """What an unsure word is made sure by."""


@dataclass(frozen=True)
class Pack:
    """One country's personal data."""

    words: Mapping[str, str] = field(default_factory=dict)
    """Label -> words. Labels of `generic` may be given more words."""
    named: tuple[Named, ...] = ()
    shapes: tuple[Shape, ...] = ()
    streets: tuple[Streets, ...] = ()
    regions: tuple[str, ...] = ()
    """Whose telephone numbers are written without a country's code."""
    dialled: str = ""
    """How such a number looks where nothing names it and it begins neither with 0 nor with +; over the number as it is
    written."""


def digits(text: str) -> str:
    """The digits of a text."""
    return "".join(sign for sign in text if sign.isdigit())


def plain(text: str) -> str:
    """Letters and digits of a text, in capitals."""
    return "".join(sign for sign in text if sign.isalnum()).upper()


def checked(check: Check) -> Check:
    """A check of python-stdnum over a value as it is written."""
    return lambda text: check(plain(text))
