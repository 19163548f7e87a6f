"""Chats as products and libraries keep them: the same chat is read out of each."""

import json
from typing import Any

import pytest

from zantara_exp.dataset.chat_items import NotSaidError, said_by
from zantara_exp.dataset.messages import Malformed, parse_messages

Q, A = "How much is a visa?", "It depends on how long you stay."
CHAT = [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]
CALL = {"id": "1", "type": "function", "function": {"name": "price", "arguments": "{}"}}

SAME: dict[str, Any] = {
    "OpenAI": [
        {"role": "developer", "content": "Be kind"},
        {"role": "user", "content": Q},
        {"role": "assistant", "content": A},
    ],
    "OpenAI, parts": [
        {"role": "user", "content": [{"type": "text", "text": Q}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": A}]},
    ],
    "OpenAI, a tool": [
        {"role": "user", "content": Q},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "31"},
        {"role": "assistant", "content": A},
    ],
    "OpenAI, a function of old": [
        {"role": "user", "content": Q},
        {"role": "assistant", "content": "", "function_call": {"name": "price", "arguments": "{}"}},
        {"role": "function", "name": "price", "content": "31"},
        {"role": "assistant", "content": A},
    ],
    "OpenAI, request and response": {
        "messages": [{"role": "user", "content": Q}],
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": A}, "finish_reason": "stop"},
            {"message": {"role": "assistant", "content": "Another"}},
        ],
    },
    "OpenAI, a refusal": [{"role": "user", "content": Q}, {"role": "assistant", "content": None, "refusal": A}],
    "OpenAI Assistants": [
        {"role": "user", "content": [{"type": "text", "text": {"value": Q, "annotations": []}}]},
        {"role": "assistant", "content": [{"type": "text", "text": {"value": A, "annotations": []}}]},
    ],
    "Responses": {
        "instructions": "Be kind",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": Q}, {"type": "input_image", "image_url": "x"}]}
        ],
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "price", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "31"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": A, "annotations": []}],
            },
        ],
    },
    "Responses, its texts": {"input": Q, "output_text": A},
    "Responses, a refusal": [
        {"role": "user", "content": Q},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": A}]},
    ],
    "Anthropic": [
        {"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": Q}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "tool_use", "id": "1", "name": "price", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "31"}]}],
        },
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": A}]},
    ],
    "Anthropic, an answer that cites": [
        {"role": "user", "content": Q},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "1",
                    "content": [{"type": "web_search_result", "text": "31"}],
                },
                {"type": "text", "text": "It depends on "},
                {"type": "text", "text": "how long", "citations": []},
                {"type": "text", "text": " you stay"},
                {"type": "text", "text": "."},
            ],
        },
    ],
    "Anthropic, request and response": {
        "request": {"model": "claude", "system": "Be kind", "messages": [{"role": "user", "content": Q}]},
        "response": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": A}],
            "stop_reason": "end_turn",
        },
    },
    "Gemini": {
        "systemInstruction": {"parts": [{"text": "Be kind"}]},
        "contents": [
            {"parts": [{"text": Q}, {"inlineData": {"mimeType": "image/png", "data": "x"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "price", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "price", "response": {"text": "31"}}}]},
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": A, "thoughtSignature": "x"}]},
        ],
    },
    "Gemini, request and response": {
        "request": {"contents": [{"role": "user", "parts": [{"text": Q}]}]},
        "response": {"candidates": [{"content": {"role": "model", "parts": [{"text": A}]}, "finishReason": "STOP"}]},
    },
    "Gemini, the old library": [{"role": "user", "parts": [Q]}, {"role": "model", "parts": A}],
    "Bedrock": [
        {"role": "user", "content": [{"text": Q}, {"document": {"name": "x"}}]},
        {
            "role": "assistant",
            "content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"toolUse": {"toolUseId": "1"}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "31"}]}}]},
        {"role": "assistant", "content": [{"text": A}]},
    ],
    "Vercel 5": [
        {
            "id": "1",
            "role": "user",
            "parts": [{"type": "text", "text": Q}, {"type": "file", "mediaType": "image/png", "url": "x"}],
        },
        {
            "id": "2",
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm."},
                {"type": "tool-price", "toolCallId": "1", "state": "output-available", "input": {}, "output": "31"},
                {"type": "dynamic-tool", "toolName": "x", "state": "output-available", "output": "31"},
                {"type": "step-start"},
                {"type": "text", "text": A, "state": "done"},
                {"type": "source-url", "sourceId": "1", "url": "x", "title": "31"},
            ],
        },
    ],
    "Vercel 4": [
        {"id": "1", "role": "user", "content": Q, "parts": [{"type": "text", "text": Q}]},
        {"id": "2", "role": "data", "content": "", "data": {"seen": True}},
        {
            "id": "3",
            "role": "assistant",
            "content": "",
            "toolInvocations": [{"state": "result", "toolName": "price", "result": "31"}],
        },
        {
            "id": "4",
            "role": "assistant",
            "content": A,
            "parts": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": A}],
        },
    ],
    "Vercel, model messages": [
        {"role": "user", "content": [{"type": "text", "text": Q}]},
        {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "1", "toolName": "price", "input": {}}]},
        {
            "role": "tool",
            "content": [{"type": "tool-result", "toolCallId": "1", "output": {"type": "text", "value": "31"}}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": A}]},
    ],
    "Vercel, parts kept as text": [
        {"role": "user", "content": json.dumps([{"type": "text", "text": Q}])},
        {
            "role": "assistant",
            "content": json.dumps([{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": A}]),
        },
    ],
    "LangChain": [
        {"type": "system", "data": {"content": "Be kind", "type": "system"}},
        {"type": "human", "data": {"content": Q, "type": "human", "additional_kwargs": {}}},
        {
            "type": "ai",
            "data": {"content": "", "type": "ai", "additional_kwargs": {"tool_calls": [CALL]}, "tool_calls": []},
        },
        {"type": "tool", "data": {"content": "31", "type": "tool", "tool_call_id": "1"}},
        {"type": "ai", "data": {"content": [{"type": "text", "text": A}], "type": "ai"}},
    ],
    "LangChain, dumped": [
        {"type": "human", "content": Q, "id": None},
        {"type": "AIMessageChunk", "content": A, "tool_calls": []},
    ],
    "LangChain, serialised": [
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "messages", "HumanMessage"],
            "kwargs": {"content": Q, "type": "human"},
        },
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "messages", "AIMessage"],
            "kwargs": {"content": A},
        },
    ],
    "LangChain, tuples": [["human", Q], ["ai", A]],
    "LangChain, its history of chats": [
        {"type": "chat", "data": {"role": "user", "content": Q}},
        {"type": "chat", "data": {"role": "assistant", "content": A}},
    ],
    "LangChain, lines of Redis": [
        json.dumps({"type": "human", "data": {"content": Q}}),
        json.dumps({"type": "ai", "data": {"content": A}}),
    ],
    "LangSmith": {
        "inputs": {"messages": [[{"type": "human", "content": Q}]]},
        "outputs": {
            "generations": [
                [
                    {
                        "text": A,
                        "message": {"lc": 1, "type": "constructor", "id": ["AIMessage"], "kwargs": {"content": A}},
                    }
                ]
            ]
        },
    },
    "LangGraph": {
        "input": {"messages": [{"type": "human", "content": Q}]},
        "output": {"messages": [{"type": "human", "content": Q}, {"type": "ai", "content": A}]},
    },
    "a chain of texts": {"input": {"input": Q, "chat_history": []}, "output": {"output": A}},
    "ShareGPT": {
        "conversations": [
            {"from": "system", "value": "Be kind"},
            {"from": "human", "value": Q},
            {"from": "function_call", "value": "{}"},
            {"from": "observation", "value": "31"},
            {"from": "gpt", "value": A},
        ]
    },
    "an app of Anthropic's": {
        "uuid": "1",
        "chat_messages": [
            {"sender": "human", "text": Q, "content": [{"type": "text", "text": Q}]},
            {"sender": "assistant", "text": "", "content": [{"type": "text", "text": A}]},
        ],
    },
    "an app of OpenAI's": [
        {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [Q]}},
        {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": [A]}},
    ],
    "question and answer": {"question": Q, "answer": A},
    "twice a text": json.dumps(json.dumps(CHAT)),
    "a retry": [CHAT[0], CHAT[0], CHAT[1]],
    "an opening prompt again and again": [
        {"role": "system", "content": "x"},
        CHAT[0],
        {"role": "system", "content": "x"},
        CHAT[1],
    ],
}


