import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.dataset.support import config_of
from zantara_exp.config.data import Dataset
from zantara_exp.dataset.language import UNKNOWN, LanguageDetector, detector
from zantara_exp.errors import ConfigError


@pytest.fixture(scope="module")
def shipped() -> LanguageDetector:
    return detector(config_of().dataset)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ciao", "it"),
        ("Ciao!", "it"),
        ("Come stai?", "it"),
        ("Hello", "en"),
        ("Hi", "en"),
        ("Halo", "id"),
        ("Apa kabar?", "id"),
        ("Grazie mille", "it"),
        ("Terima kasih", "id"),
        ("the person I met is an expert", "en"),  # holds the Italian "per"; production's substrings said Italian
        ("Quanto costa il visto E33G?", "it"),
        ("Berapa biaya visa E33G?", "id"),
        ("", UNKNOWN),
        ("12345 [EMAIL_1] https://example.com/ciao", UNKNOWN),
    ],
)
def test_languages(shipped: LanguageDetector, text: str, language: str) -> None:
    assert shipped.detect(text) == language


def test_only_configured_languages() -> None:
    only = LanguageDetector(["en", "id"], 0.0, {})
    assert only.detect("Buongiorno, quanto costa il visto per l'Indonesia?") in ("en", "id")


def test_an_unknown_language_code_is_named() -> None:
    with pytest.raises(ConfigError, match="does not know qq"):
        detector(Dataset(languages=["it", "qq"]))


def test_accuracy_on_real_chats(shipped: LanguageDetector, real_data: Path) -> None:
    hits: Counter[tuple[str, bool]] = Counter()
    rows: Counter[tuple[str, bool]] = Counter()
    with gzip.open(real_data / "chat_language_dev.jsonl.gz", "rt") as file:
        for line in file:
            row = json.loads(line)
            if row["lang"] in ("it", "en", "id"):
                key = row["lang"], len(row["text"].split()) >= 4
                rows[key] += 1
                hits[key] += shipped.detect(row["text"]) == row["lang"]

    def macro(lengths: tuple[bool, ...]) -> float:
        each = [sum(hits[x, y] for y in lengths) / sum(rows[x, y] for y in lengths) for x in ("it", "en", "id")]
        return sum(each) / 3

    assert macro((True, False)) >= 0.97
    assert macro((True,)) >= 0.99
