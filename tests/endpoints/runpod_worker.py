"""RunPod's own worker SDK as a server on loopback, with what the service adds around it.

Run as: PYTHON runpod_worker.py, where PYTHON has `pip install runpod`. Prints its port. The SDK's API stands at
/v2/local; added are the key, the queue (`IN_QUEUE`, `IN_PROGRESS`, GET /status), `TIMED_OUT` and `/cancel`. What the
last message says decides what happens.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from runpod.serverless.modules.rp_fastapi import WorkerAPI

KEY = "s3cret"
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "Ciao!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2},
}
TOKENS = [{"choices": [{"tokens": ["Ci", "ao!"]}], "usage": {"input": 9, "output": 2}}]


def handler(job: dict[str, Any]) -> Any:
    said = job["input"]["messages"][-1]["content"]
    if said == "fail":
        raise RuntimeError("CUDA out of memory")
    return {"tokens": TOKENS, "error": {"error": "worker exited"}, "nothing": []}.get(said, ANSWER)


sdk = WorkerAPI({"handler": handler}).rp_app
inside = httpx.AsyncClient(transport=httpx.ASGITransport(sdk), base_url="http://sdk")
app = FastAPI()
jobs: dict[str, list[str]] = {}
"""What each queued job will be said to be doing, poll by poll; then the SDK says how it ended."""
cancelled: list[str] = []


@app.middleware("http")
async def checked(request: Request, call_next: Any) -> Response:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return Response(status_code=401)
    return await call_next(request)


@app.post("/v2/local/runsync")
async def runsync(request: Request) -> Response:
    body = await request.body()
    said = json.loads(body)["input"]["messages"][-1]["content"]
    planned = {"queue": ["IN_QUEUE", "IN_PROGRESS"], "hang": ["IN_PROGRESS"] * 100_000, "expire": ["TIMED_OUT"]}
    if said not in planned:
        return passed_on(await inside.post("/runsync", content=body, headers={"content-type": "application/json"}))
    job = (await inside.post("/run", content=body, headers={"content-type": "application/json"})).json()["id"]
    jobs[job] = planned[said]
    return answered(job, "IN_QUEUE")


@app.get("/v2/local/status/{job}")
async def status(job: str) -> Response:
    if jobs[job]:
        return answered(job, jobs[job].pop(0))
    return passed_on(await inside.post(f"/status/{job}"))


@app.post("/v2/local/cancel/{job}")
async def cancel(job: str) -> Response:
    cancelled.append(job)
    return answered(job, "CANCELLED")


@app.get("/cancelled")
async def all_cancelled() -> list[str]:
    return cancelled


def answered(job: str, state: str) -> Response:
    return Response(json.dumps({"id": job, "status": state}), media_type="application/json")


def passed_on(found: httpx.Response) -> Response:
    return Response(found.content, found.status_code, media_type="application/json")


app.mount("/v2/local", sdk)

if __name__ == "__main__":
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    print(f"port {listening.getsockname()[1]}", flush=True)
    os.dup2(2, 1)  # the SDK prints as it works, and nobody reads on
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])
