"""Germany."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked, plain

_TOWN = r"(?-i:[A-ZÄÖÜ])[\w'.-]+(?:\s(?:(?-i:[A-ZÄÖÜ])[\w'-]+|am|an der|im|bei|ob der)){0,2}"


def _is_tax_id(text: str) -> bool:
    from stdnum.de import idnr

    return idnr.is_valid(text)


def _is_vat(text: str) -> bool:
    from stdnum.de import vat

    return vat.is_valid(text)


def _by_digit_sums(number: str, weights: tuple[int, ...]) -> int:
    return sum(sum(divmod(int(sign) * weight, 10)) for sign, weight in zip(number, weights, strict=False))


def _is_pension_number(text: str) -> bool:
    """VKVV, section 4: digit sums of the weighted digits, the letter as two, remainder by 10."""
    number = plain(text)
    day, month = int(number[2:4]), int(number[4:6])
    if not (1 <= (day - 50 if day > 50 else day) <= 31 and 1 <= month <= 12):
        return False
    figures = f"{number[:8]}{ord(number[8]) - 64:02}{number[9:11]}"
    return _by_digit_sums(figures, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(number[11])


def _is_health_number(text: str) -> bool:
    """SGB V, section 290: as a credit card, the letter as two digits, weights 1 and 2."""
    number = plain(text)
    return _by_digit_sums(f"{ord(number[0]) - 64:02}{number[1:9]}", (1, 2) * 5) % 10 == int(number[9])


PACK = Pack(
    words={
        "steuer_id": "steuer-id|steuerid|steuer id|steueridentifikationsnummer|steuer-identifikationsnummer"
        "|steuerliche identifikationsnummer"
        "|idnr.|identifikationsnummer|steuer-idnr.|tin|tax id|german tax id",
        "steuernummer": "steuernummer|steuernr.|steuer-nr.|st.-nr.|stnr.|st.nr.",
        "ust_id": "ust-idnr.|ust-id|ustid|ust-id-nr.|umsatzsteuer-id|umsatzsteuer-identifikationsnummer"
        "|umsatzsteueridentifikationsnummer|vat id|vat",
        "pension": "sozialversicherungsnummer|sv-nummer|svnr.|sv-nr.|rentenversicherungsnummer|rv-nummer"
        "|versicherungsnummer|rvnr.",
        "health": "krankenversicherungsnummer|krankenversichertennummer|versichertennummer|kvnr.|kv-nummer"
        "|krankenkassennummer",
        "bank": "blz|bankleitzahl|bankverbindung",
    },
    named=(
        Named("STEUER_ID", "steuer_id", r"\d(?:[ ./-]?\d){10}"),
        Named("STEUERNUMMER", "steuernummer", r"\d{2,5}[ /-]{0,3}\d{3,4}[ /-]{0,3}\d{4,5}|\d{13}|\d{10,11}"),
        Named("UST_ID", "ust_id", r"DE[ .-]?\d(?:[ .]?\d){8}"),
        Named(
            "RENTENVERSICHERUNG",
            "pension",
            r"\d{2}[ /-]?\d{6}[ /-]?[A-Z][ /-]?\d{3}|\d{2} \d{2} \d{2} \d{2} [A-Z] \d{3}",
        ),
        Named("KRANKENVERSICHERUNG", "health", r"[A-Z][ -]?\d{3}[ -]?\d{3}[ -]?\d{3}"),
        Named("ID_CARD", "idcard", r"[CFGHJKLMNPRTVWXYZ0-9]{9}\d?(?:D)?"),
        Named("PLATE", "plate", r"[A-ZÄÖÜ]{1,3}[ :-]{1,3}[A-Z]{1,2}[ -]?\d{1,4}[EH]?"),
    ),
    shapes=(
        Shape("STEUER_ID", r"[1-9]\d(?:[ ./]?\d{3}){3}", checked(_is_tax_id), digits=11),
        Shape("STEUERNUMMER", r"\d{2,3}/\d{3,4}/\d{4,5}", digits=10),
        Shape("UST_ID", r"DE[ ]?\d{9}", checked(_is_vat), digits=9, letter=True),
        Shape("RENTENVERSICHERUNG", r"\d{2}[ /-]?\d{6}[ /-]?[A-Z][ /-]?\d{3}", _is_pension_number, digits=11),
        Shape("KRANKENVERSICHERUNG", r"(?-i:[A-Z])\d{9}", _is_health_number, digits=9, letter=True),
    ),
    streets=(
        Streets(
            "ending",
            sure="straße|strasse|str.|str|gasse|allee|chaussee|damm|ufer|promenade",
            unsure="weg|platz|ring|hof|markt|wall|graben|steig|pfad|stieg|kamp|berg|park|feld|garten|tor|brücke"
            "|wiese|winkel|zeile",
            tail=rf"(?:[ ,/-]{{1,3}}(?:whg\.?|wohnung|etage|og|eg|hinterhaus|vorderhaus|\d\.\s?(?:og|stock"
            rf"|etage))\s?\w{{0,4}}){{0,2}}"
            rf"(?:[ ,-]{{1,4}}(?:D-)?\d{{5}}(?:\s{_TOWN})?|,?\s(?:in\s)?(?-i:[A-ZÄÖÜ])[\w-]+(?=\s*(?:[.,;!?]|$)))?",
        ),
        Streets(
            "first",
            sure="",
            unsure="am|an der|an den|auf der|auf dem|im|in der|in den|zum|zur|unter den|hinter der|vor dem|beim"
            "|alte|alter|neue|neuer|große|kleine",
            capitals=False,
            tail=rf"(?:[ ,-]{{1,4}}(?:D-)?\d{{5}}(?:\s{_TOWN})?)?",
        ),
    ),
    regions=("DE",),
    dialled=r"49[ .-]?1[567]\d[ ./-]?\d{3,4}[ .-]?\d{3,5}",
)
