"""What is one product's alone stands in conf/domain: none of its words stands in the package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from tests.composing import composed
from zantara_exp.config import CONF, compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.dataset.category import classifier

PACKAGE = CONF.parent / "zantara_exp"
DOMAINS = sorted(path.stem for path in (CONF / "domain").glob("*.yaml"))
PRODUCTS_OWN = (
    "visas?|kitas|kitap|npwp|pt pma|leasehold|passports?|malu|kesepian|bali|canggu|rupiah|indonesia|denpasar|"
    "refund(?:s|ed|ing)?|rückgabe|bestellung|remboursement|warranty|parcels?|kettle|feldlicht|"
    "greetings?|casual|smalltalk|chit-?chat|"
    "ciao|salve|buongiorno|halo|selamat|hallo|moin|bonjour|salut"
)
"""Words that one product's chats, prices and manners are told by; the demos' own places and codes are added."""
EXCEPTIONS = {
    # What personal data look like is told by country, for all products (docs/data-protection.md).
    "dataset/personal/": ".*",
    "config/data.py": "indonesia",
    "config/languages.py": ".*",
    # The report can be written in Italian, whatever the product speaks.
    "analysis/italian.py": ".*",
    "analysis/translation.py": "italian",
    # Tickets, completion and return rate: a source of metrics by this name, and no kind of chat.
    "config/business.py": "business",
    "analysis/business.py": "business",
    # What is suggested where nothing is known of the product.
    "cli/init.py": "smalltalk",
    # Measured on other people's chats, and said where the limit stands that it led to.
    "dataset/language.py": "french|italian",
}
"""Path in the package -> what may stand there, and why."""


def _told(path: Path, words: Iterable[str], where: str = r"(?<!\w){}(?!\w)") -> list[str]:
    name = str(path.relative_to(PACKAGE))
    allowed = "|".join(allowed for start, allowed in EXCEPTIONS.items() if name.startswith(start))
    pattern = re.compile(where.format(f"(?P<word>{'|'.join(words)})"), re.IGNORECASE)
    return [
        f"{name}:{number} {found['word']}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for found in pattern.finditer(line)
        if not (allowed and re.fullmatch(allowed, found["word"], re.IGNORECASE))
    ]


def _files() -> list[Path]:
    kinds = (".py", ".html", ".jinja", ".js", ".css")
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in kinds)


def _names() -> tuple[set[str], set[str]]:
    """Of all domains: categories, and what else only a product would say."""
    categories, words = set(), set()
    for name in DOMAINS:
        domain = composed(f"domain={name}").domain
        categories |= set(domain.categories)
        words |= {language.name for language in domain.languages.values()} - {"English"}  # ours as well
        words |= {domain.name}
        demo = orjson.loads((CONF / "domain" / "demo" / f"{domain.demo}.json").read_bytes())
        words |= {*demo["areas"], *demo["items"]} - {"B1"}
        words |= {town for said in demo["languages"].values() for town in said["towns"]}
    return categories, words


def test_no_word_of_a_product_stands_in_code() -> None:
    categories, words = _names()
    anywhere = [*map(re.escape, words), PRODUCTS_OWN]
    found = [
        told
        for path in _files()
        for told in [*_told(path, map(re.escape, categories), r"""(["'`]){}\1"""), *_told(path, anywhere)]
    ]
    assert found == [], "say it by config.domain, in other words, or add why it may stand to EXCEPTIONS"


def test_the_test_finds_what_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.config.test_domain.PACKAGE", tmp_path)
    categories, words = _names()
    assert {"greeting", "casual", "business", "smalltalk", "orders", "technical", "refunds"} == categories
    assert {"Italian", "French", "Bali Zero", "Feldlicht", "Ubud", "Bremen", "Palermo"} <= words
    (tmp_path / "dataset").mkdir()
    code = tmp_path / "dataset" / "language.py"
    code.write_text('if category == "orders":\n    "a French text, in German, about a Refund"\n')
    assert _told(code, categories, r"""(["'`]){}\1""") == ["dataset/language.py:1 orders"]
    assert _told(code, [*words, PRODUCTS_OWN]) == ["dataset/language.py:2 German", "dataset/language.py:2 Refund"]


@pytest.mark.parametrize("name", DOMAINS)
def test_what_the_samples_ask_is_sorted_as_it_says_and_moves_where_it_may(name: str) -> None:
    """A rehearsal whose questions are not sure to move has no evidence, and a rollout's test asks what nobody would."""
    config = composed(f"domain={name}")
    sort = classifier(config)
    asked = [
        (text, category)
        for said in config.domain.samples.values()
        for category, texts in said.items()
        for text in texts
    ]
    assert {category for _, category in asked} == set(config.domain.categories)
    told = [(text, sort.conversation([text])) for text, _ in asked]
    assert [(text, found.category) for text, found in told] == asked
    assert [text for text, found in told if not found.sure] == []


def test_every_exception_is_needed() -> None:
    names = [str(path.relative_to(PACKAGE)) for path in _files()]
    for start, allowed in EXCEPTIONS.items():
        texts = [(PACKAGE / name).read_text(encoding="utf-8") for name in names if name.startswith(start)]
        assert any(re.search(rf"(?i)(?<!\w)(?:{allowed})(?!\w)", text) for text in texts), start


def test_a_domain_names_the_language_of_its_report() -> None:
    assert compose(["domain.report_language=it"]).report.language == "it"
    assert compose(["domain.report_language=it", "report=weekly", "report.language=en"]).report.language == "en"
    with pytest.raises(ConfigError, match=r"domain\.report_language.*nl.*en, it"):
        compose(["domain.report_language=nl"])
