"""RunPod serverless: `/runsync`, and `/status` while a job is still queued or running.

A handler's failure comes with HTTP 200 and `status: FAILED`. A job that is not over in time is cancelled, or it would
go on costing money. The output may be text, OpenAI's answer, the vLLM worker's `choices[].tokens`, or a list of such
pieces, which a handler that yields makes: the answer is all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import aiohttp

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.cost.usage import merged, usage_of
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.control_tokens import without_control_tokens
from zantara_exp.endpoints.http import HttpEndpoint, key_from_environment, parsed, parts, record, set_fields
from zantara_exp.endpoints.streaming import Pieces

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

    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        sampling = set_fields(max_tokens=self._config.longest_answer or None, temperature=self._config.temperature)
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
        with contextlib.suppress(EndpointError, aiohttp.ClientError, OSError):
            response = await self._request("POST", f"cancel/{job_id}", None, _CANCEL_SECONDS)
            response.release()  # whatever it says; a body without an end is not read

    async def close(self) -> None:
        """Close the connections once jobs that were given up have been cancelled."""
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=_CANCEL_SECONDS)
        await super().close()


def _reply(job: Mapping[str, Any]) -> Reply:
    status = job.get("status")
    if status in _FAILED:
        raise EndpointError(_FAILED[str(status)], f"the job ended as {status}", seconds=_seconds(job))
    if status != "COMPLETED":
        raise EndpointError(Reason.BAD_ANSWER, "the job has no known status")
    try:
        return replace(_answer(job.get("output")), seconds=_seconds(job))
    except EndpointError as error:  # an answer of no use is paid for all the same
        error.seconds = _seconds(job)
        raise


def _seconds(job: Mapping[str, Any]) -> float | None:
    """What the job had of a worker; None where it does not say. RunPod reports milliseconds."""
    said = [job.get(name) for name in ("executionTime", "delayTime", "idleTime")]
    known = [each for each in said if isinstance(each, int | float) and not isinstance(each, bool) and each >= 0]
    return sum(known) / 1000 if known else None


def _answer(output: object) -> Reply:
    pieces = output if isinstance(output, list) else [output]
    if not any(pieces):
        raise EndpointError(Reason.EMPTY_ANSWER, "no usable output")
    return _joined([_piece(each) for piece in pieces for each in _read(piece)])


class _Piece(NamedTuple):
    """What one piece of the output adds to the answer."""

    text: str
    usage: Mapping[str, Any] = {}
    finish: str | None = None


def _read(piece: object) -> list[object]:
    """A piece, or the events in it where it is text of OpenAI's stream."""
    if not isinstance(piece, str) or not piece.startswith("data:"):
        return [piece]
    lines = [line.removeprefix("data:").strip() for line in piece.splitlines() if line.startswith("data:")]
    return [parsed(line.encode()) for line in lines if line != "[DONE]"]


def _joined(pieces: Sequence[_Piece]) -> Reply:
    usage: dict[str, Any] = {}
    for piece in pieces:
        usage = merged(usage, piece.usage)
    finish = next((piece.finish for piece in reversed(pieces) if piece.finish), None)
    return Reply("".join(piece.text for piece in pieces), usage_of(usage), finish)


def _piece(piece: object) -> _Piece:
    if isinstance(piece, str):
        return _Piece(piece)
    if not isinstance(piece, dict):
        raise EndpointError(Reason.BAD_ANSWER, "the output holds something that is no answer")
    if piece.get("error") or piece.get("err"):
        raise EndpointError(Reason.SERVER_ERROR, "the output holds an error")
    choices, usage = parts(piece, "choices"), record(piece, "usage")
    if choices:
        finish = choices[0].get("finish_reason")
        return _Piece(_text_of(choices[0]), usage, finish if isinstance(finish, str) else None)
    text = next((piece[key] for key in ("text", "response", "generated_text") if key in piece), None)
    if text is None and usage:
        return _Piece("", usage)  # the last event of a stream
    if not isinstance(text, str):
        raise EndpointError(Reason.BAD_ANSWER, "the output holds no choices and no text")
    return _Piece(text, usage)


def _text_of(choice: Mapping[str, Any]) -> str:
    tokens = choice.get("tokens")
    said = [record(choice, "message").get("content"), record(choice, "delta").get("content"), choice.get("text")]
    if isinstance(tokens, list):
        said.append("".join(token for token in tokens if isinstance(token, str)))
    found = next(filter(None, said), "")
    if not isinstance(found, str):
        raise EndpointError(Reason.BAD_ANSWER, "the output's text is no text")
    return found
