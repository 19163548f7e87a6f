"""Languages by their codes: those that texts are told apart into, and what codes are mistaken for them."""

from __future__ import annotations

from difflib import get_close_matches

_WRITTEN = """
af Afrikaans|am Amharic|an Aragonese|ar Arabic|as Assamese|az Azerbaijani|ba Bashkir|be Belarusian|bg Bulgarian
bn Bengali|br Breton|bs Bosnian|ca Catalan|cs Czech|cy Welsh|da Danish|de German|dz Dzongkha|el Greek|en English
eo Esperanto|es Spanish|et Estonian|eu Basque|fa Persian|fi Finnish|fo Faroese|fr French|fy Frisian|ga Irish
gd Scottish Gaelic|gl Galician|gu Gujarati|ha Hausa|he Hebrew|hi Hindi|hr Croatian|ht Haitian Creole|hu Hungarian
hy Armenian|id Indonesian|ig Igbo|is Icelandic|it Italian|ja Japanese|jv Javanese|ka Georgian|kk Kazakh|km Khmer
kn Kannada|ko Korean|ku Kurdish|ky Kyrgyz|la Latin|lb Luxembourgish|lg Ganda|ln Lingala|lo Lao|lt Lithuanian|lv Latvian
mg Malagasy|mk Macedonian|ml Malayalam|mn Mongolian|mr Marathi|ms Malay|mt Maltese|my Burmese|ne Nepali|nl Dutch
nn Norwegian Nynorsk|no Norwegian|oc Occitan|om Oromo|or Odia|pa Punjabi|pl Polish|ps Pashto|pt Portuguese|qu Quechua
ro Romanian|ru Russian|rw Kinyarwanda|sa Sanskrit|se Northern Sami|si Sinhala|sk Slovak|sl Slovenian|sn Shona|so Somali
sq Albanian|sr Serbian|st Southern Sotho|sv Swedish|sw Swahili|ta Tamil|te Telugu|tg Tajik|th Thai|tk Turkmen|tl Tagalog
tr Turkish|tt Tatar|ug Uyghur|uk Ukrainian|ur Urdu|uz Uzbek|vi Vietnamese|vo Volapük|wa Walloon|xh Xhosa|yo Yoruba
zh Chinese|zu Zulu
ace Acehnese|ary Moroccan Arabic|arz Egyptian Arabic|bcl Central Bikol|crh Crimean Tatar|ext Extremaduran
fuv Nigerian Fulfulde|gcf Guadeloupean Creole|gcr Guianese Creole|gom Goan Konkani|grc Ancient Greek|gug Guarani|guw Gun
hbo Biblical Hebrew|kab Kabyle|kik Kikuyu|lij Ligurian|ltg Latgalian|nso Northern Sotho|pcm Nigerian Pidgin
sdh Southern Kurdish|uzs Southern Uzbek|vec Venetian|wuu Wu Chinese|yue Cantonese
"""
NAMES: dict[str, str] = {
    code: name for code, _, name in (each.partition(" ") for each in _WRITTEN.strip().replace("\n", "|").split("|"))
}
"""What py3langid tells apart, by code: ISO 639-1 where that has one, else ISO 639-3."""
SAME_TO_READ = (("bs", "hr", "sr"), ("nn", "no"))
"""Languages whose short texts nobody tells apart."""
_COUNTRIES_AND_OLD = {
    "nb": "no", "iw": "he", "in": "id", "jw": "jv", "fil": "tl", "cn": "zh", "jp": "ja", "kr": "ko", "cz": "cs",
    "dk": "da", "gr": "el", "ua": "uk", "gb": "en", "us": "en", "at": "de", "ch": "de", "by": "be",
}  # fmt: skip


def mistaken(code: str) -> str:
    """What is wrong with the code of a language, and which is meant; "" where it is one."""
    if code in NAMES:
        return ""
    plain = code.strip().casefold()
    first = plain.replace("_", "-").partition("-")[0]
    by_name = {name.casefold(): known for known, name in NAMES.items()}
    near = [*get_close_matches(plain, by_name, n=1, cutoff=0.75)] if len(plain) > 3 else []
    meant = next(
        (each for each in (plain, first, _COUNTRIES_AND_OLD.get(first, ""), *map(by_name.get, near)) if each in NAMES),
        "",
    )
    ask = f"did you mean {meant}? " if meant else ""
    return f"no such language: {code}; {ask}(valid: ISO 639-1 in small letters, such as en; {', '.join(NAMES)})"
