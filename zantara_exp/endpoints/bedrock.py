"""Amazon Bedrock's Converse API, which is the same for every model there: Llama, Claude, Nova, Mistral.

With a Bedrock API key (`api_key_env: AWS_BEARER_TOKEN_BEDROCK`), or signed with AWS's own credentials from the
environment where no key is named. Never streams: its stream is a format of its own, and shadow mode compares whole
answers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from yarl import URL

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.cost.usage import usage_of
from zantara_exp.endpoints._sigv4 import Credentials, signed
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.control_tokens import without_control_tokens
from zantara_exp.endpoints.http import HttpEndpoint, key_from_environment, parts, record, set_fields, text_of
from zantara_exp.endpoints.streaming import Pieces

_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}  # fmt: skip


class Bedrock(HttpEndpoint):
    """Asks `POST {base_url}/model/{model}/converse`."""

    def __init__(self, config: EndpointConfig, base_url: str, model: str) -> None:
        key = key_from_environment(config.api_key_env)
        super().__init__(config, base_url, model, {"authorization": f"Bearer {key}"} if key else {})
        self._signing = None if key else (_credentials(), _region(base_url))

    def _signature(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        if self._signing is None:
            return {}
        credentials, region = self._signing
        shown = {"host": url.host_port_subcomponent or "", "content-type": headers.get("content-type", "")}
        return signed(
            credentials, region, "bedrock", datetime.now(UTC),
            method, url.raw_path, url.raw_query_string, shown, body,
        )  # fmt: skip

    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        shown = without_control_tokens(messages)
        config = self._config
        inference = set_fields(maxTokens=config.longest_answer or None, temperature=config.temperature)
        thinking = None if config.thinking is None else {"thinking": config.thinking}
        body = {
            "messages": [{"role": m["role"], "content": _blocks(m)} for m in shown if m["role"] != "system"],
            **set_fields(
                system=[block for m in shown if m["role"] == "system" for block in _blocks(m)] or None,
                inferenceConfig=inference or None,
                additionalModelRequestFields=thinking,
            ),
        }
        return _reply(await self._json(f"model/{quote(self.model, safe='')}/converse", body))


def check_signing(base_url: str) -> None:
    """Raise MissingRequirementError for what the environment lacks to sign requests to this address."""
    _credentials()
    _region(base_url)


def _blocks(message: Message) -> list[dict[str, str]]:
    return [{"text": message["content"]}]


def _reply(body: Mapping[str, Any]) -> Reply:
    message = record(record(body, "output"), "message")
    if not isinstance(message.get("content"), list):
        raise EndpointError(Reason.BAD_ANSWER, "the body holds no output.message.content")
    stop = body.get("stopReason")
    finish = _FINISH.get(stop, stop) if isinstance(stop, str) else None
    text = "".join(text_of(part) for part in parts(message, "content"))
    return Reply(text, usage_of(record(body, "usage")), finish)


def _credentials() -> Credentials:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    found = [os.environ.get(name, "").strip() for name in names]
    missing = [name for name, value in zip(names, found, strict=True) if not value]
    if missing:
        raise MissingRequirementError(
            f"endpoint.kind=bedrock signs its requests, and {' and '.join(missing)} is not set",
            hint=f"export {missing[0]}=..., or name a Bedrock API key: endpoint.api_key_env=AWS_BEARER_TOKEN_BEDROCK",
        )
    return Credentials(found[0], found[1], os.environ.get("AWS_SESSION_TOKEN", "").strip() or None)


def _region(base_url: str) -> str:
    named = _REGION.search(base_url)
    region = named[1] if named else os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise MissingRequirementError(
            f"endpoint.base_url={base_url} names no region, and AWS_REGION is not set",
            hint="export AWS_REGION=us-east-1, or endpoint.base_url=https://bedrock-runtime.us-east-1.amazonaws.com",
        )
    return region
