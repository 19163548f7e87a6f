"""Indonesia."""

from __future__ import annotations

import re

from zantara_exp.dataset.personal.generic import is_account, is_card
from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, digits

_TOWN = r"(?-i:[A-Z])[\w'.-]+(?:\s(?-i:[A-Z])[\w'-]+){0,3}"
_SIXTEEN = (
    r"\d{4}(?:[ ._-]{0,2}\d{4}){3}|\d{6}[ ._-]{1,3}\d{6}[ ._-]{1,3}\d{4}|\d{2}(?:[ .]\d{2}){5}[ .]\d{4}"
    r"|\d{2}[ .]\d{2}[ .]\d{2}[ .]\d{6}[ .]\d{4}"
)

_AS_CARDS = re.compile(r"\d{4}([ .-])\d{4}\1\d{4}\1\d{4}")


def _is_nik(text: str) -> bool:
    """Province 11 to 96, then the date of birth DDMMYY, a woman's day plus 40."""
    from stdnum.exceptions import ValidationError
    from stdnum.id import nik

    number = digits(text)
    if _AS_CARDS.fullmatch(text) and is_card(text):
        return False
    if len(number) != 16 or not 11 <= int(number[:2]) <= 96:
        return False
    try:
        nik.get_birth_date(number)
    except ValidationError:
        return False
    return True


PACK = Pack(
    words={
        "nik": "nik~|ktp~|kk~|nomor ktp|no ktp|no. ktp|e-ktp|kartu keluarga|nomor induk kependudukan|nomor induk",
        "npwp": "npwp~",
        "bpjs": "bpjs~|bpjs kesehatan|bpjs ketenagakerjaan|jkn|kis",
        "bank_name": "bca|bri|bni|mandiri|btn|bsi|cimb|cimb niaga|danamon|permata|ocbc|maybank|panin|jago|seabank"
        "|jenius|btpn|mega|bpd|hsbc"
        "|uob|blu|neo",
        "bank": "transfer ke|tf ke|kirim ke rekening",
        "other": "resi jne|resi jnt|nomor pesanan|no pesanan|skck|akta|sk",
    },
    named=(
        Named("NIK", "nik", r"\d(?:[ ._-]{0,2}\d){15}"),
        Named("NPWP", "npwp", r"\d(?:[ ._-]{0,2}\d){14,15}"),
        Named("BPJS", "bpjs", r"\d(?:[ ._-]?\d){10,12}"),
        Named("BANK_ACCOUNT", "bank_name", r"(?:\d{9,18}(?!\d)|\d(?:[ .-]{0,2}\d){8,17})", is_account, beside=True),
        Named("DRIVING_LICENCE", "licence", r"\d{4}[ -]?\d{4}[ -]?\d{4,6}"),
        Named("PLATE", "plate", r"[A-Z]{1,2}[ -]?\d{1,4}[ -]?[A-Z]{1,3}"),
    ),
    shapes=(
        Shape("NPWP", r"\d{2}\.\d{3}\.\d{3}\.\d[-.]\d{3}\.\d{3}", digits=15),
        Shape("NIK", _SIXTEEN, _is_nik, digits=16),
    ),
    streets=(
        Streets(
            "first",
            sure="jl.|jln.|jalan|gg.|gang|perum|perumahan|komplek|kompleks|dusun|banjar|br.|kampung|kp.",
            unsure="apartemen|apartment|villa|ruko|blok",
            tail=rf"(?:[ ,/-]{{1,3}}(?:blok|kav\.?|lt\.?|lantai|unit|rt|rw"
            rf"|rt/rw)[ .:]{{0,2}}\w{{1,4}}(?:\s?[/-]\s?\d{{1,4}})?){{0,4}}"
            rf"(?:[ ,-]{{1,4}}(?:kel\.|kec\.|kab\.|desa|kota|kelurahan|kecamatan"
            rf"|kabupaten)?\s?{_TOWN}){{0,4}}(?:[ ,-]{{1,3}}\d{{5}})?",
        ),
    ),
    regions=("ID",),
    dialled=r"(?:62[ .-]?)?8[1-9]\d(?:[ .-]?\d){6,9}",
)
