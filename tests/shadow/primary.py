"""A stub of the primary that speaks both APIs, on loopback."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TOKENS = ("Ciao", "! Come", " va?")


@dataclass
class Primary:
    """What it saw, and how it answers."""

    status: int = 200
    paths: list[str] = field(default_factory=list)
    pause: float = 0.0
    tool: bool = False
    zipped: bool = False
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    given_up: int = 0
    step: threading.Semaphore | None = None
    """Each further piece of a stream waits until a test lets it go."""

    async def answer(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        self.paths.append(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        self.bodies.append(await request.body())
        asked = json.loads(self.bodies[-1] or b"{}")
        path = request.url.path
        anthropic = "messages" in path or "Predict" in path or "/model/" in path
        extra = {"request-id": "req_1", "x-ratelimit-remaining": "7"}
        if self.status != 200:
            body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return JSONResponse(body, self.status, {**extra, "retry-after": "3", "x-should-retry": "false"})
        responses = path.endswith("/responses")
        if asked.get("stream"):
            frames = anthropic_frames(self.tool) if anthropic else openai_frames(self.tool)
            frames = responses_frames(self.tool) if responses else frames
            return StreamingResponse(self._frames(frames), 200, extra, "text/event-stream; charset=utf-8")
        await asyncio.sleep(self.pause)
        whole = anthropic_whole(self.tool) if anthropic else openai_whole(self.tool)
        body = json.dumps(responses_whole(self.tool) if responses else whole).encode()
        if self.zipped:
            body, extra = gzip.compress(body), {**extra, "content-encoding": "gzip"}
        self.sent.append(body)
        return Response(body, 200, extra, "application/json")

    async def _frames(self, frames: list[bytes]) -> Any:
        try:
            for frame in frames:
                self.sent.append(frame)
                yield frame
                await asyncio.sleep(self.pause)
                while self.step is not None and not self.step.acquire(blocking=False):
                    await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.given_up += 1
            raise


def anthropic_whole(tool: bool) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": "".join(TOKENS)}
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": "visa", "input": {"country": "it"}}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-3-5-haiku-20241022", "content": [block],
        "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 21, "output_tokens": 5},
    }  # fmt: skip


def openai_whole(tool: bool) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "visa", "arguments": '{"country": "it"}'}}
    message: dict[str, Any] = {"role": "assistant", "content": "".join(TOKENS)}
    if tool:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}],
        "usage": {"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26},
    }  # fmt: skip


def _event(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def anthropic_frames(tool: bool) -> list[bytes]:
    whole = anthropic_whole(tool)
    start = {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    block: dict[str, Any] = {"type": "text", "text": ""}
    deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": token} for token in TOKENS]
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": "visa", "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": '{"country": "it"}'}]
    frames = [_event(start), _event({"type": "content_block_start", "index": 0, "content_block": block})]
    frames += [_event({"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas]
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    frames += [
        _event({"type": "content_block_stop", "index": 0}),
        _event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}}),
        _event({"type": "message_stop"}),
    ]
    return frames


def openai_frames(tool: bool) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"content": token} for token in TOKENS]
    if tool:
        deltas = [{"tool_calls": [{"index": 0, **openai_whole(True)["choices"][0]["message"]["tool_calls"][0]}]}]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = "tool_calls" if tool else "stop"
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    usage = {"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26}
    chunks.append({**base, "choices": [], "usage": usage})
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def responses_whole(tool: bool) -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(TOKENS), "annotations": [], "logprobs": []}
    said = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    call = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "visa",
            "arguments": '{"country": "it"}'}  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None,
        "incomplete_details": None, "model": "gpt-5-mini", "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "output": [{"id": "rs_1", "type": "reasoning", "summary": []}, call if tool else said],
        "usage": {"input_tokens": 2000, "input_tokens_details": {"cached_tokens": 1900}, "output_tokens": 69,
                  "output_tokens_details": {"reasoning_tokens": 64}, "total_tokens": 2069},
    }  # fmt: skip


def responses_frames(tool: bool) -> list[bytes]:
    whole = responses_whole(tool)
    item = whole["output"][1]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 1, "item": {**item, "content": []}},
    ]
    if not tool:
        at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
        part = item["content"][0]
        events.append({"type": "response.content_part.added", **at, "part": {**part, "text": ""}})
        events += [{"type": "response.output_text.delta", **at, "delta": token, "logprobs": []} for token in TOKENS]
        events.append({"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []})
    events.append({"type": "response.output_item.done", "output_index": 1, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [_event({**event, "sequence_number": number}) for number, event in enumerate(events)]


@contextmanager
def running(app: Any, http: Any = "auto") -> Iterator[str]:
    """An ASGI application on loopback, in a thread, by one of uvicorn's HTTP protocols; yields its address."""
    settings = uvicorn.Config(
        app, port=0, log_level="error", server_header=False, date_header=False, ws="none", timeout_graceful_shutdown=2,
        http=http,
    )  # fmt: skip
    server = uvicorn.Server(settings)
    listening = settings.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:  # bound is not yet listening
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


@contextmanager
def primary_at(primary: Primary) -> Iterator[str]:
    with running(Starlette(routes=[Route("/{path:path}", primary.answer, methods=["GET", "POST"])])) as url:
        yield url
