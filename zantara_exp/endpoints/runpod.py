"""RunPod serverless: `/runsync`, and `/status` while a job is still queued or running.

A handler's failure comes with HTTP 200 and `status: FAILED`. A job that is not over in time is cancelled, or it would
go on costing money. Both shapes of the vLLM worker's output are understood: OpenAI's, and lists of `choices[].tokens`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.control import without_control_tokens
from zantara_exp.endpoints.http import HttpEndpoint, count, key_from_environment, parts, record

_RUNNING = ("IN_QUEUE", "IN_PROGRESS")
_FAILED = {"FAILED": Reason.SERVER_ERROR, "CANCELLED": Reason.SERVER_ERROR, "TIMED_OUT": Reason.TIMEOUT}
_SERVICE = "https://api.runpod.ai/v2"
_CANCEL_SECONDS = 2.0


def address(base_url: str) -> str:
    """The endpoint's address; RUNPOD_ENDPOINT may hold the id alone, or the address with or without `/runsync`."""
    trimmed = base_url.rstrip("/").removesuffix("/runsync").removesuffix("/run")
    return trimmed if trimmed.startswith("http") else f"{_SERVICE}/{trimmed}"


class RunPod(HttpEndpoint):
    """Asks `POST {base_url}/runsync`. Never streams, so there is no time to the first token."""

    def __init__(self, config: EndpointConfig, base_url: str, model: str) -> None:
        key = key_from_environment(config.api_key_env)
        super().__init__(config, address(base_url), model, {"authorization": f"Bearer {key}"} if key else {})
        self._cancelling: set[asyncio.Task[None]] = set()

    async def _ask(self, messages: Sequence[Message]) -> Reply:
        sampling = {"max_tokens": self._config.max_tokens, "temperature": self._config.temperature}
        asked = {"messages": without_control_tokens(messages), "sampling_params": sampling}
        body = {"input": {**asked, **sampling}}
        # The service answers before our time is up even if the job is not done: only then is its id known.
        wait_ms = max(1000, round(self._config.timeout_seconds * 800))
        deadline = time.monotonic() + self._config.timeout_seconds
        job = await self._json(f"runsync?wait={wait_ms}", body)
        try:
            while job.get("status") in _RUNNING:
                if not isinstance(job.get("id"), str):
                    raise EndpointError(Reason.BAD_ANSWER, "a queued job has no id")
                await asyncio.sleep(min(self._config.poll_seconds, max(0.0, deadline - time.monotonic())))
                job = await self._status(job["id"])
        except BaseException:  # whatever kept us from its end, it may still run
            self._cancel_later(job.get("id"))
            raise
        return _reply(job)

    async def _status(self, job_id: str) -> dict[str, Any]:
        return await self._json(f"status/{job_id}", None)

    def _cancel_later(self, job_id: object) -> None:
        """Stop the job without making the caller wait for it."""
        if isinstance(job_id, str):
            task = asyncio.create_task(self._cancel(job_id))
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)

    async def _cancel(self, job_id: str) -> None:
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
            async with self._client.stream("POST", f"cancel/{job_id}", timeout=_CANCEL_SECONDS):
                pass  # whatever it says; a body without an end is not read

    async def close(self) -> None:
        """Close the connections once jobs that were given up have been cancelled."""
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=_CANCEL_SECONDS)
        await super().close()


def _reply(job: Mapping[str, Any]) -> Reply:
    status = job.get("status")
    if status in _FAILED:
        raise EndpointError(_FAILED[str(status)], f"the job ended as {status}")
    if status != "COMPLETED":
        raise EndpointError(Reason.BAD_ANSWER, "the job has no known status")
    output = job.get("output")
    first = output[0] if isinstance(output, list) and output else output
    if isinstance(first, str):
        return Reply(first)
    if not isinstance(first, dict):
        raise EndpointError(Reason.EMPTY_ANSWER if output in (None, [], "") else Reason.BAD_ANSWER, "no usable output")
    if first.get("error"):
        raise EndpointError(Reason.SERVER_ERROR, "the output holds an error")
    return _of_vllm(first)


def _of_vllm(output: dict[str, Any]) -> Reply:
    choices, usage = parts(output, "choices"), record(output, "usage")
    if not choices:
        text = next((output[key] for key in ("text", "response", "generated_text") if key in output), None)
        if not isinstance(text, str):
            raise EndpointError(Reason.BAD_ANSWER, "the output holds no choices and no text")
        return Reply(text)
    message, tokens = record(choices[0], "message"), choices[0].get("tokens")
    text = message.get("content") or choices[0].get("text") or ""
    if isinstance(tokens, list) and not text:
        text = "".join(token for token in tokens if isinstance(token, str))
    read, written = usage.get("prompt_tokens", usage.get("input")), usage.get("completion_tokens", usage.get("output"))
    if not isinstance(text, str):
        raise EndpointError(Reason.BAD_ANSWER, "the output's text is no text")
    finish = choices[0].get("finish_reason")
    return Reply(text, count(read), count(written), finish if isinstance(finish, str) else None)
