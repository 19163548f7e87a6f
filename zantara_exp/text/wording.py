"""How counts and amounts are written in sentences: `1 user`, `1,200 users`, `USD 0.00002`."""

from __future__ import annotations

import math


def counted(number: float, noun: str) -> str:
    """A whole number and the noun that it counts, one that only takes an s."""
    return agreed(number, noun, f"{noun}s")


def agreed(number: float, one: str, several: str) -> str:
    """A whole number with the words that follow it: those of one, or those of several."""
    return f"{number:,.0f} {one if round(number) == 1 else several}"


def usd(amount: float) -> str:
    """US dollars: cents from one dollar on, two digits that say something below; never with an exponent."""
    size = abs(amount)
    if size >= 1 or amount == 0 or not math.isfinite(amount):
        return f"USD {amount:,.2f}" if amount else "USD 0"
    whole, _, decimals = f"{amount:.{1 - math.floor(math.log10(size))}f}".partition(".")
    return f"USD {whole}.{decimals.rstrip('0').ljust(2, '0')}"
