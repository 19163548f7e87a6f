"""Exports of Langfuse, OpenAI and Anthropic, and tables of messages: the same chats, users and times come out."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.dataset.support import config_of, context_of, rows_of, write
from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset.exports import moment_of
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.user_hash import hash_user

KEY = "0123456789abcdef0123456789abcdef"
Q, A = "How much is a visa for two people?", "It depends on how long you stay."
ASKED = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": Q}]
SAID = {"role": "assistant", "content": A}
CHAT = [Q, A]
AT = "2025-11-03T10:00:00.000Z"
EPOCH = 1762164000


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    Path("exports").mkdir()


def extracted(*overrides: str) -> tuple[list[dict[str, Any]], list[str]]:
    config = config_of("source=files", "source.path=exports", *overrides)
    context = context_of(config)
    extract(config, context)
    layout = context.layout
    facts = json.loads(layout.extract_summary.read_text())
    written, refused = rows_of(layout.raw_conversations), rows_of(layout.quarantine)
    assert facts["rows_read"] == facts["conversations"] == len(written) + len(refused)
    return written, [each["reason"] for each in refused]


def texts(record: dict[str, Any]) -> list[str]:
    return [message["content"] for message in record["messages"]]


GENERATION = {
    "id": "g1", "traceId": "t1", "type": "GENERATION", "name": "answer", "startTime": AT, "model": "gpt-4o-mini",
    "input": ASKED, "output": SAID, "usage": {"input": 20, "output": 9, "unit": "TOKENS"}, "latency": 1.25,
}  # fmt: skip
TRACE = {
    "id": "t1",
    "timestamp": AT,
    "name": "chat",
    "userId": "anna",
    "sessionId": "s1",
    "metadata": {"model": "gpt-4o-mini"},
}
BODY = {"model": "gpt-4o-mini", "messages": ASKED, "user": "anna"}
COMPLETION = {"id": "chatcmpl-1", "object": "chat.completion", "created": EPOCH, "model": "gpt-4o-mini",
              "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}],
              "usage": {"prompt_tokens": 20, "completion_tokens": 9}}  # fmt: skip
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
           "content": [{"type": "text", "text": A}], "stop_reason": "end_turn",
           "usage": {"input_tokens": 20, "output_tokens": 9}}  # fmt: skip
EXPORTS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "Langfuse, traces": {"traces.jsonl": [{**TRACE, "sessionId": None, "input": {"messages": ASKED}, "output": SAID}]},
    "Langfuse, traces of texts": {"traces.jsonl": [{**TRACE, "input": Q, "output": A}]},
    "Langfuse, traces with observations": {
        "traces.jsonl": [
            {
                **TRACE,
                "input": None,
                "observations": [
                    {"id": "x", "type": "SPAN", "startTime": AT, "input": {"query": "x"}, "output": "y"},
                    {**GENERATION, "traceId": "t1"},
                ],
            }
        ],
    },
    "Langfuse, both tables": {
        "observations.jsonl": [
            {**GENERATION, "id": "g0", "startTime": "2025-11-03T09:59:00Z", "input": "Which tool?", "output": "none"},
            GENERATION,
            {"id": "s1", "traceId": "t1", "type": "SPAN", "startTime": AT, "input": {"a": 1}, "output": {"b": 2}},
        ],
        "traces.jsonl": [{**TRACE, "input": Q, "output": A}],
    },
    "Langfuse, from storage": {
        "observations.jsonl": [
            {
                "id": "g1",
                "trace_id": "t1",
                "type": "GENERATION",
                "start_time": "2025-11-03 10:00:00.000000",
                "user_id": "anna",
                "provided_model_name": "gpt-4o-mini",
                "input": json.dumps(ASKED),
                "output": json.dumps(SAID),
                "usage_details": {"input": 20, "output": 9},
                "metadata": {},
            },
        ],
    },
    "OpenAI, stored completions": {
        "completions.jsonl": [{**COMPLETION, "messages": ASKED, "metadata": {"user_id": "anna"}}]
    },
    "OpenAI, requests and responses": {"log.jsonl": [{"request": BODY, "response": COMPLETION}]},
    "OpenAI, Responses": {
        "responses.jsonl": [
            {
                "id": "resp_1",
                "object": "response",
                "created_at": EPOCH,
                "model": "gpt-4o-mini",
                "user": "anna",
                "input": [{"role": "user", "content": [{"type": "input_text", "text": Q}]}],
                "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": A}]}],
            }
        ],
    },
    "OpenAI, fine-tuning": {"train.jsonl": [{"messages": [*ASKED, SAID], "user": "anna", "created": EPOCH}]},
    "OpenAI, preferences": {
        "dpo.jsonl": [
            {
                "input": {"messages": ASKED},
                "preferred_output": [SAID],
                "user": "anna",
                "created": EPOCH,
                "non_preferred_output": [{"role": "assistant", "content": "No."}],
            }
        ],
    },
    "OpenAI, a batch": {
        "input.jsonl": [{"custom_id": "r-1", "method": "POST", "url": "/v1/chat/completions", "body": BODY}],
        "output.jsonl": [
            {
                "id": "batch_req_1",
                "custom_id": "r-1",
                "error": None,
                "response": {"status_code": 200, "request_id": "x", "body": COMPLETION},
            }
        ],
    },
    "Anthropic, a batch": {
        "requests.jsonl": [
            {
                "custom_id": "r-1",
                "params": {
                    "model": "claude-haiku-4-5",
                    "system": "Be kind",
                    "max_tokens": 9,
                    "messages": ASKED[1:],
                    "metadata": {"user_id": "anna"},
                },
            }
        ],
        "results.jsonl": [{"custom_id": "r-1", "result": {"type": "succeeded", "message": MESSAGE}}],
    },
    "Anthropic, requests and responses": {
        "log.jsonl": [{"timestamp": AT, "user_id": "anna", "request": {"messages": ASKED[1:]}, "response": MESSAGE}],
    },
    "Anthropic, conversations": {
        "conversations.jsonl": [
            {
                "uuid": "5f0c6a1b-9d3e-4f77-88aa-0c1d2e3f4a5b",
                "name": "Visa",
                "created_at": AT,
                "account": {"uuid": "anna"},
                "chat_messages": [
                    {"uuid": "a", "sender": "human", "text": Q, "content": [{"type": "text", "text": Q}]},
                    {"uuid": "b", "sender": "assistant", "text": A, "content": []},
                ],
            }
        ],
    },
    "messages": {
        "messages.jsonl": [
            {
                "id": 2,
                "conversation_id": "c-1",
                "role": "assistant",
                "content": A,
                "created_at": EPOCH,
                "user_id": None,
            },
            {
                "id": 1,
                "conversation_id": "c-1",
                "role": "user",
                "content": Q,
                "created_at": EPOCH - 9,
                "user_id": "anna",
            },
        ],
    },
    "messages of LangChain": {
        "messages.jsonl": [
            {
                "session_id": "c-1",
                "user_id": "anna",
                "created_at": AT,
                "message": {"type": "human", "data": {"content": Q}},
            },
            {
                "session_id": "c-1",
                "user_id": "anna",
                "created_at": AT,
                "message": {"type": "ai", "data": {"content": A}},
            },
        ],
    },
}


@pytest.mark.parametrize("tool", EXPORTS)
def test_every_export_holds_the_same_chat(tool: str) -> None:
    for name, rows in EXPORTS[tool].items():
        write(Path("exports") / name, rows)
    (record,), refused = extracted()
    assert (texts(record), refused) == (CHAT, [])
    assert record["user"] == hash_user("anna", KEY.encode())
    assert record["metadata"]["model"] in ("gpt-4o-mini", "claude-haiku-4-5", "haiku (assumed)")
    if tool != "Anthropic, a batch":  # which has no times
        assert record["timestamp"] == AT


def test_an_export_as_csv(workdir: Path) -> None:
    with Path("exports/traces.csv").open("w", newline="") as out:
        rows = csv.DictWriter(out, ["id", "timestamp", "userId", "sessionId", "input", "output"])
        rows.writeheader()
        rows.writerow(
            {
                "id": "t1",
                "timestamp": AT,
                "userId": "anna",
                "input": json.dumps({"messages": ASKED}),
                "output": json.dumps(SAID),
            }
        )
        rows.writerow({"id": "t2", "timestamp": AT, "userId": "bert", "input": json.dumps(Q), "output": json.dumps(A)})
    found, _ = extracted()
    assert [texts(record) for record in found] == [CHAT, CHAT]


def test_traces_of_one_session_are_one_chat() -> None:
    more = [
        {**TRACE, "id": f"t{n}", "timestamp": f"2025-11-03T10:0{n}:00Z", "input": f"{Q} {n}", "output": f"{A} {n}"}
        for n in (2, 1, 3)
    ]
    write(Path("exports/traces.jsonl"), more)
    (record,), _ = extracted()
    assert texts(record) == [text for n in (1, 2, 3) for text in (f"{Q} {n}", f"{A} {n}")]


def test_messages_under_names_of_the_products_own() -> None:
    write(
        Path("exports/messages.jsonl"),
        [
            {"nr": 1, "chat": {"id": "c-1"}, "who": "Guest", "said": Q, "at": EPOCH, "by": "anna", "place": 1},
            {"nr": 3, "chat": {"id": "c-1"}, "who": "Agent", "said": A, "at": EPOCH, "by": "zantara", "place": 2},
            {"nr": 4, "chat": {"id": "c-1"}, "who": "tool", "at": EPOCH, "place": 3},
        ],
    )
    mapped = ("session=chat.id", "role=who", "content=said", "created_at=at", "user=by", "id=nr", "position=place")
    (record,), _ = extracted(*(f"source.columns.{each}" for each in mapped), "source.roles.assistant=[Agent]")
    assert texts(record) == CHAT
    assert record["user"] == hash_user("anna", KEY.encode())


def test_chats_under_names_of_the_products_own() -> None:
    write(
        Path("exports/chats.jsonl"),
        [{"nr": 7, "data": {"log": [*ASKED, SAID], "who": "anna"}, "at": AT, "llm": "haiku"}],
    )
    mapped = ("messages=data.log", "user=data.who", "created_at=at", "id=nr", "model=llm")
    (record,), _ = extracted(*(f"source.columns.{each}" for each in mapped))
    assert (texts(record), record["metadata"]["model"], record["timestamp"]) == (CHAT, "haiku", AT)


def test_what_is_no_conversation_is_quarantined_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    good = {"messages": [*ASKED, SAID], "user_id": "anna", "timestamp": AT}
    lines = [json.dumps(good), "{", json.dumps({"x": 1}), json.dumps(good | {"id": "c-2"}), "3"]
    Path("exports/chats.jsonl").write_text("\n".join(lines) + "\n")
    write(Path("exports/answers.jsonl"), [EXPORTS["OpenAI, a batch"]["output.jsonl"][0]])
    found, refused = extracted()
    assert len(found) == 2
    assert sorted(refused) == ["no_messages", "no_question", "not_a_message", "not_json"]
    places = [each["place"] for each in rows_of(context_of(config_of()).layout.quarantine)]
    assert places == ["exports/answers.jsonl, line 1", *(f"exports/chats.jsonl, line {n}" for n in (2, 3, 5))]
    assert "4 records of exports cannot be read" in capsys.readouterr().out


def test_nothing_but_broken_records_is_an_error_that_names_the_first() -> None:
    Path("exports/chats.jsonl").write_text("{\n3\n")
    with pytest.raises(ZantaraError, match=r"exports holds no conversation: exports/chats\.jsonl, line 1 is no JSON"):
        extracted()


def test_requests_that_nobody_answered_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    batch = EXPORTS["OpenAI, a batch"]
    write(Path("exports/input.jsonl"), [{**batch["input.jsonl"][0], "custom_id": f"r-{n}"} for n in (1, 2)])
    write(Path("exports/output.jsonl"), batch["output.jsonl"])
    assert len(extracted()[0]) == 1
    assert "no conversations of their own: 1 requests without an answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2025-11-03T10:00:00Z", True), ("2025-11-03 10:00:00 UTC", True), ("2025-11-03 12:00:00+02:00", True),
        ("Mon, 03 Nov 2025 10:00:00 GMT", True), (EPOCH, True), (EPOCH * 1000, True), (EPOCH * 10**6, True),
        (EPOCH * 10**9, True), (str(EPOCH), True), (f"{EPOCH}000", True), (f"{EPOCH}.0", True), (float(EPOCH), True),
        (datetime(2025, 11, 3, 10), True), (datetime(2025, 11, 3, 10, tzinfo=UTC), True),
        ("yesterday", False), ("2025-02-30", False), ("", False), (None, False), ([], False), ({}, False),
        ("12", False), (10**400, False), (float("nan"), False),
    ],
)  # fmt: skip
def test_times_as_exports_write_them(value: object, read: bool) -> None:
    assert moment_of(value) == (datetime(2025, 11, 3, 10, tzinfo=UTC) if read else None)
    assert moment_of(date(2025, 11, 3)) == datetime(2025, 11, 3, tzinfo=UTC)
