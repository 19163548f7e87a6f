"""What personal data look like, and the checks that tell them from prices, dates and law numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from ipaddress import ip_address

_I = re.IGNORECASE

KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|pk|rk)[-_](?:ant-|proj-|live_|test_)?[A-Za-z0-9_-]{16,}"
    r"|\b(?:hf|rpa|ghp|gho|ghs|github_pat|glpat|npm|xox[abprs])[-_][A-Za-z0-9_-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?"
    r"|(?<=://)[^\s:/@]+:[^\s@/]+(?=@)"
    r"|(?i:\bbearer\s+)(?-i:[A-Za-z0-9._~+/-]{16,}=*)",
    re.DOTALL,
)
KEY_SAID = re.compile(
    r"(?:password|passwd|pwd|sandi|(?:api|access)[ _-]?key|secret|token|chiave)"
    r"(?:\s?(?:is|è|adalah|[:=])|(?:\s(?:saya|mia|kami)|nya|ku)(?:\s?(?:è|adalah|[:=]))?)\s?[\"']?"
    r"(?P<value>(?!\[)(?=[^\s\"']*\d)[^\s\"']{6,})",
    _I,
)
EMAIL = re.compile(
    r"(?<![\w.+'-])[\w.+'-]{1,80}(?:@|\s?[\[(]\s?(?:at|chiocciola)\s?[\])]\s?)[\w-]+(?:(?:\.|\s?[\[(]\s?(?:dot|punto|titik)\s?[\])]\s?)[\w-]+)+",
    _I,
)
"""Bounded, and begun only where a word begins: a long run of letters must not take quadratic time."""
_DOT = r"\s(?:dot|punto|titik)\s"
EMAIL_SPELLED = re.compile(
    rf"(?<![\w.+'-])[\w.+'-]{{1,80}}(?:{_DOT}[\w.+'-]{{1,80}}){{0,3}}\s(?:at|chiocciola)\s[\w-]{{1,80}}(?:{_DOT}[\w-]{{2,20}}){{1,3}}",
    _I,
)
IBAN = re.compile(
    r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?\b"
    r"|\bIT ?\d{2} ?[A-Z] ?\d{5} ?\d{5} ?[A-Z0-9]{12}\b",  # as Italian banks print it
    _I,
)
CODICE_FISCALE = re.compile(
    r"\b[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b", _I
)
NPWP = re.compile(
    r"(?<![\d.])\d{2}\.\d{3}\.\d{3}\.\d[-.]\d{3}\.\d{3}(?![\d])"
    r"|(?i:\bnpwp\b\D{0,25}?)(?P<value>\d(?:[ .-]?\d){14,15})(?!\d)"
)
SIXTEEN_DIGITS = re.compile(r"(?<![\d.,-])\d{4}(?:[ .-]?\d{4}){3}(?![\d])|(?<![\d.,-])\d{6}[ .-]\d{6}[ .-]\d{4}(?!\d)")
NIK_SAID = re.compile(r"(?i:\b(?:nik|ktp|kk)\b\D{0,25}?)(?P<value>\d(?:[ .-]?\d){15})(?!\d)")
CARD = re.compile(r"(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d])")
IP = re.compile(
    r"(?<![\d.v])(?<!pasal )(?<!articolo )(?<!article )(?<!section )(?<!clause )(?<!versi )(?<!version )(?<!versione )"
    r"(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?<![:\w])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![:\w])",
    _I,
)
PASSPORT = re.compile(r"(?<![\w-])(?-i:[A-Z]{1,2}) ?\d{7}(?![\w-])")
PASSPORT_SAID = re.compile(
    r"(?i:\b(?:passport|paspor|passaporto)\b[^\d\n.;?!]{0,30}?[\s:#]+)(?P<value>(?=(?:[A-Z]*\d){4})[A-Z0-9]{6,10})(?!\w)",
    _I,
)
_MONEY_BEFORE = re.compile(r"(?:rp|idr|eur|euro|usd|us|aud|sgd|[€$£])\.?\s?$", _I)
_MONEY_AFTER = re.compile(
    r"^[\s,.-]*(?:rp|rupiah|rupie|idr|juta|ribu|miliar|milyar|million|billion|thousand|milioni|miliardi|mila|euro|eur|usd|[€$£%])"
    r"(?!\w)", _I
)  # fmt: skip
_PHONE_NAMES = (
    r"\b(?:phone|tel|telp|telepon|telefono|fisso|cell|cellulare|mobile|mobil|hp|wa|whatsapp|numero|number|nomor|no|nomer"
    r"|call|ring|text|chiam\w+|hubungi|contact\w*|kontak|sms|fax|telegram)\b"
)
_PHONE_SAID = re.compile(_PHONE_NAMES + r"[^\d\n]{0,25}$", _I)
_PHONE_LIKE = re.compile(r"\d(?:[\s().\-/]{0,3}\d){6}")
_OTHER_NUMBER = re.compile(
    r"\b(?:protocoll\w*|pratica|ordine|order|pesanan|fattura|faktur|invoice|resi|antrian|booking|prenotazione|nib|ti[ck]+et)"
    r"(?:[\s.:#]|\b(?:n|no|nr|numero|number|nomor)\b)*$",
    _I,
)
"""Numbers of something else, which people introduce with `numero` as well."""
_ZEROS = re.compile(r"(?<!\d[ .-])\b00(?=[1-9])")
_DATE = re.compile(r"\d{1,2}([-./])\d{1,2}\1(?:19|20)?\d{2}\b|(?:19|20)\d{2}([-./])\d{1,2}\2\d{1,2}\b")
_REGIONS = ("ID", "IT", "GB", "US", "AU", "SG", "DE", "FR", "NL")
"""Where a number without a country's code may be from."""


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def is_iban(text: str) -> bool:
    """ISO 13616: letters as numbers from 10, the first four characters moved to the end, remainder 1 by 97."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1) over 13 to 19 digits."""
    digits = [int(sign) for sign in _digits(text)]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_nik(text: str) -> bool:
    """Indonesia's NIK: province 11 to 96, then the date of birth DDMMYY, a woman's day plus 40."""
    digits = _digits(text)
    if len(digits) != 16 or not 11 <= int(digits[:2]) <= 96:
        return False
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    try:
        date(1900 + year if year > 30 else 2000 + year, month, day - 40 if day > 40 else day)
    except ValueError:
        return False
    return True


