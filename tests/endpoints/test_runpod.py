import asyncio
import json
from typing import Any

import pytest

from tests.endpoints.servers import raw_server, response
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.build import build
from zantara_exp.endpoints.runpod import address

OPENAI = {"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}
TOKENS = [{"choices": [{"tokens": ["Ci", "ao!"]}], "usage": {"input": 9, "output": 2}}]


class Service:
    """The service's protocol: answers `/runsync` and `/status` with the scripted jobs, one after the other."""

    def __init__(self, *jobs: Any, seconds: float = 0.0) -> None:
        self.jobs = list(jobs)
        self.seconds = seconds
        self.paths: list[str] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        method, path, _ = request.split(b"\r\n", 1)[0].decode().split()
        self.paths.append(f"{method} {path}")
        if "/cancel/" in path:
            writer.write(response(b'{"status": "CANCELLED"}'))
            return
        await asyncio.sleep(self.seconds)
        job = self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0]
        writer.write(response(job if isinstance(job, bytes) else json.dumps(job).encode()))


def ask(service: Service, timeout_seconds: float = 60.0) -> Answer:
    async def go(url: str) -> Answer:
        config = Endpoint(
            name="runpod", kind="runpod", base_url=url, model="m", timeout_seconds=timeout_seconds, poll_seconds=0.02
        )
        endpoint = build(config)
        try:
            return await endpoint.chat([{"role": "user", "content": "ciao"}])
        finally:
            await endpoint.close()

    with raw_server(service) as url:
        return asyncio.run(go(url))


@pytest.mark.parametrize(
    ("output", "tokens"),
    [
        (OPENAI, (9, None)),
        ([OPENAI], (9, None)),
        (TOKENS, (9, 2)),
        ("Ciao!", (None, None)),
        ({"text": "Ciao!"}, (None, None)),
    ],
)
def test_the_shapes_of_an_answer(output: Any, tokens: tuple[int | None, int | None]) -> None:
    answer = ask(Service({"id": "1", "status": "COMPLETED", "output": output}))
    assert (answer.text, answer.error) == ("Ciao!", None)
    assert (answer.usage.read, answer.usage.output) == tokens


def test_a_queued_job_is_polled() -> None:
    service = Service(
        {"id": "j1", "status": "IN_QUEUE"},
        {"id": "j1", "status": "IN_PROGRESS"},
        {"id": "j1", "status": "COMPLETED", "output": OPENAI},
    )
    assert ask(service).text == "Ciao!"
    assert service.paths == ["POST /v1/runsync?wait=48000", "GET /v1/status/j1", "GET /v1/status/j1"]


def test_a_job_that_is_not_over_in_time_is_cancelled() -> None:
    service = Service({"id": "j1", "status": "IN_PROGRESS"})
    answer = ask(service, timeout_seconds=2.0)
    assert answer.error is Reason.TIMEOUT
    assert answer.latency_ms > 1900
    assert service.paths[-1] == "POST /v1/cancel/j1"


def test_a_job_that_cannot_be_asked_about_is_cancelled_too() -> None:
    service = Service({"id": "j1", "status": "IN_QUEUE"}, b"<html>")
    assert ask(service).error is Reason.BAD_ANSWER
    assert service.paths[-1] == "POST /v1/cancel/j1"


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"id": "1", "status": "FAILED", "error": "CUDA out of memory"}, Reason.SERVER_ERROR),
        ({"id": "1", "status": "TIMED_OUT"}, Reason.TIMEOUT),
        ({"id": "1", "status": "COMPLETED"}, Reason.EMPTY_ANSWER),
        ({"id": "1", "status": "COMPLETED", "output": []}, Reason.EMPTY_ANSWER),
        ({"id": "1", "status": "COMPLETED", "output": 5}, Reason.BAD_ANSWER),
        (
            {"id": "1", "status": "COMPLETED", "output": {"choices": [{"message": {"content": " "}}]}},
            Reason.EMPTY_ANSWER,
        ),
        ({"id": "1", "status": "COMPLETED", "output": {"error": "x"}}, Reason.SERVER_ERROR),
        ({"id": "1", "status": "COMPLETED", "output": {"x": 1}}, Reason.BAD_ANSWER),
        (
            {"id": "1", "status": "COMPLETED", "output": {"choices": [{"message": {"content": {"x": 1}}}]}},
            Reason.BAD_ANSWER,
        ),
        ({"id": "1", "status": "ASLEEP"}, Reason.BAD_ANSWER),
        ({"status": "IN_QUEUE"}, Reason.BAD_ANSWER),
        (b"", Reason.EMPTY_ANSWER),
        (b"<html>", Reason.BAD_ANSWER),
    ],
)
def test_failures_are_typed(job: Any, reason: Reason) -> None:
    assert ask(Service(job)).error is reason


def test_the_variable_may_hold_an_id_or_an_address() -> None:
    assert address("abc123") == "https://api.runpod.ai/v2/abc123"
    assert address("https://api.runpod.ai/v2/abc123/runsync") == "https://api.runpod.ai/v2/abc123"
    assert address("http://127.0.0.1:1/v2/local/") == "http://127.0.0.1:1/v2/local"


def test_variables_that_are_not_set_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from zantara_exp.endpoints.build import option

    with pytest.raises(MissingRequirementError, match="RUNPOD_ENDPOINT"):
        build(option("runpod"))
    monkeypatch.setenv("RUNPOD_ENDPOINT", "abc")
    with pytest.raises(MissingRequirementError, match="RUNPOD_API_KEY"):
        build(option("runpod"))