@pytest.mark.parametrize("shape", SAME)
def test_every_shape_holds_the_same_chat(shape: str) -> None:
    assert parse_messages(SAME[shape]) == CHAT


def said(*texts: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in texts]


def test_several_in_a_row_become_one_where_the_config_says_so() -> None:
    chat = said(("user", "Hi"), ("user", Q), ("assistant", A), ("assistant", "Shall I go on?"))
    assert parse_messages(chat) == said(("user", f"Hi\n{Q}"), ("assistant", f"{A}\nShall I go on?"))
    assert parse_messages(chat, join=False) == chat


def test_what_stood_on_both_sides_of_a_tool_is_one_answer() -> None:
    chat = [*said(("user", Q), ("assistant", "Let me see.")), {"role": "tool", "content": "31"}, CHAT[1]]
    assert parse_messages(chat, join=False) == said(("user", Q), ("assistant", f"Let me see.\n{A}"))


def test_a_picture_alone_goes_with_its_answer() -> None:
    picture = [{"type": "image", "source": {}}]
    alone = said(("user", picture), ("assistant", "A passport."))
    assert parse_messages([*alone, *CHAT]) == CHAT
    assert parse_messages([*CHAT, *alone]) == CHAT
    assert parse_messages(said(("user", picture), ("user", Q), ("assistant", A))) == CHAT
    with pytest.raises(Malformed, match="no_content"):
        parse_messages(alone)


