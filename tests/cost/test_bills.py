"""Ten bills computed by hand, from what an API sends to what is paid.

Each case is the JSON or the stream as it comes over the wire; it goes through the gateway's reader (as the primary's
answer) and through the endpoint's client (as the candidate's), and both must come to the same hand-made sum. Prices in
US dollars a million tokens, as the providers list them: claude-haiku-4-5 1 / 5, cache read 0.1, cache write 1.25
(5 min) and 2 (1 h); gpt-5-mini 0.25 / 2, cached 0.025.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Any

import pytest

from tests.endpoints.servers import answering, raw_server, response
from zantara_exp.config.decision import Cost, Price
from zantara_exp.config.traffic import Endpoint
from zantara_exp.cost.prices import charge_by_tokens
from zantara_exp.cost.usage import completed, usage_of
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.build import build
from zantara_exp.gateway.dialects import COMPLETIONS, MESSAGES, Dialect

DAY = date(2026, 11, 3)
COST = Cost(prices={"org/our-llama": Price(0.05, 0.08)}, gpu_usd_hour={"A100": 0.85})
ASKED = "Ciao, come stai?"
"""16 characters."""
HAIKU, MINI, OURS = "claude-haiku-4-5-20251001", "gpt-5-mini-2025-08-07", "org/our-llama"


def message(usage: dict[str, Any]) -> bytes:
    """A whole answer of Anthropic's Messages API."""
    return json.dumps({
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": HAIKU,
        "content": [{"type": "text", "text": "Ciao! Bene, e tu?"}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": usage,
    }).encode()  # fmt: skip


def completion(usage: dict[str, Any], model: str = MINI) -> bytes:
    """A whole answer of OpenAI's chat completions."""
    answer = {"role": "assistant", "content": "Ciao! Bene, e tu?", "refusal": None}
    return json.dumps({
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
        "model": model, "choices": [{"index": 0, "message": answer, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    }).encode()  # fmt: skip


def events(*lines: dict[str, Any], named: bool = False, done: bool = False) -> bytes:
    """Server-sent events; Anthropic names them, OpenAI ends with [DONE]."""
    text = "".join((f"event: {each['type']}\n" if named else "") + f"data: {json.dumps(each)}\n\n" for each in lines)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def messages_stream(start: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """The events of a streamed Messages answer, with its usage at the start and in the deltas."""
    opened = {"id": "msg_1", "type": "message", "role": "assistant", "model": HAIKU, "content": [], "usage": start}
    block = {"type": "text", "text": ""}
    ends = [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
        for usage in deltas
    ]
    return events(
        {"type": "message_start", "message": opened},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ciao! "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Bene, e tu?"}},
        {"type": "content_block_stop", "index": 0},
        *ends,
        {"type": "message_stop"},
        named=True,
    )


def completion_stream(*last: dict[str, Any], nulls: bool = False) -> bytes:
    """The chunks of a streamed completion; with include_usage each has `usage: null`, and a last one the counts."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1741569952, "model": MINI}
    none: dict[str, Any] = {"usage": None} if nulls else {}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "Ciao! "},
        {"content": "Bene, e tu?"},
        {},
    ]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}], **none}
        for delta in deltas
    ]
    return events(*chunks, *({**head, "choices": [], "usage": usage} for usage in last), done=True)


@dataclass(frozen=True)
class Case:
    """One bill."""

    body: bytes
    micro_dollars: float
    """Prices a million tokens times tokens: millionths of a dollar, written out."""
    model: str
    dialect: Dialect
    streamed: bool = False
    estimated: bool = False


ANTHROPIC: dict[str, Any] = {"service_tier": "standard", "inference_geo": "not_available"}
CASES = {
    "anthropic, plain": Case(
        message({**ANTHROPIC, "input_tokens": 2095, "output_tokens": 503,
                 "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}),
        2095 * 1 + 503 * 5, HAIKU, MESSAGES,
    ),
    "anthropic, read from a cache": Case(
        message({**ANTHROPIC, "input_tokens": 21, "output_tokens": 393,
                 "cache_creation_input_tokens": 0, "cache_read_input_tokens": 188_086}),
        21 * 1 + 188_086 * 0.1 + 393 * 5, HAIKU, MESSAGES,
    ),
    "anthropic, written to caches of 5 min and 1 h": Case(
        message({**ANTHROPIC, "input_tokens": 2048, "output_tokens": 503, "cache_read_input_tokens": 1800,
                 "cache_creation_input_tokens": 248,
                 "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100}}),
        2048 * 1 + 1800 * 0.1 + 148 * 1.25 + 100 * 2 + 503 * 5, HAIKU, MESSAGES,
    ),
    # the start counts one token of the answer, and the deltas count all so far: some with nulls, the last one late
    "anthropic, streamed, with null and late fields": Case(
        messages_stream(
            {**ANTHROPIC, "input_tokens": 25, "cache_creation_input_tokens": 400, "cache_read_input_tokens": 1200,
             "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1},
            {"input_tokens": None, "cache_creation_input_tokens": None, "cache_read_input_tokens": None,
             "output_tokens": 9},
            {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 15},
        ),
        25 * 1 + 1200 * 0.1 + 400 * 1.25 + 15 * 5, HAIKU, MESSAGES, streamed=True,
    ),
    "openai, plain": Case(
        completion({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                                  "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}),
        19 * 0.25 + 10 * 2, MINI, COMPLETIONS,
    ),
    # what was cached is within prompt_tokens, and what was thought within completion_tokens
    "openai, cached": Case(
        completion({"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
                    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0}}),
        (2006 - 1920) * 0.25 + 1920 * 0.025 + 300 * 2, MINI, COMPLETIONS,
    ),
    "openai, streamed with include_usage": Case(
        completion_stream({"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29,
                           "prompt_tokens_details": {"cached_tokens": 8}}, nulls=True),
        11 * 0.25 + 8 * 0.025 + 10 * 2, MINI, COMPLETIONS, streamed=True,
    ),
    # 16 characters asked and 17 answered, at 3.3 a token: 5 and 6 tokens
    "openai, streamed without usage": Case(
        completion_stream(),
        ceil(16 / 3.3) * 0.25 + ceil(17 / 3.3) * 2, MINI, COMPLETIONS, streamed=True, estimated=True,
    ),
    "hugging face, tokens by an own price": Case(
        completion({"prompt_tokens": 41, "completion_tokens": 9, "total_tokens": 50}, OURS),
        41 * 0.05 + 9 * 0.08, OURS, COMPLETIONS,
    ),
}  # fmt: skip


def asked_of(endpoint: Endpoint, body: bytes, streamed: bool = False) -> Answer:
    """What the candidate's client makes of a body that comes over HTTP."""

    async def go(url: str) -> Answer:
        endpoint.base_url = url
        made = build(endpoint, cost=COST)
        try:
            return await made.chat([{"role": "user", "content": ASKED}])
        finally:
            await made.close()

    kind = "text/event-stream" if streamed else "application/json"
    with raw_server(answering(response(body, content_type=kind))) as url:
        return asyncio.run(go(url))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_primarys_bill(case: Case) -> None:
    said = case.dialect.read_answer(case.body, case.streamed)
    usage = completed(said.usage, [ASKED], said.text) if case.streamed else said.usage
    assert usage.estimated == case.estimated
    bill = charge_by_tokens(said.model, usage, COST, DAY)
    assert bill is not None
    assert bill.usd == pytest.approx(case.micro_dollars / 1e6, rel=1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_candidates_bill(case: Case) -> None:
    kind = "anthropic" if case.dialect == MESSAGES else "huggingface" if case.model == OURS else "openai"
    endpoint = Endpoint(kind=kind, model=case.model, stream=case.streamed, billing="tokens")
    answer = asked_of(endpoint, case.body, case.streamed)
    assert (answer.text, answer.error) == ("Ciao! Bene, e tu?", None)
    assert answer.usage.estimated == case.estimated
    assert answer.billed.usd == pytest.approx(case.micro_dollars / 1e6, rel=1e-12)


def test_runpods_bill_is_of_seconds() -> None:
    """A job waited 4.721 s for its worker to start and took 1.837 s: both are paid for, at USD 0.85 an hour."""
    job = {
        "id": "sync-79164ff4-d212-44bc-9fe3-389e199a5c15-e1", "status": "COMPLETED", "workerId": "qs1xxhyfvdmzgw",
        "delayTime": 4721, "executionTime": 1837,
        "output": [{"choices": [{"tokens": ["Ciao! Bene, e tu?"]}], "usage": {"input": 41, "output": 9}}],
    }  # fmt: skip
    runpod = Endpoint(kind="runpod", model="m", stream=False, billing="seconds", gpu="A100")
    answer = asked_of(runpod, json.dumps(job).encode())
    assert (answer.text, answer.usage) == ("Ciao! Bene, e tu?", usage_of({"input": 41, "output": 9}))
    assert answer.billed.seconds == pytest.approx(6.558)
    assert answer.billed.usd == pytest.approx(6.558 * 0.85 / 3600, rel=1e-12)
