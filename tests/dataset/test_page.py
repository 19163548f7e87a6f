"""The page of stage=analyze: what is on it, and that nothing a user wrote is markup."""

import json
from pathlib import Path

import pytest

from tests.dataset.support import config_of, context_of, record, write
from tests.dataset.test_prepare import chats
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage_table import STAGES
from zantara_exp.dataset.analyze import analyze
from zantara_exp.dataset.labels import confusion
from zantara_exp.dataset.prepare import prepare

HOSTILE = "<script>alert(1)</script> \u202e "
LABELLED = [
    {"text": "Ciao, come stai?", "language": "it", "category": "greeting"},
    {"text": "Berapa biaya visa E33G?", "lang": "id", "category": "business"},
    {"text": "How much is the visa?", "language": "en", "category": "casual"},
    {"text": "Wie geht es dir heute?", "language": "de"},
]


def analyzed(*overrides: str) -> tuple[Layout, str]:
    config = config_of("dataset.balance=none", *overrides)
    context = context_of(config)
    rows = [record("Ciao", HOSTILE + "ok", name="<b>", user="u1", model="<i>haiku</i>", rating=1), *chats(60, 30)]
    rows += [record("Ciao", "no", name="short", user="u2")]
    write(context.layout.raw_conversations, rows)
    analyze(config, context)
    return context.layout, (context.layout.dataset / "analysis.html").read_text()


def test_everything_is_on_it(workdir: Path) -> None:
    _, text = analyzed()
    for words in ("too_short", "2025-W45", "language and category together", "conversations per user", ">short<"):
        assert words in text
    assert "Not prepared from these conversations yet" in text
    assert "set dataset.labelled" in text


def test_chats_are_escaped(workdir: Path) -> None:
    _, text = analyzed("dataset.filters=[low_rating]", "dataset.min_rating=3")
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert "<i>haiku" not in text
    assert "\u202e" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_prepare_adds_the_splits_and_new_data_take_them_off(workdir: Path) -> None:
    layout, _ = analyzed()
    config = config_of("dataset.balance=none")
    prepare(config, context_of(config))
    text = (layout.dataset / "analysis.html").read_text()
    assert "held-out near-duplicates of train" in text
    assert "more Indonesian business conversations" in text
    write(layout.raw_conversations, chats(50, 20))
    analyze(config, context_of(config))
    assert "Not prepared from these conversations yet" in (layout.dataset / "analysis.html").read_text()


def test_labels_beside_those_by_hand(workdir: Path) -> None:
    write(workdir / "labelled.jsonl", LABELLED)
    layout, text = analyzed("dataset.labelled=labelled.jsonl")
    found = json.loads(layout.analysis.read_text())["confusion"]
    assert found["language"]["matrix"] == {"en": {"en": 1}, "id": {"id": 1}, "it": {"it": 1}}
    assert found["language"]["other labels"] == 1
    assert found["category"]["matrix"]["casual"] == {"business": 1}
    assert found["category"]["accuracy"] == pytest.approx(2 / 3)
    assert "by hand (rows), as labelled (columns)" in text


def test_another_file_of_labels_runs_it_anew(workdir: Path) -> None:
    write(workdir / "labelled.jsonl", LABELLED)
    config, analyze = config_of("dataset.labelled=labelled.jsonl"), STAGES["analyze"]
    before = analyze.outside(config)
    assert analyze.outside(config) == before
    write(workdir / "labelled.jsonl", LABELLED[1:])
    assert analyze.outside(config) != before
    assert analyze.outside(config_of()) != before


def test_a_wrong_file_of_labels(workdir: Path) -> None:
    config = config_of()
    with pytest.raises(MissingInputError, match="nowhere"):
        confusion(Path("nowhere.jsonl"), config)
    write(workdir / "labelled.jsonl", [{"texts": "x"}])
    with pytest.raises(ZantaraError, match="line 1 has no `text`"):
        confusion(Path("labelled.jsonl"), config)
