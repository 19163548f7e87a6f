"""The rows that stage=analyze gives out to be labelled: which they are, what they teach and measure once filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataset.support import config_of, context_of, record, rows_of, write
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.category import EXAMPLES, classifier
from zantara_exp.dataset.labelling.export import export
from zantara_exp.dataset.labelling.rows import load
from zantara_exp.dataset.labels import confusion
from zantara_exp.dataset.records import read_conversations
from zantara_exp.privacy.dataset import files

SURE = "Quanto costa il visto E33G, pratica {}?"
UNSURE = "Il mio vicino suona la tromba numero {} di notte"
PLAIN = "domain.examples=null"


def chats(count: int, question: str) -> list[dict[str, object]]:
    names = [f"{question.split()[0]}{number}" for number in range(count)]
    return [
        {**record(question.format(number), "Va bene."), "conversation_id": name, "user": f"u{name}"}
        for number, name in enumerate(names)
    ]


def test_some_by_chance_and_the_least_sure(workdir: Path) -> None:
    config = config_of(PLAIN)
    path, there = Layout(config).to_label, [*chats(500, SURE), *chats(60, UNSURE)]
    assert export(there, {"Quanto1"}, path, config) == (200, 0, 100)
    rows = rows_of(path)
    assert {name: sum(row["drawn"] == name for row in rows) for name in ("random", "unsure")} == {
        "random": 100,
        "unsure": 100,
    }
    # Every chat that no pattern tells is asked, by chance or because of that.
    assert sum(row["text"].startswith("Il mio vicino") for row in rows) == 60
    assert "Quanto1" not in {row["conversation_id"] for row in rows}
    assert list(rows[0]) == ["conversation_id", "user", "text", "language", "category", "by", "drawn"]
    before = path.read_bytes()
    export(there[::-1], {"Quanto1"}, path, config)
    assert path.read_bytes() == before
    assert load(path) == {}  # nobody has said anything yet
    assert path in files(Layout(config))  # from which stage=forget takes a user's lines


def test_a_filled_file_teaches_measures_and_is_kept(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(config_of(PLAIN))
    write(context.layout.raw_conversations, [*chats(130, SURE), *chats(130, UNSURE)])
    path = context.layout.to_label
    export(list(read_conversations(context.layout.raw_conversations)), (), path, config_of(PLAIN))
    filled = [
        {**row, "language": "it", "category": "business" if "visto" in row["text"] else "casual", "by": "ayu"}
        for row in rows_of(path)
    ]
    write(path, filled)
    # The classifier learns from it as it is: what no pattern tells is of the category that was filled in.
    write(workdir / "domain/examples/mine.jsonl", filled)
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", str(workdir))
    question = UNSURE.format("mille")
    assert classifier(config_of(PLAIN)).text(question) == "business"
    found = classifier(config_of("domain.examples=mine")).conversation([question])
    assert (found.category, found.by) == ("casual", EXAMPLES)
    # It measures by what chance drew, the page of stage=label reads it, and nothing writes over it.
    matrix = confusion(path, config_of(PLAIN))["category"]["matrix"]
    assert sum(sum(counts.values()) for counts in matrix.values()) == 100
    assert len(load(path)) == 200
    assert export([], (), path, config_of(PLAIN)).filled == 200
    assert rows_of(path) == filled
