"""Poland."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked, digits, plain

_CAPITAL = r"(?-i:[A-ZĄĆĘŁŃÓŚŹŻ])"
_TOWN = rf"{_CAPITAL}[\w.-]+(?:[\s-](?:{_CAPITAL}[\w-]+|nad|pod)){{0,2}}"
_CARD_WEIGHTS = (7, 3, 1, 9, 7, 3, 1, 7, 3)


def _is_pesel(text: str) -> bool:
    from stdnum.pl import pesel

    return int(text[2:4]) <= 32 and pesel.is_valid(text)  # of this century or the last


def _is_nip(text: str) -> bool:
    from stdnum.pl import nip

    return nip.is_valid(text.removeprefix("PL"))


def _is_card(text: str) -> bool:
    """An identity card: letters count from 10, the fourth sign is the check digit."""
    values = [int(sign, 36) for sign in plain(text)]
    return sum(weight * value for weight, value in zip(_CARD_WEIGHTS, values, strict=True)) % 10 == 0


def _is_account(text: str) -> bool:
    from stdnum.iso7064 import mod_97_10

    number = digits(text)
    return mod_97_10.is_valid(f"{number[2:]}2521{number[:2]}")


PACK = Pack(
    words={
        "pesel": "pesel|pesel-u|peselu|numer pesel|nr pesel",
        "nip": "nip|nip-u|nipu|numer nip|nr nip|numer identyfikacji podatkowej",
        "regon": "regon|numer regon|nr regon",
        "born": "urodzony|urodzona|urodziłem się|urodziłam się|data urodzenia|daty urodzenia|ur.|urodziny",
        "idcard": "dowód osobisty|dowodu osobistego|dowód|dowodu|dowodem|nr dowodu|numer dowodu|dowod osobisty",
        "passport": "paszport|paszportu|nr paszportu|numer paszportu|paszportem",
        "licence": "prawo jazdy|prawa jazdy",
        "plate": "rejestracja|rejestracji|nr rejestracyjny|numer rejestracyjny|tablice|tablica rejestracyjna",
        "bank": "numer konta|nr konta|konta|rachunek|rachunku|numer rachunku|nr rachunku|konto bankowe",
        "card": "karta|karty|kartą|kartę|numer karty|nr karty|karta kredytowa|karta płatnicza",
        "code": "kod pin|kod sms|kod weryfikacyjny|kod blik|blik|kod jednorazowy|kod dostępu|pinu",
        "other": "zamówienie|zamówienia|nr zamówienia|numer zamówienia|bilet|biletu|nr biletu|numer biletu|rezerwacja"
        "|rezerwacji|faktura|faktury|pociąg|pociągu|peron|peronu|wagon|reklamacja|reklamacji|paczka|paczki|przesyłka"
        "|przesyłki|ustawa|ustawy|sprawa|sprawy|klienta|umowa|umowy",
        "amount": "cena|kwota|kwoty|kosztuje|koszt|koszty|suma|razem|zapłata|zapłacić",
        "number": "numer|numeru",
    },
    named=(
        Named("PESEL", "pesel", r"\d(?:[ -]?\d){10}"),
        Named("NIP", "nip", r"(?:PL[ .-]?)?\d(?:[ -]?\d){9}"),
        Named("REGON", "regon", r"\d(?:[ -]?\d){8}(?:(?:[ -]?\d){5})?"),
        Named("ID_CARD", "idcard", r"[A-Z]{3}[ -]?\d(?:[ -]?\d){5}"),
        Named("PLATE", "plate", r"(?=[A-Z]{2,3}[ -]?[A-Z]{0,4}\d)[A-Z]{2,3}[ -]?[A-Z0-9]{4,5}"),
    ),
    shapes=(
        Shape("PESEL", r"\d{11}", _is_pesel, digits=11),
        Shape("NIP", r"\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3}", checked(_is_nip), digits=10),
        Shape("NIP", r"PL ?\d{10}", checked(_is_nip), digits=10, letter=True),
        Shape("ID_CARD", r"(?-i:[A-Z]{3}) ?\d{6}", _is_card, digits=6, letter=True),
        Shape("BANK_ACCOUNT", r"\d{2}(?:[ -]?\d{4}){6}", _is_account, digits=22),
    ),
    streets=(
        Streets(
            "first",
            sure="ul.|ulica|ulicy|ulicę|na ulicy|na ul.|przy ul.|aleja|aleje|alei|alejach|osiedle|osiedlu",
            unsure="plac|placu|placem|bulwar|bulwarze|skwer",
            tail=rf"(?:\s?(?:m\.?|lok\.?|mieszkanie|mieszkania)\s?\d{{1,4}}(?!\w))?"
            rf"(?:[ ,-]{{1,4}}\d{{2}}-\d{{3}}(?:[\s,]{{1,2}}{_TOWN})?"
            rf"|,?\s(?:w\s|we\s)?{_CAPITAL}[\w-]+(?=\s*(?:[.,;!?]|$)))?",
            postcode=r"\d{2}-\d{3}",
        ),
    ),
    regions=("PL",),
    dialled=r"(?:48[ .-]?)?[4-8]\d{2}-\d{3}-\d{3}",
)
