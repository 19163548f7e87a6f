import json
from pathlib import Path

import pytest

from tests.dataset.support import config_of, context_of, rows_of, write
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.sources import fingerprint
from zantara_exp.errors import MissingInputError

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
    assert "1 conversations are dated later than tomorrow and not read" in said.out + said.err
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
    assert "chats.jsonl, line 2 is nested too deeply" in " ".join((said.out + said.err).split())
    assert len(rows_of(context_of(config_of()).layout.quarantine)) == 1
