"""IPv4 and IPv6 addresses, told apart from versions, amounts and paragraphs that look alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

QUAD = re.compile(r"(?<![^\W_])(?<![^\W_]\.)(?:\d{1,3}\.){3}\d{1,3}(?![^\W_]|\.\d)")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3}){3}")
_PORT = re.compile(r":\d{2,5}\b|/\d{1,2}\b")
_SIX = re.compile(
    r"(?<![:\w.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{0,4}|(?:\d{1,3}\.){3}\d{1,3})(?![:\w])", re.IGNORECASE
)


def looks_like_an_amount(text: str, begin: int, end: int) -> bool:
    """Whether four numbers are one in groups of three: 10.250.125.100; a port behind it tells."""
    return bool(_THOUSANDS.fullmatch(text, begin, end)) and not _PORT.match(text, end)


def exists(text: str) -> bool:
    """Whether it is an address of IPv4 and not the one that stands for none."""
    try:
        return ip_address(text).packed != bytes(4)
    except ValueError:
        return False


def addresses6(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses of IPv6 stand; neither a time such as 12:30:45 nor code such as a::b."""
    if "::" not in text and text.count(":") < 7:
        return
    for match in _SIX.finditer(text):
        value = match[0]
        if max(map(len, value.split(":"))) < 3 or value == "::":
            continue
        try:
            ip_address(value)
        except ValueError:
            continue
        yield match.span()
