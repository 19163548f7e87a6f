from pathlib import Path

import pytest

from tests.dataset.support import config_of, record, write
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset import conversation_facts
from zantara_exp.dataset.conversation_facts import Known, facts_of, texts_of

GOOD = "Certo, il visto dura sessanta giorni e si può prorogare due volte."
CHATS = [
    record("Quanto dura il visto?", GOOD, name="a"),
    record("Quanto dura?", "Ok.", "E il visto per un anno?", GOOD, name="b", session="s"),
    record("Quanto dura?", "Ok.", name="a"),
]


def shown(each: Known) -> tuple[object, ...]:
    return each.name, each.turns, each.left, each.reason, each.dropped


def test_facts_and_texts(tmp_path: Path) -> None:
    write(path := tmp_path / "raw.jsonl", CHATS)
    facts = facts_of(path, config_of())
    assert list(map(shown, facts.known)) == [
        ("a", 1, 1, "", ()),
        ("b", 2, 1, "", ((0, "too_short"),)),
        ("a#2", 1, 0, "too_short", ()),  # the database's key may be none
    ]
    assert facts.known[0].row().turns == facts.known[0].row().turns != facts.known[1].row().turns[1:]
    assert len(facts.marks.exact) == 3
    assert facts.answered.chat.tolist() == [0, 1]
    assert facts.answered.keys[0, 0] == facts.answered.keys[1, 0]  # one answer to two questions
    assert facts.answered.keys[0, 1] != facts.answered.keys[1, 1]
    with texts_of(path, facts.known) as texts:
        assert texts.whole(2) == CHATS[2] | {"conversation_id": "a#2"}
        assert texts.left(0) == CHATS[0]
        assert [each["content"] for each in texts.left(1)["messages"]] == ["E il visto per un anno?", GOOD]
        assert "anno" in texts.words(1)
        assert "ok" not in texts.words(1)


def test_parts_of_a_file_make_the_same_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path := tmp_path / "raw.jsonl", CHATS * 3)
    whole = facts_of(path, config_of())
    monkeypatch.setattr(conversation_facts, "_BYTES", 500)
    parts = facts_of(path, config_of())
    assert list(map(shown, parts.known)) == list(map(shown, whole.known))
    assert [each.at for each in parts.known] == [each.at for each in whole.known]
    assert parts.marks.bands.tolist() == whole.marks.bands.tolist()
    assert parts.answered.chat.tolist() == whole.answered.chat.tolist()


@pytest.mark.slow
def test_processes_make_the_same_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path := tmp_path / "raw.jsonl", CHATS * 200)
    alone = facts_of(path, config_of())
    monkeypatch.setattr(conversation_facts, "_MANY_BYTES", 0)
    monkeypatch.setattr(conversation_facts, "_BYTES", 5_000)
    spread = facts_of(path, config_of())
    assert list(map(shown, spread.known)) == list(map(shown, alone.known))
    assert spread.marks.bands.tolist() == alone.marks.bands.tolist()


@pytest.mark.parametrize(
    ("line", "said"), [("{", "line 4: "), ('{"user": "u"}', "line 4 is no conversation as stage=extract writes them")]
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str, said: str) -> None:
    write(path := tmp_path / "raw.jsonl", CHATS)
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(ZantaraError, match=said):
        facts_of(path, config_of())
    with pytest.raises(MissingInputError, match="stage=extract writes it"):
        facts_of(tmp_path / "none.jsonl", config_of())
