import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from tests.dataset.support import config_of, context_of, rows_of, write
from zantara_exp.core.errors import ConfigError, MissingInputError, ZantaraError
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.sources import fingerprint, open_source

CHAT = [{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Benvenuto a Bali!"}]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "0123456789abcdef0123456789abcdef")


def extracted(*overrides: str) -> list[str]:
    config = config_of("source=jsonl", "source.path=chats.jsonl", *overrides)
    context = context_of(config)
    extract(config, context)
    return [each["timestamp"][:10] for each in rows_of(context.layout.raw_conversations)]


def test_days_limit_models_and_ratings(workdir: Path) -> None:
    days = ["2025-10-01", "2025-11-03", "2025-11-01", "2025-11-02"]
    lines = [{"messages": CHAT, "timestamp": f"{day}T10:00:00Z", "model": "haiku", "rating": 4} for day in days]
    write(Path("chats.jsonl"), [*lines, {**lines[1], "model": "gpt"}])
    assert extracted() == ["2025-11-03", "2025-11-01", "2025-11-02"]
    assert extracted("source.limit=2") == ["2025-11-03", "2025-11-02"]
    assert len(extracted("source.models=[]")) == 4
    assert len(extracted("source.days=60")) == 4
    assert extracted("as_of=2025-11-01") == ["2025-11-01"]
    with pytest.raises(Exception, match="no conversation"):
        extracted("source.min_rating=5")


def test_other_tools_shapes_and_missing_times(workdir: Path) -> None:
    share = [{"from": "human", "value": "Ciao"}, {"from": "gpt", "value": "Benvenuto a Bali!"}]
    write(Path("chats.jsonl"), [{"conversations": share}, {"messages": CHAT}, {"messages": "broken"}])
    assert len(extracted()) == 2
    context = context_of(config_of())
    assert [each["reason"] for each in rows_of(context.layout.quarantine)] == ["not_json"]
    assert json.loads(context.layout.extract_summary.read_text())["rows_read"] == 3


def test_fingerprint_follows_the_file(workdir: Path) -> None:
    write(Path("chats.jsonl"), [{"messages": CHAT}])
    config = config_of("source=jsonl", "source.path=chats.jsonl")
    before = fingerprint(config)
    assert fingerprint(config) == before
    write(Path("chats.jsonl"), [{"messages": CHAT}, {"messages": CHAT}])
    assert fingerprint(config) != before


def test_no_file(workdir: Path) -> None:
    for overrides in (["source.path=none.jsonl"], ["source.path=null"]):
        config = config_of("source=jsonl", *overrides)
        with pytest.raises(MissingInputError):
            extract(config, context_of(config))


def test_dates_that_cannot_be_do_not_move_the_period(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dates = ["2025-11-03", "2099-01-01", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", 10**400]
    write(Path("chats.jsonl"), [{"messages": CHAT, "timestamp": each} for each in dates])
    assert set(extracted("source.days=60")) == {
        "2025-11-03",
        "2025-10-28",
        "2025-10-22",
    }  # the three without a usable time
    said = capsys.readouterr()
    assert "1 conversation is dated later than tomorrow and not read" in said.out + said.err
    write(Path("chats.jsonl"), [{"messages": CHAT, "timestamp": "9999-12-31"}])
    with pytest.raises(MissingInputError, match=r"all 1 conversations of chats\.jsonl are dated later"):
        extracted()
    assert extracted("as_of=9999-12-31") == ["9999-12-31"]


def test_a_rating_that_is_none_counts_as_unrated(workdir: Path) -> None:
    lines = [{"messages": CHAT, "timestamp": "2025-11-03", "rating": each} for each in ("5 stars", "2", {"of": 5}, 4)]
    write(Path("chats.jsonl"), lines)
    assert len(extracted("source.min_rating=3")) == 3


@pytest.mark.parametrize("depth", [150, 700, 900])
def test_a_line_nested_beyond_measure_is_quarantined(
    workdir: Path, capsys: pytest.CaptureFixture[str], depth: int
) -> None:
    good = {"messages": CHAT, "timestamp": "2025-11-03"}
    deep = json.dumps(good)[:-1] + ', "metadata": {"a": ' + "[" * depth + "]" * depth + "}}\n"
    Path("chats.jsonl").write_text(json.dumps(good) + "\n" + deep)
    assert extracted() == ["2025-11-03"]
    said = capsys.readouterr()
    assert "too_deep 1; the first is chats.jsonl, line 2" in " ".join((said.out + said.err).split())
    assert len(rows_of(context_of(config_of()).layout.quarantine)) == 1


POLISH = [{"role": "user", "content": "Gdzie jest mój bilet?"}, {"role": "assistant", "content": "Już wysłałem, tak."}]


def noted(*overrides: str) -> tuple[str, Counter[str], list[str]]:
    """The note of a source, reasons of the quarantine, and all that was written."""
    config = config_of("source=files", "source.models=[]", *overrides)
    context = context_of(config)
    with open_source(config, context.layout) as source:
        note = source.note
    extract(config, context)
    said = [turn["content"] for each in rows_of(context.layout.raw_conversations) for turn in each["messages"]]
    return note, Counter(each["reason"] for each in rows_of(context.layout.quarantine)), said


@pytest.mark.parametrize("encoding", ["cp1250", "iso-8859-2"])
def test_no_letter_is_lost_in_a_file_of_another_encoding(encoding: str, workdir: Path) -> None:
    plain = [{"role": "user", "content": "Thanks a lot"}, {"role": "assistant", "content": "You are welcome."}]
    header, rows = "user_id;messages\n", [("u1", POLISH), ("u2", plain)]
    cells = [(user, json.dumps(chat, ensure_ascii=False).replace('"', '""')) for user, chat in rows]
    text = header + "".join(f'{user};"{chat}"\n' for user, chat in cells)
    Path("chats.csv").write_bytes(text.encode(encoding))
    note, refused, said = noted("source.path=chats.csv")
    assert "source.encoding=cp1250" in note
    assert (refused, said) == ({"not_utf8": 1}, [turn["content"] for turn in plain])
    note, refused, said = noted("source.path=chats.csv", f"source.encoding={encoding}")
    assert (note, refused, len(said)) == ("2 conversations of chats.csv have no time: spread over 30 days", {}, 4)
    assert POLISH[0]["content"] in said
    assert "\ufffd" not in "".join(said)


@pytest.mark.parametrize("name", ["chats.jsonl", "chats.json"])
def test_json_of_another_encoding(name: str, workdir: Path) -> None:
    indent = 2 if name == "chats.json" else None
    record = json.dumps({"user": "ü", "messages": POLISH}, ensure_ascii=False, indent=indent)
    Path(name).write_bytes(record.encode("iso-8859-2"))
    with pytest.raises(ZantaraError, match=r"line 1 is not UTF-8; .*source\.encoding=cp1250"):
        noted(f"source.path={name}")
    assert noted(f"source.path={name}", "source.encoding=latin2")[2] == [turn["content"] for turn in POLISH]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["chats.jsonl", "chats.jsonl.gz", "chats.csv"])
def test_utf_16_is_known_by_its_first_bytes(encoding: str, name: str, workdir: Path) -> None:
    chat = json.dumps(POLISH, ensure_ascii=False)
    line = f"messages\tuser\n{chat}\tu1\n" if "csv" in name else f'{{"messages": {chat}}}\n'
    data = line.encode(encoding)
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert noted(f"source.path={name}")[2] == [turn["content"] for turn in POLISH]


def test_an_encoding_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"source\.encoding=klingon: no such encoding"):
        config_of("source=files", "source.encoding=klingon")


def test_chats_without_users_are_said(workdir: Path) -> None:
    write(Path("chats.jsonl"), [{"messages": CHAT}, {"messages": CHAT, "user": "u1"}])
    note = noted("source.path=chats.jsonl")[0]
    assert "1 conversations of chats.jsonl name no user (source.columns.user=user_id)" in note


@pytest.mark.parametrize(
    "odd", ["\ud800", "a\ud800b", "\x00", [1], {"id": [2]}, {"id": {"id": 3}}, 10**400, True, -1.5, ""]
)
def test_no_value_of_a_record_stops_an_extract(odd: object, workdir: Path) -> None:
    facts = ["id", "user_id", "session_id", "created_at", "model", "rating", "language", "tokens_input", "latency_ms"]
    records = [{"messages": CHAT, fact: odd} for fact in facts]
    said = [json.dumps(record) for record in records]
    said += [json.dumps({"messages": CHAT, fact: "ODD"}).replace('"ODD"', "NaN") for fact in facts]
    Path("chats.jsonl").write_text("\n".join([*said, json.dumps({"id": 1, "messages": odd})]))
    _, refused, written = noted("source.path=chats.jsonl", "source.days=30000")
    assert (refused.total(), len(written)) == (1, 2 * 18)


def test_positions_of_any_kind_are_in_an_order(workdir: Path) -> None:
    said = [(2, "Benvenuto a Bali!", "assistant"), ("1", "Ciao", "user"), (None, "Dove?", "user"), ("x", "Qui.", "bot")]
    records = [{"chat": "c1", "who": who, "text": text, "place": place} for place, text, who in said]
    write(Path("chats.jsonl"), records)
    mapped = ["role=who", "content=text", "session=chat", "position=place"]
    written = noted("source.path=chats.jsonl", *(f"source.columns.{each}" for each in mapped))[2]
    assert written[:2] == ["Ciao", "Benvenuto a Bali!"]
    assert len(written) == 4


def test_ids_that_are_bytes(workdir: Path) -> None:
    table = pyarrow.table({
        "id": [b"\xff\x00" * 8, b"chat-1"], "user_id": [b"u1", b"\xfe"], "score": [float("nan"), 1.0],
        "messages": [json.dumps(CHAT)] * 2,
    })  # fmt: skip
    parquet.write_table(table, "chats.parquet")
    assert noted("source.path=chats.parquet", "source.columns.rating=score")[1] == {}
    ids = [each["conversation_id"] for each in rows_of(context_of(config_of()).layout.raw_conversations)]
    assert ids == ["ff00" * 8, "chat-1"]
