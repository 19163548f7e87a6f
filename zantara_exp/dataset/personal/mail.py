"""E-mail addresses, written or spelled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zantara_exp.dataset.personal.words import Hit

_I = re.IGNORECASE
_ENDINGS = (
    r"(?:com|net|org|info|biz|eu|io|co|me|it|id|de|fr|es|uk|us|at|ch|nl|be|au|sg|my|pt|pl|ru|in|ie|se|no|dk|cat|edu"
    r"|gov|dev|app|travel|email"
    r"|online|example|local)"
)
_PROVIDERS = (
    r"(?:gmail|googlemail|yahoo|ymail|hotmail|outlook|live|msn|icloud|me|mac|aol|proton|protonmail|pm|gmx|web"
    r"|t-online|freenet|posteo|libero"
    r"|virgilio|alice|tin|tiscali|fastwebnet|pec|arubapec|legalmail|orange|wanadoo|free|sfr|laposte|neuf|bbox"
    r"|telefonica|movistar|terra|btinternet"
    r"|sky|virginmedia|rocketmail|zoho|fastmail|yandex|mail|tutanota|hey|qq|163)"
)
_DOT = (
    r"(?:\s?[\[({<]\s?(?:dot|punto|titik|punkt|point|\.)\s?[\])}>]\s?|[\s_](?:dot|punto|titik|punkt|point)[\s_]"
    r"|\s?\.\s?)"
)
_PART = r"[\w+'-]{1,64}"
_TIGHT = re.compile(
    r"(?<![\w.+'%-])[\w.+'%-]{1,80}@[\w-]+(?:\.[\w-]+)*(?:\.|\s?[\[({]\s?(?:dot|punto|titik|punkt"
    r"|point)\s?[\])}]\s?)(?=[\w-]*[^\W\d_])[\w-]*[^\W_]",
    _I,
)
_LOOSE = re.compile(
    rf"(?<![\w.+'%-])[\w+'%-]{{1,64}}(?:\s?\.\s?[\w+'%-]{{1,64}}){{0,3}}\s?[\[({{]?\s?@\s?[\])}}]?\s?[\w-]{{2,64}}"
    rf"(?:(?:\s?\.\s?|\s(?:dot|punto|titik|punkt|point)\s)[\w-]{{2,64}}){{0,2}}"
    rf"(?:\s?[.,]\s?|\s(?:dot|punto|titik|punkt|point)\s|(?<=gmail|yahoo)\s|(?<=hotmail|outlook)\s){_ENDINGS}(?![\w])",
    _I,
)
_BEFORE_AT = re.compile(rf"(?<![\w.+'-]){_PART}(?:{_DOT}{_PART}){{0,4}}(?P<open>[\s_]?[\[({{<*-]?\s?)$", _I)
_AFTER_AT = re.compile(
    rf"(?P<close>\s?[\])}}>*-]?[\s_]?)(?P<domain>(?P<name>[\w-]{{2,64}}?)(?:{_DOT}[\w-]{{2,64}}?){{0,2}}(?P<dot>{_DOT}){_ENDINGS}(?:\.[a-z]{{2}})?)(?![\w-])",
    _I,
)
_BRACKETED = re.compile(r"[\[({]a[\])}]", _I)
_AT_PROVIDER = re.compile(rf"\s{_PROVIDERS}(?![\w.-])", _I)
_PROVIDER = re.compile(_PROVIDERS, _I)
_NO_WORD = re.compile(r"[\d_]|\w\.\w")
_SPOKEN = frozenset(
    ("chiocciola", "chiocciolina", "arroba", "arobase", "arobas", "klammeraffe", "affenschwanz", "ät", "keong")
)

_LITTLE = (
    "it",
    "is",
    "are",
    "was",
    "me",
    "us",
    "you",
    "him",
    "her",
    "them",
    "look",
    "be",
    "buy",
    "see",
    "get",
    "here",
    "there",
)
"""What stands before `at` and the name of a provider, and is nobody's address."""


def written(text: str) -> Iterator[tuple[int, int]]:
    """Addresses with their sign, also with gaps around it where the domain ends as domains do."""
    at, done = text.find("@"), 0
    while at >= 0:
        for form, begin in ((_TIGHT, max(done, at - 90, text.rfind(" ", 0, at) + 1)), (_LOOSE, max(done, at - 90))):
            match = next((found for found in form.finditer(text, begin, at + 140) if found.end() > at), None)
            if match and match.start() < at:
                yield match.span()
                done = match.end()
                break
        at = text.find("@", max(at + 1, done))


def bracketed(text: str) -> Iterator[tuple[int, int]]:
    """Addresses whose sign is a letter in brackets: anna(a)example.com."""
    for sign in _BRACKETED.finditer(text):
        before = _BEFORE_AT.search(text, max(0, sign.start() - 90), sign.start())
        after = _AFTER_AT.match(text, sign.end(), sign.end() + 140)
        if before and after:
            yield before.start(), after.end()


def spelled(text: str, lower: str, hits: Sequence[Hit]) -> Iterator[tuple[int, int]]:
    """Addresses whose sign is a word: mario rossi chiocciola gmail punto com, john (at) example.com."""
    mail = [hit.end for hit in hits if hit.label == "email"]
    for hit in hits:
        if hit.label != "at":
            continue
        after = _AFTER_AT.match(text, hit.end, hit.end + 140)
        near = any(hit.begin - 60 < each <= hit.begin for each in mail)
        if after is None and near and (provider := _AT_PROVIDER.match(text, hit.end)):
            if before := _BEFORE_AT.search(text, max(0, hit.begin - 90), hit.begin):
                yield before.start(), provider.end()
            continue
        before = _BEFORE_AT.search(text, max(0, hit.begin - 90), hit.begin) if after else None
        if before is None or after is None:
            continue
        word = lower[hit.begin : hit.end]
        sure = (
            word in _SPOKEN
            or before["open"].strip(" _") != ""
            or "_" in before["open"]
            or after["dot"].strip(" ._") != ""
        )
        if not sure and word == "at":
            local = text[before.start() : hit.begin].strip()
            known = _PROVIDER.fullmatch(after["name"]) is not None and local.lower() not in _LITTLE
            sure = near or known or _NO_WORD.search(local) is not None
        if sure:
            yield before.start(), after.end()
