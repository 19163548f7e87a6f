"""Italy."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked

_TOWN = r"(?-i:[A-Z])[\w'’.-]+(?:\s(?:(?-i:[A-Z])[\w'’-]+|d[ie]l?|in|sul|della|al)){0,3}"
_NUMERALS = "[0-9LMNPQRSTUV]"  # digits, or the letters that stand for them where two people would share a code
_GAP = "[ ./_-]{0,2}"
_CODE = f"[A-Z]{{6}}{_NUMERALS}{{2}}[ABCDEHLMPRST]{_NUMERALS}{{2}}[A-Z]{_NUMERALS}{{3}}[A-Z]"
_IN_GROUPS = _GAP.join(
    [
        "[A-Z]{3}",
        "[A-Z]{3}",
        _NUMERALS + "{2}",
        "[ABCDEHLMPRST]",
        _NUMERALS + "{2}",
        "[A-Z]",
        _NUMERALS + "{3}",
        "[A-Z]",
    ]
)
_SIGN_BY_SIGN = _GAP.join(
    ["[A-Z]"] * 6 + [_NUMERALS] * 2 + ["[A-Z]"] + [_NUMERALS] * 2 + ["[A-Z]"] + [_NUMERALS] * 3 + ["[A-Z]"]
)


def _is_code(text: str) -> bool:
    from stdnum.it import codicefiscale

    return codicefiscale.is_valid(text)


def _is_vat(text: str) -> bool:
    from stdnum.it import iva

    return iva.is_valid(text.removeprefix("IT"))


PACK = Pack(
    words={
        "codice_fiscale": "codice fiscale|cf|cod. fiscale|cod. fisc.|codicefiscale|c.f.|tax code|fiscal code|cod fisc",
        "partita_iva": "partita iva|p.iva|p. iva|partitaiva|part. iva|p.i.|iva|vat|vat number|vat no|piva",
        "tessera": "tessera sanitaria|tessera|team|carta nazionale dei servizi|cns",
        "bank": "coordinate bancarie",
        "abi": "abi|cab",
    },
    named=(
        Named("CODICE_FISCALE", "codice_fiscale", _SIGN_BY_SIGN),
        Named("PARTITA_IVA", "codice_fiscale", r"\d(?:[ .-]?\d){10}"),  # firms have one of eleven digits
        Named("PARTITA_IVA", "partita_iva", r"(?:IT[ .-]?)?\d(?:[ .-]?\d){10}"),
        Named("TESSERA_SANITARIA", "tessera", r"80380(?:[ -]?\d){15}|\d(?:[ -]?\d){19}"),
        Named("BANK_ACCOUNT", "abi", r"\d{5}", near=5),
        Named("BANK_ACCOUNT", "bank", r"[A-Z]{1,3}\d{6,12}"),
        Named("PLATE", "plate", r"[A-Z]{2}[ -]?(?:\d{3}[ -]?[A-Z]{2}|\d{5})"),
    ),
    shapes=(
        Shape("CODICE_FISCALE", _CODE, digits=3, letter=True),
        Shape("CODICE_FISCALE", _IN_GROUPS, checked(_is_code), digits=3, letter=True),
        Shape("PARTITA_IVA", r"IT ?\d{11}", checked(_is_vat), digits=11, letter=True),
        Shape("ID_CARD", r"(?-i:C[A-Z])\d{5}(?-i:[A-Z]{2})", digits=5, letter=True),
        Shape("DRIVING_LICENCE", r"(?-i:U1[A-Z0-9]{7}[A-Z])|(?-i:[A-Z]{2})\d{7}(?-i:[A-Z])", digits=6, letter=True),
        Shape("TESSERA_SANITARIA", r"80380(?:[ -]?\d){15}", digits=20),
    ),
    streets=(
        Streets(
            "first",
            sure="viale|v.le|piazza|piazzale|p.zza|p.za|piazzetta|vicolo|c.so|contrada|c.da|lungomare|lungotevere"
            "|lungarno|in via|di via|a via|da via",
            unsure="via|corso|largo|strada|salita|borgo|località|loc.|frazione|fraz.|traversa|vico|calle|rione",
            tail=rf"(?:[ ,/-]{{1,3}}(?:int\.?|interno|scala|piano|sc\.?"
            rf"|palazzina)\s?\w{{1,4}}){{0,3}}(?:[ ,-]{{1,4}}(?:\d{{5}}[ ,-]{{1,3}})?{_TOWN}"
            rf"(?:\s?\([A-Z]{{2}}\)|,?\s(?-i:[A-Z]{{2}})\b)?(?:[ ,-]{{1,3}}\d{{5}})?|[ ,-]{{1,3}}\d{{5}})?",
        ),
    ),
    regions=("IT",),
    dialled=r"(?:39[ .]?)?3[2-9]\d(?:[ ./-]{0,2}\d){6,7}",
)