def is_ip(text: str) -> bool:
    """An address of IPv4 or IPv6 that is neither a time such as 12:30:45 nor code such as a::b."""
    if ":" in text and not ("::" in text or text.count(":") == 7):
        return False
    if ":" in text and max(map(len, text.split(":"))) < 3:
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return text not in {"::", "0.0.0.0"}  # noqa: S104 - compared, not bound to


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand that exist by the numbering plans of phonenumbers."""
    if not _PHONE_LIKE.search(text):
        return
    spans: dict[int, int] = {}
    for region in _REGIONS:
        for begin, end in _numbers(text, region):
            before = text[max(0, begin - 40) : begin]
            if _OTHER_NUMBER.search(before) or not (_PHONE_SAID.search(before) or _dialled(text[begin:end])):
                continue
            if not _MONEY_BEFORE.search(before) and not _MONEY_AFTER.search(text[end : end + 20]):
                spans[begin] = max(end, spans.get(begin, end))
    yield from sorted(spans.items())


def _numbers(text: str, region: str) -> Iterator[tuple[int, int]]:
    """Numbers that exist, dialled in a region; 00 is read as +, which Europe dials for it."""
    from phonenumbers import Leniency, PhoneNumberMatcher, is_valid_number

    for match in PhoneNumberMatcher(_ZEROS.sub(" +", text), region, leniency=Leniency.POSSIBLE):
        if is_valid_number(match.number) and not _DATE.match(match.raw_string):
            yield match.start - (text[match.start] == "0" and match.raw_string.startswith("+")), match.end


def _dialled(number: str) -> bool:
    """Whether a number looks dialled (+62, 0062, 0812, 62812, 812 3456 789, 347 1234567), not counted."""
    digits = _digits(number)
    if re.match(r"\(?(?:\+|0)", number.strip()):
        return True
    mobile = re.match(r"(?:62)?8[1-9]\d{7,10}$|(?:39)?3[1-9]\d{8}$", digits) is not None
    return mobile and "," not in number
