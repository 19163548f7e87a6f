"""Personal data by country: one pack per country, and one for what all countries share."""

from __future__ import annotations

from zantara_exp.dataset.personal import de, es, fr, gb, generic, it, nl, pl, us
from zantara_exp.dataset.personal import id as id_
from zantara_exp.dataset.personal.pack import Pack

GENERIC = generic.PACK
PACKS: dict[str, Pack] = {
    "DE": de.PACK,
    "ES": es.PACK,
    "FR": fr.PACK,
    "GB": gb.PACK,
    "ID": id_.PACK,
    "IT": it.PACK,
    "NL": nl.PACK,
    "PL": pl.PACK,
    "US": us.PACK,
}
"""By ISO 3166 code. A new country is a file beside these, a line here, its code in `config.data.COUNTRIES` and its
language in `spoken_in`."""
