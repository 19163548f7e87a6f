"""Any server that speaks OpenAI's chat completions: vLLM, `transformers serve`, llama.cpp, Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.cost.usage import Usage, completed, merged, usage_of
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.control_tokens import without_control_tokens
from zantara_exp.endpoints.http import HttpEndpoint, key_from_environment, parts, record, set_fields
from zantara_exp.endpoints.streaming import Pieces


class OpenAICompatible(HttpEndpoint):
    """Asks `POST {base_url}/chat/completions`, token by token where the config says so."""

    path = "chat/completions"
    key_header, key_prefix = "authorization", "Bearer "

    def __init__(self, config: EndpointConfig, base_url: str, model: str, shown_as: str | None = None) -> None:
        key = key_from_environment(config.api_key_env)
        super().__init__(
            config, base_url, shown_as or model, {self.key_header: f"{self.key_prefix}{key}"} if key else {}
        )
        self._model_sent = model

    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        body: dict[str, Any] = {
            "model": self._model_sent,
            "messages": without_control_tokens(messages),
            "stream": self._config.stream,
            **set_fields(
                max_tokens=self._config.max_tokens,
                max_completion_tokens=self._config.max_completion_tokens,  # which some servers ignore
                temperature=self._config.temperature,
                reasoning_effort=self._config.reasoning_effort,
                response_format=_format(self.answer_schema),
            ),
        }
        if not self._config.stream:
            return _whole(await self._json(self.path, body))
        if self._config.kind != "local":  # `transformers serve` sends usage unasked and refuses the option
            body["stream_options"] = {"include_usage": True}
        return await self._streamed(messages, body, pieces)

    async def _streamed(self, messages: Sequence[Message], body: dict[str, Any], pieces: Pieces) -> Reply:
        finish: str | None = None
        async for event in self._events(self.path, body):
            _raise_error_in(event)
            pieces.counted = merged(pieces.counted, record(event, "usage"))
            for choice in parts(event, "choices"):
                if choice.get("index"):  # one was asked for
                    continue
                piece = record(choice, "delta").get("content")
                await pieces.add(piece if isinstance(piece, str) else "")
                finish = choice.get("finish_reason") or finish
        if finish is None:
            # The only mark of a whole stream: not every server sends [DONE].
            raise EndpointError(Reason.BAD_ANSWER, "the stream ended before the answer did")
        counted = completed(usage_of(pieces.counted), (message["content"] for message in messages), pieces.text)
        return _reply(pieces.text, counted, finish, pieces.first_at)


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _raise_error_in(body: dict[str, Any]) -> None:
    if body.get("error") or body.get("object") == "error":  # as vLLM once said it
        raise EndpointError(Reason.SERVER_ERROR, "the server reported an error inside a good status")


def _whole(body: dict[str, Any]) -> Reply:
    _raise_error_in(body)
    choices = parts(body, "choices")
    if not choices or "message" not in choices[0]:
        raise EndpointError(Reason.BAD_ANSWER, "the body holds no choices[0].message")
    text = record(choices[0], "message").get("content")
    if text is not None and not isinstance(text, str):
        raise EndpointError(Reason.BAD_ANSWER, "the message's content is not text")
    return _reply(text or "", usage_of(record(body, "usage")), choices[0].get("finish_reason"))


def _reply(text: str, usage: Usage, finish: object, first_token_at: float | None = None) -> Reply:
    return Reply(text, usage, finish if isinstance(finish, str) else None, first_token_at)
