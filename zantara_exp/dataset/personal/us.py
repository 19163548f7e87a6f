"""The United States."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, digits

_STATE = (
    r"(?-i:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]"
    r"|UT|V[AT]|W[AIVY])"
)
_ZIP = rf"{_STATE},? \d{{5}}(?:-\d{{4}})?"
_TOWN = r"(?-i:[A-Z])[^\W\d_]+(?!\w)(?:[\s-](?-i:[A-Z])[^\W\d_]+(?!\w)){0,2}"


def _is_ssn(text: str) -> bool:
    """An area, group and serial number that are issued; 900 and above are tax numbers."""
    number = digits(text)
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def _is_itin(text: str) -> bool:
    from stdnum.us import itin

    return itin.is_valid(text)


PACK = Pack(
    words={
        "ssn": "ssn|social security|social security number|social|soc sec|ss#|s.s.n.",
        "itin": "itin|taxpayer id|individual taxpayer identification number",
        "ein": "ein|fein|employer identification number|tax id|federal tax id|taxpayer identification number|tin",
        "medicare": "medicare|mbi|medicare number|medicaid",
        "routing": "routing|routing number|aba|aba number|rtn|routing no",
        "box": "po box|p.o. box|post office box",
        "bank": "checking|checking account|savings account",
    },
    named=(
        Named("SSN", "ssn", r"\d{3}[ .-]?\d{2}[ .-]?\d{4}"),
        Named("ITIN", "itin", r"9\d{2}[ .-]?\d{2}[ .-]?\d{4}"),
        Named("EIN", "ein", r"\d{2}[ -]?\d{7}"),
        Named("SSN", "ein", r"\d{3}-\d{2}-\d{4}"),
        Named(
            "MEDICARE", "medicare", r"[1-9][A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d{2}|\d{3}-?\d{2}-?\d{4}[A-Z]\d?"
        ),
        Named("BANK_ACCOUNT", "routing", r"\d{4}[ -]?\d{4}[ -]?\d"),
        Named(
            "DRIVING_LICENCE",
            "licence",
            r"[A-Z]\d{3}[ -]?\d{3,4}[ -]?\d{2,4}(?:[ -]?\d{3})?|[A-Z]\d{4}[ -]?\d{5}[ -]?\d{5}|\d{7,9}",
        ),
        Named("ADDRESS", "box", rf"\d{{1,6}}(?:,? {_TOWN},? {_ZIP})?", near=2),
        Named(
            "PLATE", "plate", r"\d[A-Z]{3}\d{3}|[A-Z]{3}[ -]?\d{3,4}|\d{3}[ -]?[A-Z]{3}|[A-Z]{2,3}\d{2}[ -]?[A-Z]{2}"
        ),
    ),
    shapes=(
        Shape("SSN", r"\d{3}-\d{2}-\d{4}", _is_ssn, digits=9),
        Shape("ITIN", r"9\d{2}-\d{2}-\d{4}", _is_itin, digits=9),
        Shape(
            "MEDICARE",
            r"(?-i:[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2})",
            digits=5,
        ),
    ),
    streets=(
        Streets(
            "last",
            sure="street|road|avenue|lane|boulevard|rd|ave|blvd|ln|hwy|highway|pkwy|parkway",
            unsure="st|drive|dr|court|ct|way|circle|cir|terrace|ter|trail|trl|place|pl|square|sq|loop|run|ridge"
            "|broadway|plaza|pike|turnpike|alley",
            tail=rf"(?:\s(?-i:[NS]?[EW]|[NS])(?!\w))?"
            rf"(?:[ ,]{{1,3}}(?:apt|apartment|unit|suite|ste|floor|fl|#)\.?\s?#?\w{{1,5}})?"
            rf"(?:,?\s{_TOWN})?(?:,?\s(?:{_ZIP}|{_STATE}(?!\w)|\d{{5}}(?:-\d{{4}})?(?!\w|[ -]\d)))?",
            postcode=_ZIP,
        ),
    ),
    regions=("US",),
    dialled=r"(?:1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}",
)
