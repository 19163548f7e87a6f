"""source=shadow_log: what the candidate failed or lost becomes a conversation with the primary's answer."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.dataset.support import config_of, context_of, rows_of
from zantara_exp.core.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.cost.usage import Usage
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.review.labels import Label
from zantara_exp.shadow.record import Comparison, Side, to_line

KEY = "0123456789abcdef0123456789abcdef"
ASKED = Comparison(
    comparison_id="c1",
    request_id="r1",
    conversation_id="chat",
    epoch="e1",
    arm="candidate",
    timestamp=datetime(2025, 11, 3, 10, tzinfo=UTC),
    messages=[
        {"role": "system", "content": "You are ZANTARA"},
        {"role": "user", "content": "Ciao, quanto costa il visto E33G?"},
    ],
    user="a1b2c3d4e5f60718",
    query="Ciao, quanto costa il visto E33G?",
    category="business",
    language="it",
    primary=Side(response="Il visto E33G costa 13 milioni di rupie.", model="haiku", usage=Usage(40), latency_ms=900.0),
    candidate=Side(response="Non so.", model="tiny"),
)
FAILED = Side(error="timeout")


def log(folder: Path, *items: Comparison) -> None:
    path = folder / "logs" / "shadow_mode" / "shadow_comparison_2025-11-03.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(to_line, items)))


def review(folder: Path, comparison: str, verdict: str, bug: bool = False) -> None:
    path = folder / "reports" / "review.jsonl"
    path.parent.mkdir(exist_ok=True)
    pair = len(path.read_text().splitlines()) if path.exists() else 0
    with path.open("a") as file:
        file.write(json.dumps(asdict(Label("s", pair, comparison, "anna", verdict, bug))) + "\n")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)


def extracted() -> list[dict[str, object]]:
    config = config_of("source=shadow_log")
    context = context_of(config)
    extract(config, context)
    return rows_of(context.layout.raw_conversations)


def test_what_failed_or_lost(workdir: Path) -> None:
    log(
        workdir,
        replace(ASKED, comparison_id="fine", request_id="fine"),
        replace(ASKED, comparison_id="failed", request_id="failed", candidate=FAILED),
        replace(ASKED, comparison_id="worse", request_id="worse"),
        replace(ASKED, comparison_id="bug", request_id="bug"),
        replace(ASKED, comparison_id="better", request_id="better"),
        replace(ASKED, comparison_id="both", request_id="both", candidate=FAILED, primary=Side(error="recorded_error")),
        replace(ASKED, comparison_id="noise", request_id="noise", arm="aa", candidate=FAILED),
    )
    review(workdir, "worse", "worse")
    review(workdir, "bug", "better", bug=True)
    review(workdir, "better", "better")
    rows = extracted()
    assert {row["conversation_id"] for row in rows} == {
        hash_user(name, KEY.encode()) for name in ("failed", "worse", "bug")
    }
    assert rows[0]["user"] == ASKED.user  # hashed already, so not again
    assert rows[0]["messages"] == [
        {"role": "user", "content": ASKED.query},
        {"role": "assistant", "content": ASKED.primary.response},
    ]
    assert rows[0]["metadata"]["category"] == "business"  # type: ignore[index]


def test_an_answer_with_a_flaw_that_can_be_seen_is_lost(workdir: Path) -> None:
    cut = Side(response="Il visto E33G costa tredici milioni di rupie e,", model="tiny")
    both = replace(ASKED.primary, response="Il visto E33G costa,")
    log(
        workdir,
        replace(ASKED, comparison_id="fine", request_id="fine"),
        replace(ASKED, comparison_id="cut", request_id="cut", category="casual", candidate=cut),
        replace(ASKED, comparison_id="alike", request_id="alike", candidate=cut, primary=both),
        replace(ASKED, comparison_id="failed", request_id="failed", candidate=FAILED),
    )
    assert {row["conversation_id"] for row in extracted()} == {hash_user(n, KEY.encode()) for n in ("cut", "failed")}


def test_a_request_of_two_epochs_counts_once(workdir: Path) -> None:
    log(workdir, replace(ASKED, candidate=FAILED), replace(ASKED, comparison_id="c2", epoch="e2", candidate=FAILED))
    assert len(extracted()) == 1


def test_production_s_own_log(workdir: Path) -> None:
    """Version 1 holds users as they are: they are hashed with the key of extract, so they keep their split."""
    line = {
        "timestamp": "2025-11-03T08:14:05", "user_id": "user-77", "query": "Ciao, come stai?", "category": "greeting",
        "claude": {"response": "Ciao! Tutto bene.", "model": "claude-3-5-haiku"},
        "llama": {"response": "", "error": "timeout"},
    }  # fmt: skip
    log(workdir)
    (workdir / "logs/shadow_mode/shadow_comparison_2025-11-03.jsonl").write_text(json.dumps(line) + "\n")
    (row,) = extracted()
    assert row["user"] == hash_user("user-77", KEY.encode())


def test_nothing_lost_and_no_log(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInputError, match="holds no comparison log"):
        extracted()
    log(workdir, ASKED)
    with pytest.raises(ZantaraError, match="no conversation"):
        extracted()
    monkeypatch.delenv("ZANTARA_HASH_KEY")
    with pytest.raises(MissingRequirementError, match="ZANTARA_HASH_KEY"):
        extracted()