def test_an_answer_that_is_lacking_spoils_its_turn_alone() -> None:
    assert parse_messages([*CHAT, *said(("user", "And?"), ("assistant", None))])[:2] == CHAT
    with pytest.raises(Malformed, match="no_content"):
        parse_messages(said(("user", "And?"), ("assistant", None)))


def test_names_of_the_products_own() -> None:
    chat = [{"role": "Agent", "text": A}]
    with pytest.raises(Malformed, match="unknown_role"):
        parse_messages([CHAT[0], *chat])
    assert parse_messages([CHAT[0], *chat], {"agent": "assistant"}) == CHAT
    flags = [{"role": True, "text": Q}, {"role": False, "text": A}]
    assert parse_messages(flags, {"true": "user", "false": "assistant"}) == CHAT


@pytest.mark.parametrize(
    ("chat", "reason"),
    [
        ([CHAT[0], {"role": "assistant", "content": None, "tool_calls": [CALL]}], "tool_calls"),
        ([CHAT[0], {"role": "tool", "content": "31"}], "tool_calls"),
        ([{"role": "user", "parts": [{"text": Q}]}, {"role": "model", "parts": [{"functionCall": {}}]}], "tool_calls"),
        ({"input": Q, "output": [{"type": "function_call", "name": "x"}]}, "tool_calls"),
        ([CHAT[0], {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]}], "no_content"),
        ([CHAT[0], {"speaker": "narrator", "content": "Night fell."}], "unknown_role"),
        ({"error": "timeout"}, "not_a_list"),
        ([Q, A], "not_a_message"),
        ([[["a"]]], "not_a_message"),
    ],
)
def test_what_is_no_chat_has_a_reason(chat: Any, reason: str) -> None:
    with pytest.raises(Malformed) as why:
        parse_messages(chat)
    assert why.value.reason == reason


@pytest.mark.parametrize("role", ["user", "assistant", "system", "tool", "agent", "Human", "nobody"])
@pytest.mark.parametrize("text", ["Ciao", " ", "", '[{"type": "text", "text": "Ciao"}]', None])
def test_a_role_and_a_text_are_read_as_what_holds_more(role: str, text: str | None) -> None:
    def read(**more: object) -> object:
        try:
            return said_by({"role": role, "content": text, **more}, {"agent": "assistant"})
        except NotSaidError as why:
            return why.reason

    assert read() == read(id="m1")
