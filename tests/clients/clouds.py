"""The official Python clients as they ask clouds for these models: Azure, Foundry, Vertex, Bedrock, AWS.

Bedrock's streams need botocore, which is not installed for tests.
"""

from __future__ import annotations

from typing import Any

import anthropic
import openai

from tests.clients.official import ASKED, CLAUDE, GPT, Ask, completion_heard, message_heard, response_heard
from tests.clients.ways import KEY, QUESTION, Call, Heard

_MODEL = "anthropic.claude-haiku-4-5-v1:0"
_BEARER = "cloud-0123456789"


def _azure(base: str) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(azure_endpoint=base, api_version="2025-04-01-preview", api_key=KEY, max_retries=0)


def _chat(**more: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with _azure(base) as client:
            return completion_heard(client.chat.completions.create(model=GPT, user=user, messages=ASKED, **more))

    return ask


def _chat_streamed(base: str, user: str) -> Heard:
    with _azure(base) as client, client.chat.completions.stream(model=GPT, user=user, messages=ASKED) as stream:
        kinds = [event.type for event in stream]
        return completion_heard(stream.get_final_completion(), kinds)


def _responses(base: str, user: str) -> Heard:
    with _azure(base) as client:
        return response_heard(client.responses.create(model=GPT, safety_identifier=user, input=QUESTION))


def _foundry(base: str) -> Any:
    return anthropic.AnthropicFoundry(base_url=f"{base}/anthropic", api_key=KEY, max_retries=0)


def _vertex(base: str) -> Any:
    return anthropic.AnthropicVertex(
        base_url=f"{base}/v1", region="europe-west1", project_id="p", access_token=_BEARER, max_retries=0
    )


def _bedrock(base: str) -> Any:
    return anthropic.AnthropicBedrock(base_url=base, aws_region="eu-south-1", api_key=_BEARER, max_retries=0)


def _aws(base: str) -> Any:
    return anthropic.AnthropicAWS(base_url=base, api_key=KEY, workspace_id="w", max_retries=0)


def _messages(client: Any, model: str = CLAUDE) -> Ask:
    def ask(base: str, user: str) -> Heard:
        with client(base) as claude:
            found = claude.messages.create(model=model, max_tokens=1000, messages=ASKED, metadata={"user_id": user})
            return message_heard(found)

    return ask


def _streamed(client: Any) -> Ask:
    def ask(base: str, user: str) -> Heard:
        asked = {"model": CLAUDE, "max_tokens": 1000, "messages": ASKED, "metadata": {"user_id": user}}
        with client(base) as claude, claude.messages.stream(**asked) as stream:
            kinds = [event.type for event in stream]
            return message_heard(stream.get_final_message(), kinds)

    return ask


_AZURE, _FOUNDRY, _VERTEX = "AzureOpenAI (Python)", "AnthropicFoundry (Python)", "AnthropicVertex (Python)"
_BEDROCK, _AWS = "AnthropicBedrock (Python)", "AnthropicAWS (Python)"
CALLS = [
    Call(_AZURE, "chat", _chat()),
    Call(_AZURE, "chat, streamed", _chat_streamed),
    Call(_AZURE, "responses", _responses),
    Call(_FOUNDRY, "messages", _messages(_foundry)),
    Call(_FOUNDRY, "messages, streamed", _streamed(_foundry)),
    Call(_VERTEX, "messages", _messages(_vertex)),
    Call(_VERTEX, "messages, streamed", _streamed(_vertex)),
    Call(_BEDROCK, "messages", _messages(_bedrock, _MODEL)),
    Call(_AWS, "messages", _messages(_aws)),
    Call(_AWS, "messages, streamed", _streamed(_aws)),
]
