"""What LiteLLM and LangChain are asked to do; in the environment that scripts/extras makes for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import litellm
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from tests.clients.official import (
    CLAUDE,
    FUNCTIONS,
    GPT,
    PATIENCE_SECONDS,
    TOOLS,
    Ask,
    City,
    failures,
)
from tests.clients.stub import THINKING, TOOL
from tests.clients.ways import KEY, QUESTION, Call, Heard

litellm.suppress_debug_info = True
litellm.telemetry = False
_OWN_IDS = re.compile(r"(chatcmpl-|lc_run-|run-|resp_)[0-9a-zA-Z_=+/-]{8,}|'created(_at)?': \d+")
"""Ids and times that the client makes up."""


def _plain(said: object) -> str:
    return _OWN_IDS.sub("OWN", str(said))


def _of_litellm(base: str, user: str, model: str, more: dict[str, Any]) -> dict[str, Any]:
    address = base if model.startswith("anthropic/") else f"{base}/v1"
    asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "user": user, "max_retries": 0}
    return {**asked, "api_key": KEY, "api_base": address, "max_tokens": 1000, **more}


def by_litellm(model: str, **more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        found = litellm.completion(**_of_litellm(base, user, model, more))
        return _completion(found)

    return ask


def by_litellm_streamed(model: str, **more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        chunks = list(litellm.completion(**_of_litellm(base, user, model, more), stream=True))
        heard = _completion(litellm.stream_chunk_builder(chunks), [chunk.model_dump() for chunk in chunks])
        reported = any(getattr(chunk, "usage", None) for chunk in chunks)
        return heard if reported else replace(heard, tokens=None)  # the builder's own count

    return ask


def _completion(found: Any, *more: object) -> Heard:
    [choice] = found.choices
    calls = [(each.function.name, each.function.arguments) for each in choice.message.tool_calls or []]
    usage = getattr(found, "usage", None)
    tokens = usage and (usage.prompt_tokens, usage.completion_tokens)
    said = _plain(f"{found.model_dump()} {more}")
    return Heard(choice.message.content or "", tokens, choice.finish_reason, calls, said=said)


def litellm_responses(base: str, user: str) -> Heard:
    model = f"openai/{GPT}"
    found = litellm.responses(model=model, input=QUESTION, api_key=KEY, api_base=f"{base}/v1", user=user, max_retries=0)
    text = "".join(part.text for item in found.output if item.type == "message" for part in item.content)
    return Heard(text, (found.usage.input_tokens, found.usage.output_tokens), found.status)


def _claude(base: str, user: str, **more: Any) -> Any:
    own = {"model": CLAUDE, "api_key": KEY, "base_url": base, "max_retries": 0, "max_tokens": 1000}
    return ChatAnthropic(**{**own, "default_headers": {"X-Zantara-User": user}, **more})


def _gpt(base: str, user: str, **more: Any) -> Any:
    own = {"model": GPT, "api_key": KEY, "base_url": f"{base}/v1", "max_retries": 0, "max_tokens": 1000}
    return ChatOpenAI(**{**own, "model_kwargs": {"user": user}, **more})


def by_langchain(chat: Callable[..., Any], **more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        return _message(chat(base, user, **more).invoke(QUESTION))

    return ask


def by_langchain_streamed(chat: Callable[..., Any], **more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        chunks = list(chat(base, user, **more).stream(QUESTION))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        return _message(whole, [chunk.content for chunk in chunks])

    return ask


def with_tools(chat: Callable[..., Any], tools: list[Any]) -> Ask:
    def ask(base: str, user: str) -> Heard:
        return _message(chat(base, user).bind_tools(tools).invoke(QUESTION))

    return ask


def structured(base: str, user: str) -> Heard:
    return Heard(said=str(_gpt(base, user).with_structured_output(City).invoke(QUESTION)))


def _message(found: Any, *more: object) -> Heard:
    told = found.response_metadata
    finish = told.get("stop_reason") or told.get("finish_reason") or told.get("status")
    usage = found.usage_metadata
    tokens = usage and (usage["input_tokens"], usage["output_tokens"])
    calls = [(each["name"], each["args"]) for each in found.tool_calls]
    return Heard(found.text, tokens, finish, calls, said=_plain(f"{found.model_dump()} {more}"))


_LITELLM, _LANGCHAIN = "litellm", "langchain"
_THOUGHT = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
_USAGE = {"stream_options": {"include_usage": True}}


def _by(name: str, calls: list[Call]) -> list[Call]:
    """The same failures by both of a client's APIs."""
    return [Call(each.client, f"{name}: {each.name}", each.ask, each.scene, each.moves) for each in calls]


