"""Finds languages of a product whose countries have no pack that is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zantara_exp.config.data import Dataset

SPOKEN: Mapping[str, Sequence[str]] = {
    "de": ("DE",),
    "en": ("GB", "US"),
    "es": ("ES",),
    "fr": ("FR",),
    "id": ("ID",),
    "it": ("IT",),
    "nl": ("NL",),
    "pl": ("PL",),
}
"""Language -> the countries with a pack in which it is spoken."""


def left_in(dataset: Dataset) -> str:
    """What is not redacted for want of a pack, in words; "" where each language has a country's pack that is on."""
    lacking = [language for language in dataset.languages if language not in SPOKEN]
    off = [
        language
        for language in dataset.languages
        if language in SPOKEN and not set(SPOKEN[language]) & set(dataset.countries)
    ]
    said = []
    if lacking:
        said.append(f"no pack for {', '.join(lacking)}")
    if off:
        codes = ", ".join(code for language in off for code in SPOKEN[language])
        said.append(f"the packs of {', '.join(off)} are off ({codes} in domain.countries)")
    if not said:
        return ""
    return (
        f"{'; '.join(said)}: identity, tax and bank numbers and addresses of these countries stay in the texts; what "
        "no country has of its own goes (docs/dataset.md#redaction says what, and how a pack is made)"
    )
