"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.cost.usage import Usage, completed, merged, usage_of
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.http import HttpEndpoint, key_from_environment, parts, record, set_fields, text_of
from zantara_exp.endpoints.streaming import Pieces

_VERSION = "2023-06-01"
_BY_TYPE = {
    "overloaded_error": Reason.OVERLOADED,
    "rate_limit_error": Reason.RATE_LIMITED,
    "authentication_error": Reason.UNAUTHORIZED,
    "permission_error": Reason.UNAUTHORIZED,
    "invalid_request_error": Reason.BAD_REQUEST,
    "not_found_error": Reason.BAD_REQUEST,
    "timeout_error": Reason.TIMEOUT,
}
_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}


class Anthropic(HttpEndpoint):
    """Asks `POST {base_url}/messages`, token by token where the config says so."""

    def __init__(self, config: EndpointConfig, base_url: str, model: str) -> None:
        key = key_from_environment(config.api_key_env)
        headers = {"anthropic-version": _VERSION} | ({"x-api-key": key} if key else {})
        super().__init__(config, base_url, model, headers)

    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        schema = self.answer_schema
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages if message["role"] != "system"],
            **set_fields(
                max_tokens=self._config.max_tokens,
                temperature=self._config.temperature,
                thinking=self._config.thinking,
                system=system or None,
                output_config=schema and {"format": {"type": "json_schema", "schema": schema}},
            ),
        }
        if self._config.stream:
            return await self._streamed(messages, body | {"stream": True}, pieces)
        return _whole(await self._json("messages", body))

    async def _streamed(self, messages: Sequence[Message], body: dict[str, Any], pieces: Pieces) -> Reply:
        stop, ended = None, False
        async for event in self._events("messages", body):
            _raise_error_in(event)
            kind = event.get("type")
            if kind == "message_start":
                pieces.counted = merged(pieces.counted, record(record(event, "message"), "usage"))
            elif kind == "content_block_delta":
                await pieces.add(text_of(record(event, "delta")))
            elif kind == "message_delta":
                pieces.counted = merged(pieces.counted, record(event, "usage"))
                stop = record(event, "delta").get("stop_reason") or stop
            ended = ended or kind == "message_stop"
        if not ended:
            raise EndpointError(Reason.BAD_ANSWER, "the stream ended before the answer did")
        counted = completed(usage_of(pieces.counted), (message["content"] for message in messages), pieces.text)
        return _reply(pieces.text, counted, stop, pieces.first_at)


def _raise_error_in(body: dict[str, Any]) -> None:
    if body.get("type") == "error":
        kind = str(record(body, "error").get("type"))
        raise EndpointError(_BY_TYPE.get(kind, Reason.SERVER_ERROR), f"the server reported {kind[:40]}")


def _whole(body: dict[str, Any]) -> Reply:
    _raise_error_in(body)
    if not isinstance(body.get("content"), list):
        raise EndpointError(Reason.BAD_ANSWER, "the body holds no content")
    text = "".join(text_of(part) for part in parts(body, "content") if part.get("type") == "text")
    return _reply(text, usage_of(record(body, "usage")), body.get("stop_reason"))


def _reply(text: str, usage: Usage, stop: object, first_token_at: float | None = None) -> Reply:
    finish = _FINISH.get(stop, stop) if isinstance(stop, str) else None
    return Reply(text, usage, finish, first_token_at)
