import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.dataset.support import config_of
from zantara_exp.config.languages import NAMES
from zantara_exp.core.errors import ConfigError
from zantara_exp.dataset.language import UNKNOWN, Heard, LanguageDetector, detector
from zantara_exp.dataset.language_scores import REACH, Likely


@pytest.fixture(scope="module")
def shipped() -> LanguageDetector:
    return detector(config_of())


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
    assert only.detect("Buongiorno, tutto bene?") in ("en", "id")  # too short to be told from them
    assert only.heard(["Buongiorno, quanto costa il visto per l'Indonesia?"]) == [Heard(UNKNOWN, "it")]


@pytest.mark.parametrize("ours", [["it", "en", "id"], ["de", "fr", "en"], ["nl", "pl"]])
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Доброго дня, коли приїде моє замовлення?", "uk"),
        ("Siparişim ne zaman gelecek ve kargo ücreti ne kadar?", "tr"),
        ("Haluaisin perua lippuni ja saada rahat takaisin", "fi"),
        ("Nataka kurudisha tiketi yangu na kupata pesa zangu", "sw"),
        ("予約をキャンセルしたいです", "ja"),
        ("我要退款", "zh"),
        ("شكرا", "ar"),
        ("Ευχαριστώ", "el"),
        ("เมื่อไหร่", "th"),
    ],
)
def test_a_language_that_nobody_listed_is_none_of_the_products(ours: list[str], text: str, language: str) -> None:
    assert LanguageDetector(ours, 0.6, {}).heard([text]) == [Heard(UNKNOWN, language)]


@pytest.mark.parametrize(
    ("ours", "text", "language"),
    [
        (["uk", "en"], "Дякую", "uk"),
        (["sr", "en"], "Здраво, када стиже моја пошиљка?", "sr"),
        (["ja", "ko"], "予約", "ja"),
        (["hr", "en"], "Dobar dan, kada stiže moja pošiljka i koliko košta dostava?", "hr"),
        (["no", "en"], "Hei, når kommer bestillingen min og hva koster frakten?", "no"),
        (["hi", "en"], "Hello, when does my order arrive, please?", "en"),
    ],
)
def test_the_products_own_are_not_taken_for_others(ours: list[str], text: str, language: str) -> None:
    assert LanguageDetector(ours, 0.0, {}).heard([text]) == [Heard(language, "")]


def test_every_language_that_can_be_told_has_a_name() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    assert {*NAMES, "zxx"} == set(LanguageIdentifier.from_model_file(MODEL_FILE).labels)  # zxx: no language at all


def test_many_at_once_are_in_what_each_alone_is_in(shipped: LanguageDetector) -> None:
    spanish = "¿Dónde está la biblioteca de la ciudad, por favor?"
    texts = ["Ciao", "", "Quanto costa il visto per un anno?", "x" * 5_000, spanish]
    assert shipped.heard(texts) == [each for text in texts for each in shipped.heard([text])]
    assert shipped.heard(texts)[-1] == Heard(UNKNOWN, "es")
    assert shipped.heard([]) == []


def test_probabilities_are_those_of_the_model_itself() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(["it", "en", "id", "sr"])  # Serbian has a column for each of its scripts
    ours = Likely(model)
    texts = ["Berapa biaya visa kerja untuk perusahaan?", "ÀÈ È VERO", "日本語のテスト", "", "!!", "Колико кошта?"]
    texts += [f"{text} and one more " * 40 for text in texts]
    for text, row in zip(texts, ours.of(texts), strict=True):
        assert dict(model.rank(text)) == pytest.approx(dict(zip(ours.languages, row.tolist(), strict=True)), abs=1e-4)


def test_no_feature_of_the_model_is_longer_than_a_walk_begins_before_its_piece() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    following, row = np.asarray(model.tk_nextmove).reshape(-1, 256), np.asarray(model.tk_row)
    assert not following[:, 0xFF].any()  # what stands in no UTF-8 leads back to the begin
    seen, level, depth = np.zeros(len(row), dtype=bool), np.array([0]), 0
    while True:
        seen[level] = True
        level = np.unique(following[row[level]])
        level = level[~seen[level]]
        if not len(level):
            break
        depth += 1
    assert depth == REACH


def test_an_unknown_language_code_is_named() -> None:
    with pytest.raises(ConfigError, match="does not know qq"):
        LanguageDetector(["it", "qq"], 0.6, {})


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
