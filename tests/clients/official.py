"""What the official Python clients of Anthropic and OpenAI are asked to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import anthropic
import openai
from pydantic import BaseModel

from tests.clients.stub import BREAKS, CACHED, SLOW, STATUSES, THINKING, TOOL
from tests.clients.ways import BREAKS_OFF, FAILS, KEY, QUESTION, Call, Heard

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"name": "get_weather", "description": "of a city", "input_schema": SCHEMA}]
FUNCTION: dict[str, Any] = {"name": "get_weather", "description": "of a city", "parameters": SCHEMA}
FUNCTIONS: list[Any] = [{"type": "function", "function": FUNCTION}]
CLAUDE, GPT = "claude-haiku-4-5", "gpt-4o-mini"
PATIENCE_SECONDS = 0.5
Ask = Callable[[str, str], Heard]


class City(BaseModel):
    """What a structured answer is parsed into."""

    city: str


def _claude(base: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base, api_key=KEY, max_retries=0)


def message_heard(found: Any, *more: object) -> Heard:
    text = "".join(block.text for block in found.content if block.type == "text")
    calls = [(block.name, block.input) for block in found.content if block.type == "tool_use"]
    usage = found.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return Heard(text, (read, usage.output_tokens), found.stop_reason, calls, said=f"{found.to_json()} {more}")


def _of_claude(user: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"model": CLAUDE, "max_tokens": 1000, "messages": ASKED, "metadata": {"user_id": user}, **more}


def messages(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _claude(base) as client:
            raw = client.messages.with_raw_response.create(**_of_claude(user, more))
            return message_heard(raw.parse(), raw.headers.get("request-id"), raw.headers.get_list("set-cookie"))

    return ask


def messages_streamed(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _claude(base) as client, client.messages.stream(**_of_claude(user, more)) as stream:
            kinds = [event.type for event in stream]
            return message_heard(stream.get_final_message(), kinds)

    return ask


def beta_messages(base: str, user: str) -> Heard:
    with _claude(base) as client:
        return message_heard(client.beta.messages.create(betas=["context-1m-2025-08-07"], **_of_claude(user, {})))


def messages_async(base: str, user: str) -> Heard:
    async def ask() -> Heard:
        async with anthropic.AsyncAnthropic(base_url=base, api_key=KEY, max_retries=0) as client:
            async with client.messages.stream(**_of_claude(user, {})) as stream:
                pieces = [piece async for piece in stream.text_stream]
                return message_heard(await stream.get_final_message(), pieces)

    return asyncio.run(ask())


def count_tokens(base: str, user: str) -> Heard:
    with _claude(base) as client:
        return Heard(said=str(client.messages.count_tokens(model=CLAUDE, messages=ASKED).input_tokens))


def _gpt(base: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base}/v1", api_key=KEY, max_retries=0)


def _calls(said: Any) -> list[tuple[str, str]]:
    return [(each.function.name, each.function.arguments) for each in said.tool_calls or []]


def completion_heard(found: Any, *more: object) -> Heard:
    [choice] = found.choices
    tokens = found.usage and (found.usage.prompt_tokens, found.usage.completion_tokens)
    said = f"{found.to_json()} {more}"
    return Heard(choice.message.content or "", tokens, choice.finish_reason, _calls(choice.message), said=said)


def _of_gpt(user: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"model": GPT, "user": user, "messages": ASKED, **more}


def chat(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _gpt(base) as client:
            raw = client.chat.completions.with_raw_response.create(**_of_gpt(user, more))
            return completion_heard(raw.parse(), raw.headers.get("x-request-id"))

    return ask


def chat_streamed(**more: Any) -> Ask:
    """By the helper that puts the pieces together."""

    def ask(base: str, user: str) -> Heard:
        with _gpt(base) as client, client.chat.completions.stream(**_of_gpt(user, more)) as stream:
            kinds = [event.type for event in stream]
            return completion_heard(stream.get_final_completion(), kinds)

    return ask


def chat_pieces(base: str, user: str) -> Heard:
    """Piece by piece."""
    with _gpt(base) as client:
        chunks = list(client.chat.completions.create(**_of_gpt(user, {}), stream=True))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    return Heard(text, finish=choices[-1].finish_reason, calls=[], said=str([chunk.to_dict() for chunk in chunks]))


def chat_parsed(base: str, user: str) -> Heard:
    with _gpt(base) as client:
        found = client.chat.completions.parse(**_of_gpt(user, {}), response_format=City)
    [choice] = found.choices
    tokens = found.usage and (found.usage.prompt_tokens, found.usage.completion_tokens)
    return Heard(choice.message.content or "", tokens, choice.finish_reason, [], said=str(choice.message.parsed))


def chat_async(base: str, user: str) -> Heard:
    async def ask() -> Heard:
        async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=KEY, max_retries=0) as client:
            return completion_heard(await client.chat.completions.create(**_of_gpt(user, {})))

    return asyncio.run(ask())


def response_heard(found: Any, *more: object) -> Heard:
    calls = [(item.name, item.arguments) for item in found.output if item.type == "function_call"]
    tokens = found.usage and (found.usage.input_tokens, found.usage.output_tokens)
    return Heard(found.output_text, tokens, found.status, calls, said=f"{found.to_json()} {more}")


def _of_responses(user: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"model": GPT, "safety_identifier": user, "input": QUESTION, **more}


def responses(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _gpt(base) as client:
            return response_heard(client.responses.create(**_of_responses(user, more)))

    return ask


def responses_streamed(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _gpt(base) as client, client.responses.stream(**_of_responses(user, more)) as stream:
            events = list(stream)
            numbers = [event.sequence_number for event in events]
            assert numbers == list(range(len(events)))
            last = events[-1]  # of one that failed, the helper knows no final response
            return response_heard(
                last.response if last.type == "response.failed" else stream.get_final_response(), numbers
            )

    return ask


def embeddings(base: str, user: str) -> Heard:
    with _gpt(base) as client:
        found = client.embeddings.create(model="text-embedding-3-small", input=QUESTION, user=user)
    return Heard(said=str(found.data[0].embedding))


def failures(client: str, whole: Callable[..., Ask], streamed: Ask, **patience: Any) -> Sequence[Call]:
    """What goes wrong: the primary's refusals, a client's patience, a stream that breaks off, the candidate."""
    return [
        *(Call(client, f"refused with {status}", whole(), str(status), moves=False) for status in STATUSES),
        Call(client, f"waits {PATIENCE_SECONDS:g} s only", whole(**patience), SLOW, moves=False),
        Call(client, "stream breaks off", streamed, BREAKS, moves=False),
        Call(client, FAILS, whole(), FAILS),
        Call(client, BREAKS_OFF, streamed, BREAKS_OFF),
    ]


_CLAUDE, _GPT = "anthropic (Python)", "openai (Python)"
_CACHED = [{"type": "text", "text": "You are Zantara.", "cache_control": {"type": "ephemeral"}}]
_THOUGHT = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
_RESULT = [
    *ASKED,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "x"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "sun"}]},
]
CALLS = [
    Call(_CLAUDE, "messages", messages()),
    Call(_CLAUDE, "messages, streamed", messages_streamed()),
    Call(_CLAUDE, "messages, async and streamed", messages_async),
    Call(_CLAUDE, "beta messages", beta_messages),
    Call(_CLAUDE, "cached prompt", messages(system=_CACHED), CACHED),
    Call(_CLAUDE, "cached prompt, streamed", messages_streamed(system=_CACHED), CACHED),
    Call(_CLAUDE, "thinking, streamed", messages_streamed(**_THOUGHT), THINKING),
    Call(_CLAUDE, "tool call", messages(tools=TOOLS), TOOL),
    Call(_CLAUDE, "tool call, streamed", messages_streamed(tools=TOOLS), TOOL),
    Call(_CLAUDE, "a tool's result", messages(tools=TOOLS, messages=_RESULT)),
    Call(_CLAUDE, "count_tokens", count_tokens, moves=False),
    *failures(_CLAUDE, messages, messages_streamed(), timeout=PATIENCE_SECONDS),
    Call(_GPT, "chat", chat()),
    Call(_GPT, "chat, streamed", chat_pieces),
    Call(_GPT, "chat, streamed with usage", chat_streamed(stream_options={"include_usage": True})),
    Call(_GPT, "chat, async", chat_async),
    Call(_GPT, "chat, tool call", chat(tools=FUNCTIONS), TOOL),
    Call(_GPT, "chat, tool call streamed", chat_streamed(tools=FUNCTIONS), TOOL),
    Call(_GPT, "chat, parsed into a schema", chat_parsed),
    Call(_GPT, "responses", responses()),
    Call(_GPT, "responses, streamed", responses_streamed()),
    Call(_GPT, "responses, tool call", responses(tools=[{"type": "function", **FUNCTION}]), TOOL),
    Call(_GPT, "embeddings", embeddings, moves=False),
    *failures(_GPT, chat, chat_streamed(), timeout=PATIENCE_SECONDS),
    Call(_GPT, "responses: stream breaks off", responses_streamed(), BREAKS, moves=False),
    Call(_GPT, f"responses: {BREAKS_OFF}", responses_streamed(), BREAKS_OFF),
    # Last: from then on the gateway moves only requests that say `store: false`.
    Call(_GPT, "responses, going on from a stored one", responses(previous_response_id="resp_0")),
]
