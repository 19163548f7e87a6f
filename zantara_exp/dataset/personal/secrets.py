"""Keys, tokens, passwords and one-time codes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zantara_exp.dataset.personal.words import Hit

_KEY = re.compile(
    r"BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?:sk|pk|rk)[-_](?:ant-|proj-|live_|test_|or-)?[A-Za-z0-9_-]{16,}"
    r"|(?:hf|rpa|gh[opsur]|github_pat|glpat|npm|xox[abeprs]|xapp|shpat|dop_v1|pypi|whsec|GOCSPX|gsk|nvapi|dapi|figd"
    r"|sntrys|pat|r8|lin_api|tskey|ops)"
    r"[-_][A-Za-z0-9_.-]{16,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|sq0atp-[A-Za-z0-9_-]{16,}|key-[0-9a-f]{24,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])|AIza[0-9A-Za-z_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/-]{16,}=*|(?i:basic)\s+(?=\S*[\d=])[A-Za-z0-9+/]{12,}={0,2}",
    re.DOTALL,
)
_MARKS = ("AKIA", "ASIA", "AIza", "eyJ", "ya29.")
_CREDENTIALS = re.compile(r"(?<=://)[^\s:/@]*:[^\s@/]+(?:@[^\s@/]+)*(?=@)")
_BOT = re.compile(r"(?<!\w)\d{8,10}:AA[A-Za-z0-9_-]{33}(?!\w)")
_IS = r"(?:[:=]+|->|=>|→|\b(?:is|was|è|e'|era|sarà|adalah|ialah|yaitu|ist|lautet|est|es|to|jest)(?!\w))"
_QUOTE = "\"'“”„«»‘’`"
_TOLD = re.compile(
    rf"(?:[ \t]+[\w'-]+){{0,4}}?(?:[\"']?\s?{_IS}){{1,2}}\s?[{_QUOTE}(<]?(?P<value>[^\s{_QUOTE}]{{3,100}})",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    rf"(?:\s(?:saya|mia|mio|kami|my|wifi|wi-fi|e-?mail|akun|account|router|hotspot|del|della|di|of|für|for"
    rf"|untuk)){{0,3}}\s[{_QUOTE}]?(?P<value>[^\s{_QUOTE}]{{6,100}})",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?:[\s:=#(*\"'“-]|\b(?:is|are|è|e'|adalah|ist|lautet|est|es|my|mia|mio|saya|kamu|kami|mein|meine|mon|mi|the"
    r"|il|la|le|der|die|das|el"
    r"|your|tuo|tua|anda|ihr|votre|su|tu|code|codice|kode|number|no|nr|n|numero|nomor|nummer|numéro|número|for|per"
    r"|di|untuk|für|pour|para"
    r"|del|della|de|von|atm|kartu|carta|card|sim|bancomat|karte|carte|tarjeta|whatsapp|wa|bank|itu|ini|e|and|ok|sms"
    r"|via)\b\.?){0,12}"
    r"(?P<value>(?:[A-Z]-)?\d(?:[ -]?\d){2,7})(?![\w%€$]|[.,/:]\d|-\w)",
    re.IGNORECASE,
)


def may_hold_key(text: str) -> bool:
    """Whether a text without figures is worth a look."""
    marked = "eyJ" in text or "AKIA" in text or "ASIA" in text or "AIza" in text or "ya29." in text  # as _MARKS
    return marked or "://" in text or ":AA" in text


def keys(text: str, hits: Sequence[Hit]) -> Iterator[tuple[int, int]]:
    """Keys that say by their beginning what they are, and names and passwords in addresses of the web."""
    places = {hit.begin for hit in hits if hit.label == "key"}
    for mark in _MARKS:
        if mark in text:
            places |= {match.start() for match in re.finditer(re.escape(mark), text)}
    for place in sorted(places):
        if (match := _KEY.match(text, place)) and not (place and text[place - 1].isalnum()):
            begin, end = match.span()
            yield begin - 5 * text.startswith("-----", begin - 5 if begin >= 5 else begin), end
    if "://" in text:
        yield from (match.span() for match in _CREDENTIALS.finditer(text))
    if ":AA" in text:
        yield from (match.span() for match in _BOT.finditer(text))


def told(text: str, hits: Sequence[Hit]) -> Iterator[tuple[int, int]]:
    """What somebody says is a password, a token or a code."""
    logins = {hit.begin for hit in hits if hit.label == "user"}
    for hit in hits:
        if hit.label in ("password", "token"):
            yield from _value(text, hit, any(hit.begin - 60 < each < hit.begin for each in logins))
        elif hit.label == "code" and (match := _CODE.match(text, hit.end, hit.end + 60)):
            yield match.span("value")


def _value(text: str, hit: Hit, beside_a_name: bool) -> Iterator[tuple[int, int]]:
    for form in (_TOLD, _BESIDE):
        match = form.match(text, hit.end)
        if match is None:
            continue
        value = match["value"].rstrip(".,;:?)>]}")
        shortest = {_TOLD: 4, _BESIDE: 6}[form] if hit.label == "password" else 8 if form is _TOLD else 12
        if len(value) >= shortest and _is_secret(value, hit.label, form is _TOLD and beside_a_name):
            begin = match.start("value")
            yield begin, begin + len(value)
            return


def _is_secret(value: str, label: str, beside_a_name: bool) -> bool:
    """Neither a word nor an amount: figures, or signs and capitals within it."""
    if value[0] in "[<{" or value.startswith(("http", "www.")):
        return False
    figure, letter = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    if label == "token":
        return figure and letter
    mixed = not value.isalnum() and any(not sign.isalnum() and sign not in "'-.,/" for sign in value[:-1])
    capitals = letter and any(map(str.isupper, value[1:])) and any(map(str.islower, value))
    return (figure and (letter or mixed or len(value) >= 6)) or (mixed and letter) or capitals or beside_a_name
