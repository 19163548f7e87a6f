"""What an answer took, in every API's words, is told apart by how it is billed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from zantara_exp.cost.usage import Usage, completed, merged, usage_of
from zantara_exp.gateway.dialects import COMPLETIONS, MESSAGES

CACHED = {"input_tokens": 20, "cache_read_input_tokens": 1900, "cache_creation_input_tokens": 80, "output_tokens": 100}
FORMS: list[tuple[Any, Usage]] = [
    ({"input_tokens": 11, "output_tokens": 4}, Usage(11, output=4)),
    (CACHED, Usage(20, 1900, 80, None, 100)),
    (
        {**CACHED, "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 50}},
        Usage(20, 1900, 30, 50, 100),
    ),
    ({**CACHED, "cache_creation": {"ephemeral_1h_input_tokens": 80}}, Usage(20, 1900, 0, 80, 100)),
    ({**CACHED, "cache_creation": None, "cache_read_input_tokens": None}, Usage(20, None, 80, None, 100)),
    (
        {"prompt_tokens": 2000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 1900}},
        Usage(100, 1900, output=100),
    ),
    ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(9, output=2)),
    (  # OpenAI's completion tokens hold the reasoning
        {"prompt_tokens": 9, "completion_tokens": 70, "total_tokens": 79,
         "completion_tokens_details": {"reasoning_tokens": 64}},
        Usage(9, output=70),
    ),
    (  # xAI's do not; the total tells
        {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 79,
         "completion_tokens_details": {"reasoning_tokens": 64}},
        Usage(9, output=70),
    ),
    (
        {"input_tokens": 2000, "input_tokens_details": {"cached_tokens": 1900}, "output_tokens": 100},
        Usage(100, 1900, output=100),
    ),
    ({"input": 9, "output": 2}, Usage(9, output=2)),
    ({"prompt_tokens": "9", "completion_tokens": -1}, Usage()),
    ({"input_tokens": True, "output_tokens": 2**64}, Usage()),
    (None, Usage()),
    (5, Usage()),
]  # fmt: skip


@pytest.mark.parametrize(("said", "usage"), FORMS)
def test_every_form_is_read(said: Any, usage: Usage) -> None:
    assert usage_of(said) == usage
    assert usage_of(usage_of(said)) == usage


def test_an_sdks_object_is_taken_as_it_is() -> None:
    from openai.types import CompletionUsage

    anthropic = pytest.importorskip("anthropic", reason="the official client is not installed")
    said = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 50}
    found = anthropic.types.Usage(**CACHED, cache_creation=anthropic.types.CacheCreation(**said))
    assert usage_of(found) == Usage(20, 1900, 30, 50, 100)
    inside = {"cached_tokens": 1900}
    counted = CompletionUsage(prompt_tokens=2000, completion_tokens=5, total_tokens=2005, prompt_tokens_details=inside)
    assert usage_of(counted) == Usage(100, 1900, output=5)


@pytest.mark.parametrize(
    "last", [{}, {"input_tokens": None, "cache_read_input_tokens": None}, {"input_tokens": 0}, CACHED]
)
def test_what_comes_late_in_a_stream_takes_nothing_away(last: dict[str, Any]) -> None:
    first = {**CACHED, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 80}}
    found = usage_of(merged(merged({}, first), {**last, "output_tokens": 100}))
    assert found == Usage(20, 1900, 0, 80, 100)


def sse(*events: bytes) -> bytes:
    return b"".join(b"data: %b\n\n" % event for event in events)


def test_a_stream_that_says_its_usage_in_every_event_or_none() -> None:
    text = b'{"model":"m","choices":[{"index":0,"delta":{"content":"Ciao"},"finish_reason":null}],"usage":%b}'
    end = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":%b}'
    twice = b'{"prompt_tokens":9,"completion_tokens":%b}'
    counted = sse(text % (twice % b"1"), end % (twice % b"2"))
    assert COMPLETIONS.read_answer(counted, streamed=True).usage == Usage(9, output=2)
    said = COMPLETIONS.read_answer(sse(text % b"null", end % b"null"), streamed=True)
    assert said.usage == Usage()
    assert completed(said.usage, ["You are brief.", "Ciao, come stai?"], said.text) == Usage(
        10, output=2, estimated=True
    )


def test_what_was_counted_is_not_estimated() -> None:
    assert completed(Usage(9, output=2), ["x" * 1000], "y" * 1000) == Usage(9, output=2)
    assert completed(Usage(9, 5), ["x"], "y" * 33) == Usage(9, 5, output=10, estimated=True)


def test_read_is_all_that_the_model_read() -> None:
    assert Usage(20, 1900, 30, 50, 100).read == 2000
    assert Usage(output=5).read is None
    assert MESSAGES.read_answer(b'{"content":[],"usage":{"input_tokens":7}}', streamed=False).usage == Usage(7)


@dataclass(slots=True)
class Slotted:
    input_tokens: int
    output_tokens: int


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        # Gemini's OpenAI form: thoughts are in the total alone
        ({"prompt_tokens": 50, "completion_tokens": 500, "total_tokens": 1550}, Usage(50, output=1500)),
        ({"prompt_tokens": 200, "completion_tokens": 10, "prompt_cache_hit_tokens": 120}, Usage(80, 120, output=10)),
        (
            {
                "input_tokens": 4720, "output_tokens": 100, "total_tokens": 4820,
                "input_token_details": {"cache_read": 1000, "cache_creation": 280},
            },
            Usage(3440, 1000, 280, None, 100),
        ),
        (
            {
                "prompt_token_count": 90, "candidates_token_count": 7, "cached_content_token_count": 40,
                "thoughts_token_count": 3,
            },
            Usage(50, 40, output=10),
        ),
        ({"promptTokenCount": 90, "candidatesTokenCount": 7}, Usage(90, output=7)),
        (
            {"inputTokens": 30, "outputTokens": 8, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 2},
            Usage(30, 5, 2, None, 8),
        ),
        (
            {
                "input_tokens": 540, "output_tokens": 0, "cache_creation_input_tokens": 80,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            },
            Usage(540, None, 80, 0, 0),
        ),
        (Slotted(9, 4), Usage(9, output=4)),
    ],
)  # fmt: skip
def test_forms_of_other_clients_are_read(said: object, usage: Usage) -> None:
    assert usage_of(said) == usage
