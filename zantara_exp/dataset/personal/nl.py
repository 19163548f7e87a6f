"""The Netherlands."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked

_TOWN = r"(?-i:[A-Z])[\w'.-]+(?:\s(?:(?-i:[A-Z])[\w'-]+|aan|den|de|op|bij|zoom)){0,3}"
_POSTCODE = r"[1-9]\d{3}\s?(?-i:(?!SA|SD|SS)[A-Z]{2})(?!\w)"
_HOUSE = r",?\s(?:(?:en\s)?(?:huisnummer|huisnr\.?|nr\.?|nummer)\s)?\d{1,4}(?:[ -]?[a-z](?!\w))?(?!\w)"


def _is_bsn(text: str) -> bool:
    from stdnum.nl import bsn

    return bsn.is_valid(text)


PACK = Pack(
    words={
        "bsn": "bsn|bsn-nummer|bsnnr.|burgerservicenummer|burger service nummer|sofinummer|sofi-nummer|sofi",
        "btw": "btw|btw-nummer|btw-nr.|btw-id|omzetbelastingnummer|rsin|ob-nummer",
        "postcode": "postcode|postcode is|mijn postcode",
        "huisnummer": "huisnummer|huisnr.|huisnummers",
        "born": "geboortedatum|geboren op|jarig",
        "idcard": "identiteitskaart|id-kaart|id kaart|identiteitsbewijs|legitimatiebewijs|documentnummer",
        "passport": "paspoort|paspoortnummer|paspoortnr.",
        "licence": "rijbewijs|rijbewijsnummer",
        "plate": "kenteken|kentekenplaat|nummerplaat",
        "bank": "rekeningnummer|bankrekening|bankrekeningnummer|rekening nr.|rekeningnr.",
        "card": "bankpas|pasnummer|creditcardnummer|betaalpas|kaartnummer",
        "code": "pincode|pin-code|sms-code|verificatiecode|beveiligingscode|toegangscode",
        "other": "bestelling|ordernummer|boeking|boekingsnummer|reservering|reserveringsnummer|kaartje|treinkaartje"
        "|trein|factuur|factuurnummer|klantnummer|dossiernummer|zaaknummer|kenmerk|referentie|spoor|perron|wagon|wet|artikel",
        "amount": "totaal|prijs|bedrag|kost|kosten|saldo|betaald|betaal",
    },
    named=(
        Named("BSN", "bsn", r"\d(?:[ .-]?\d){7,8}"),
        Named("BTW", "btw", r"(?:NL[ .-]?)?\d{3}[ .]?\d{3}[ .]?\d{3}(?:[ .]?B[ .]?\d{2})?"),
        Named("PLATE", "plate", r"[A-Z0-9]{1,3}-[A-Z0-9]{2,3}-[A-Z0-9]{1,2}"),
        Named("ADDRESS", "postcode", rf"{_POSTCODE}(?:{_HOUSE})?", near=6),
        Named("ADDRESS", "address", rf"{_POSTCODE}{_HOUSE}"),
        Named("ADDRESS", "huisnummer", r"\d{1,5}(?:[ -]?[a-z](?!\w))?", near=4),
    ),
    shapes=(
        Shape("BTW", r"NL ?\d{9} ?B ?\d{2}", digits=11, letter=True),
        Shape("BSN", r"\d{4}\.\d{2}\.\d{3}", checked(_is_bsn), digits=9),
    ),
    streets=(
        Streets(
            "ending",
            sure="straat|straatje|gracht|laan|laantje|singel|dreef|steeg|plantsoen|boulevard",
            unsure="plein|kade|weg|dijk|hof|park|markt|pad|haven|wal|ring|kamp|berg|veld|akker|dam|baan|burg|wijk|zijde",
            tail=rf"(?:\s?(?:hs|huis|bis|[IV]{{1,3}}|\d\s?hoog)(?!\w))?(?:[ ,-]{{1,4}}{_POSTCODE}(?:,?\s{_TOWN})?"
            rf"|,?\s(?:in|te)\s(?-i:[A-Z])[\w-]+)?",
            postcode=_POSTCODE,
        ),
    ),
    regions=("NL",),
    dialled=r"31[ .-]?6(?:[ .-]?\d){8}",
)
