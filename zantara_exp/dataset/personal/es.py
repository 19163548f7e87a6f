"""Spain."""

from __future__ import annotations

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, Streets, checked, plain

_TOWN = r"(?-i:[A-ZÁÉÍÓÚÑ])[\w'’.-]+(?:\s(?:(?-i:[A-ZÁÉÍÓÚÑ])[\w'’-]+|de|del|la|las|los|el)){0,4}"


def _is_dni(text: str) -> bool:
    from stdnum.es import dni

    return dni.is_valid(text)


def _is_nie(text: str) -> bool:
    from stdnum.es import nie

    return nie.is_valid(text)


def _is_cif(text: str) -> bool:
    from stdnum.es import cif

    return cif.is_valid(text)


def _is_account(text: str) -> bool:
    from stdnum.es import ccc

    return ccc.is_valid(text)


def _is_social(text: str) -> bool:
    """Province and number, remainder by 97 as the last two digits."""
    number = plain(text)
    return len(number) == 12 and int(number[:10]) % 97 == int(number[10:]) and 1 <= int(number[:2]) <= 66


PACK = Pack(
    words={
        "dni": "dni|d.n.i.|nif|n.i.f.|documento nacional de identidad",
        "nie": "nie|n.i.e.|número de identidad de extranjero",
        "cif": "cif|c.i.f.|nif de la empresa",
        "social": "seguridad social|número de la seguridad social|nuss|n.u.s.s.|naf|nss|afiliación|n.s.s.",
        "health": "tarjeta sanitaria|cip|sip|cipa",
        "bank": "número de cuenta corriente|cuenta corriente",
        "address": "vivimos en|mi casa",
    },
    named=(
        Named("DNI", "dni", r"\d{1,2}[. ]?\d{3}[. ]?\d{3}[ .-]{0,3}[A-Z]|\d{7,8}"),
        Named("NIE", "dni", r"[XYZ][ .-]?\d{7,8}[ .-]?[A-Z]"),
        Named("NIE", "nie", r"[XYZ][ .-]?\d{1,2}[ .]?\d{3}[ .]?\d{3}[ .-]{0,3}[A-Z]"),
        Named("CIF", "dni", r"[ABCDEFGHJNPQRSUVW][ .-]?\d{7}[ .-]?[0-9A-J]"),
        Named("CIF", "cif", r"[ABCDEFGHJNPQRSUVW][ .-]?\d{2}[ .]?\d{3}[ .]?\d{2}[ .-]?[0-9A-J]"),
        Named("NUSS", "social", r"\d{2}[ ./-]{0,3}\d{7,8}[ ./-]{0,3}\d{2}"),
        Named("TARJETA_SANITARIA", "health", r"[A-Z]{4} ?\d{10,12}|\d{8,10}"),
        Named("BANK_ACCOUNT", "bank", r"\d{4}[ -]?\d{4}[ -]?\d{2}[ -]?\d{10}"),
        Named("PLATE", "plate", r"\d{4}[ -]?[BCDFGHJKLMNPRSTVWXYZ]{3}|[A-Z]{1,2}[ -]?\d{4}[ -]?[A-Z]{1,2}"),
    ),
    shapes=(
        Shape("DNI", r"\d{8}[ -]?[A-Z]|\d{1,2}\.\d{3}\.\d{3}[ .-]?[A-Z]", checked(_is_dni), digits=7),
        Shape("NIE", r"[XYZ][ -]?\d{7}[ -]?[A-Z]", checked(_is_nie), digits=7, letter=True),
        Shape("CIF", r"(?-i:[ABCDEFGHJNPQRSUVW])-?\d{7}-?(?-i:[0-9A-J])", checked(_is_cif), digits=7, letter=True),
        Shape("NUSS", r"\d{2}[/-]\d{8}[/-]\d{2}", _is_social, digits=12),
        Shape("BANK_ACCOUNT", r"\d{4}[ -]?\d{4}[ -]?\d{2}[ -]?\d{10}", checked(_is_account), digits=20),
        Shape("PASSPORT", r"(?-i:[A-Z]{3})\d{6}", digits=6, letter=True),
    ),
    streets=(
        Streets(
            "first",
            sure="calle|c/|cl.|avenida|avda.|av.|avd.|avinguda|plaza|pza.|plaça|pl.|carrer|callejón|glorieta|rambla"
            "|paseo|pso.|passeig",
            unsure="camino|ronda|travesía|carretera|ctra.|urbanización|urb.|barrio|polígono|pasaje|cuesta|vía"
            "|gran vía|parque",
            tail=rf"(?:[ ,-]{{1,3}}(?:(?:piso|puerta|pta\.?|esc\.?|escalera|bloque|bajo|portal|ático|apto\.?"
            rf"|apartamento)\s?\w{{0,4}}"
            rf"|\d{{1,2}}\s?[ºª°o]\s?(?:[A-Z]|\d{{1,2}}\s?[ºª°]|izq\.?|izda\.?|dcha\.?|derecha|izquierda)?)\b){{0,4}}"
            rf"(?:[ ,-]{{1,4}}\d{{5}}(?:,?\s{_TOWN})?|(?:,\s?|\s(?:en|de)\s){_TOWN}(?:[ ,-]{{1,3}}\d{{5}})?)?",
        ),
    ),
    regions=("ES",),
    dialled=r"(?:34[ .]?)?[679]\d{2}(?:[ .-]\d{2}){3}|(?:34[ .]?)?[67]\d{2}[ .-]\d{3}[ .-]\d{3}|[67]\d{2} \d{6}",
)