CALLS = [
    Call(_LITELLM, "anthropic/", by_litellm(f"anthropic/{CLAUDE}")),
    Call(_LITELLM, "anthropic/, streamed", by_litellm_streamed(f"anthropic/{CLAUDE}")),
    Call(_LITELLM, "anthropic/, tool call", by_litellm(f"anthropic/{CLAUDE}", tools=FUNCTIONS), TOOL),
    Call(_LITELLM, "openai/", by_litellm(f"openai/{GPT}")),
    Call(_LITELLM, "openai/, streamed", by_litellm_streamed(f"openai/{GPT}")),
    Call(_LITELLM, "openai/, streamed with usage", by_litellm_streamed(f"openai/{GPT}", **_USAGE)),
    Call(_LITELLM, "openai/, tool call", by_litellm(f"openai/{GPT}", tools=FUNCTIONS), TOOL),
    Call(_LITELLM, "responses()", litellm_responses),
    *_by(
        "anthropic/",
        failures(
            _LITELLM,
            lambda **more: by_litellm(f"anthropic/{CLAUDE}", **more),
            by_litellm_streamed(f"anthropic/{CLAUDE}"),
            timeout=PATIENCE_SECONDS,
        ),
    ),
    *_by(
        "openai/",
        failures(
            _LITELLM,
            lambda **more: by_litellm(f"openai/{GPT}", **more),
            by_litellm_streamed(f"openai/{GPT}"),
            timeout=PATIENCE_SECONDS,
        ),
    ),
    Call(_LANGCHAIN, "ChatAnthropic", by_langchain(_claude)),
    Call(_LANGCHAIN, "ChatAnthropic, streamed", by_langchain_streamed(_claude)),
    Call(_LANGCHAIN, "ChatAnthropic, thinking streamed", by_langchain_streamed(_claude, **_THOUGHT), THINKING),
    Call(_LANGCHAIN, "ChatAnthropic, tool call", with_tools(_claude, TOOLS), TOOL),
    Call(_LANGCHAIN, "ChatOpenAI", by_langchain(_gpt)),
    Call(_LANGCHAIN, "ChatOpenAI, streamed", by_langchain_streamed(_gpt)),
    Call(_LANGCHAIN, "ChatOpenAI, tool call", with_tools(_gpt, FUNCTIONS), TOOL),
    Call(_LANGCHAIN, "ChatOpenAI, structured output", structured),
    Call(_LANGCHAIN, "ChatOpenAI, responses", by_langchain(_gpt, use_responses_api=True)),
    Call(_LANGCHAIN, "ChatOpenAI, responses streamed", by_langchain_streamed(_gpt, use_responses_api=True)),
    *_by(
        "ChatAnthropic",
        failures(
            _LANGCHAIN,
            lambda **more: by_langchain(_claude, **more),
            by_langchain_streamed(_claude),
            timeout=PATIENCE_SECONDS,
        ),
    ),
    *_by(
        "ChatOpenAI",
        failures(
            _LANGCHAIN, lambda **more: by_langchain(_gpt, **more), by_langchain_streamed(_gpt), timeout=PATIENCE_SECONDS
        ),
    ),
]
