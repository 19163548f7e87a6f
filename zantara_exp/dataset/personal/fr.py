"""France."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked

_TOWN = r"(?-i:[A-ZÉÈÎ])[\w'’.-]+(?:[\s-](?:(?-i:[A-ZÉÈÎ])[\w'’-]+|d[eu]s?|la|le|les|sur|sous|en|cedex|\d{1,2})){0,4}"
_NIR = r"[12378][ .-]?\d{2}[ .-]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .-]?(?:\d{2}|2[AB])[ .-]?\d{3}[ .-]?\d{3}"


def _is_nir(text: str) -> bool:
    from stdnum.fr import nir

    return nir.is_valid(text)


def _is_tax_number(text: str) -> bool:
    from stdnum.fr import nif

    return nif.is_valid(text)


def _is_vat(text: str) -> bool:
    from stdnum.fr import tva

    return tva.is_valid(text)


PACK = Pack(
    words={
        "nir": "sécurité sociale|securite sociale|numéro de sécurité sociale|numéro de sécu|numero de secu|n° sécu"
        "|sécu|nir|insee|carte vitale|vitale"
        "|n° de sécurité sociale|num sécu|nss",
        "spi": "numéro fiscal|numero fiscal|spi|n° fiscal|nif|identifiant fiscal|référence fiscale"
        "|numéro d'identification fiscale",
        "siren": "siren|siret|numéro siret|numéro siren|n° siret|n° siren",
        "tva": "tva|tva intracommunautaire|numéro de tva|n° tva|n° de tva",
        "idcard": "carte nationale d'identité|carte nationale|titre de séjour",
        "bank": "coordonnées bancaires|code banque|code guichet",
        "address": "j'habite|domicile",
    },
    named=(
        Named("NIR", "nir", rf"{_NIR}(?:[ .-]?\d{{2}})?"),
        Named("SPI", "spi", r"\d(?:[ .-]?\d){12}"),
        Named("SIRET", "siren", r"\d{3}(?:[ .]?\d{3}){2}[ .]?\d{5}"),
        Named("SIREN", "siren", r"\d{3}(?:[ .]?\d{3}){2}"),
        Named("TVA", "tva", r"FR[ .-]?[A-Z0-9]{2}[ .-]?\d{3}(?:[ .]?\d{3}){2}"),
        Named("BANK_ACCOUNT", "bank", r"\d{5}[ -]?\d{5}[ -]?[A-Z0-9]{11}[ -]?\d{2}"),
        Named("PLATE", "plate", r"[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}|\d{1,4}[ -]?[A-Z]{2,3}[ -]?\d{2}"),
    ),
    shapes=(
        Shape("NIR", rf"{_NIR}[ .-]?\d{{2}}", checked(_is_nir), digits=13),
        Shape("SPI", r"[0-3]\d(?: ?\d{2} ?\d{3} ?\d{3} ?\d{3})", checked(_is_tax_number), digits=13),
        Shape("TVA", r"FR[ ]?[0-9A-HJ-NP-Z]{2}[ ]?\d{3}(?:[ .]?\d{3}){2}", checked(_is_vat), digits=9, letter=True),
    ),
    streets=(
        Streets(
            "number",
            sure="rue|avenue|av.|ave|boulevard|bd.|bld|boul.|impasse|chemin|ch.|allée|allee|allées|quai|faubourg"
            "|fbg|sentier|rond-point|esplanade",
            unsure="place|pl.|cours|route|rte|square|passage|voie|villa|cité|résidence|lotissement|hameau|montée"
            "|promenade|domaine|lieu-dit|clos",
            tail=rf"(?:[ ,-]{{1,3}}(?:bât\.?|bâtiment|bat\.?|appt?\.?|appartement|étage|esc\.?|escalier"
            rf"|porte)\s?\w{{1,4}}){{0,3}}"
            rf"(?:[ ,-]{{1,4}}(?:F-)?\d{{5}}(?:\s{_TOWN})?|(?:,\s?"
            rf"|\s(?:à\s)?)(?-i:[A-ZÉÈÎ])[\w'’-]+(?=\s*(?:[.,;!?]|$)))?",
        ),
    ),
    regions=("FR",),
    dialled=r"33[ .]?[67](?:[ .-]?\d{2}){4}",
)
