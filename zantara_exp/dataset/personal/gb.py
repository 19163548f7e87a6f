"""The United Kingdom."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked

POSTCODE = (
    r"(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPSTUW]"
    r"|[A-HK-Y]\d[ABEHMNPRV-Y]) ?\d[ABD-HJLNP-UW-Z]{2})"
)
_TOWN = r"(?-i:[A-Z])[^\W\d_]+(?!\w)(?:[\s-](?:(?-i:[A-Z])[^\W\d_]+(?!\w)|upon|on|under|in|the|le|by)){0,3}"
_NINO = r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"


def _is_nhs_number(text: str) -> bool:
    from stdnum.gb import nhs

    return nhs.is_valid(text)


def _is_vat(text: str) -> bool:
    from stdnum.gb import vat

    return vat.is_valid(text)


def _is_postcode(text: str) -> bool:
    """Eight gigabytes behind a motorway's number are none."""
    return text[-2:] not in ("GB", "TB")


PACK = Pack(
    words={
        "nino": "national insurance|national insurance number|ni number|nino|n.i. number|ni no|ni",
        "nhs": "nhs number|nhs no|nhs",
        "utr": "utr|unique taxpayer reference|tax reference|self assessment",
        "vat": "vat|vat number|vat no|vat reg|vat registration",
        "sort": "sort code|sort-code|sc",
        "postcode": "postcode|post code|postal code",
    },
    named=(
        Named("NINO", "nino", r"[A-Z]{2}(?:[ .-]?\d{2}){3}[ .-]?[A-D]?"),
        Named("NHS", "nhs", r"\d{3}[ .-]?\d{3}[ .-]?\d{4}"),
        Named("UTR", "utr", r"\d{5}[ -]?\d{5}K?"),
        Named("VAT", "vat", r"GB[ .-]?\d{3}[ .-]?\d{4}[ .-]?\d{2}(?:[ .-]?\d{3})?|\d{3} ?\d{4} ?\d{2}"),
        Named("BANK_ACCOUNT", "sort", r"\d{2}[ .-]?\d{2}[ .-]?\d{2}"),
        Named("DRIVING_LICENCE", "licence", r"[A-Z9]{5}[ -]?\d{6}[ -]?[A-Z9]{2}[A-Z0-9 ]{3,5}"),
        Named("ADDRESS", "postcode", POSTCODE, near=15),
        Named("PLATE", "plate", r"[A-Z]{2}\d{2} ?[A-Z]{3}|[A-Z]\d{1,3} ?[A-Z]{3}|[A-Z]{3} ?\d{1,3}[A-Z]?"),
    ),
    shapes=(
        Shape("NINO", rf"{_NINO} ?\d{{2}} ?\d{{2}} ?\d{{2}} ?[A-D]", digits=6, letter=True),
        Shape("NHS", r"\d{3} \d{3} \d{4}", checked(_is_nhs_number), digits=10),
        Shape("VAT", r"GB ?\d{3} ?\d{4} ?\d{2}", checked(_is_vat), digits=9, letter=True),
        Shape(
            "DRIVING_LICENCE",
            r"(?-i:[A-Z]{1,5}9{0,4})(?<=\w{5})\d[0156]\d[0-3]\d\d(?-i:[A-Z][A-Z9])\d(?-i:[A-Z]{2})",
            digits=7,
            letter=True,
        ),
        Shape("ADDRESS", rf"(?-i:{POSTCODE})", _is_postcode, digits=2, letter=True),
    ),
    streets=(
        Streets(
            "last",
            sure="street|road|avenue|lane|boulevard|rd|ave",
            unsure="st|drive|dr|close|court|ct|way|crescent|cres|terrace|gardens|gdns|grove|square|sq|place|pl|hill"
            "|mews|park|row|walk|rise|view"
            "|green|parade|gate|wharf|quay|ln|blvd|broadway|end|fields|meadow|meadows|vale|yard|drove|embankment"
            "|bank|circus|approach|mount|villas|cottages|croft|path|mead|holme|lea",
            tail=rf"(?:[ ,]{{1,3}}(?:flat|apt\.?|apartment|unit|floor"
            rf"|suite)\s?\w{{1,5}})?(?:,\s?{_TOWN}){{0,3}}(?:[ ,]{{1,3}}{POSTCODE}\b)?",
            postcode=POSTCODE,
        ),
    ),
    regions=("GB",),
    dialled=r"44[ .-]?7\d{3}[ .-]?\d{3}[ .-]?\d{3}",
)
