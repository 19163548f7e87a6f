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
