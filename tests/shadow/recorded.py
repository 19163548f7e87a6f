"""A data folder as the stages before `shadow` leave it, and a candidate to compare with."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tests.composing import composed
from tests.endpoints.servers import response
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.shadow.stage import shadow

FIRST = datetime(2025, 10, 1, 12, tzinfo=UTC)


class Record:
    """A run record that keeps nothing."""

    run_id = "none"

    def params(self, values: Mapping[str, object]) -> None: ...
    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None: ...
    def tags(self, values: Mapping[str, str]) -> None: ...
    def artifact(self, path: Path, folder: str = "") -> None: ...
    def dataset(self, path: Path, name: str, context: str) -> None: ...
    def model(self, path: Path, name: str, metrics: Mapping[str, float]) -> None: ...


def conversation(number: int, *turns: str, **metadata: Any) -> dict[str, Any]:
    """Turns alternate, the user's first."""
    roles = ("user", "assistant")
    facts = {"language": "it", "category": "greeting", "model": "claude-3-5-haiku", "rating": None}
    facts |= {"tokens_input": 50, "tokens_output": 7, "latency_ms": 900.0}
    return {
        "conversation_id": f"c-{number}",
        "user": f"u-{number % 10}",
        "timestamp": (FIRST + timedelta(hours=number)).isoformat().replace("+00:00", "Z"),
        "messages": [{"role": roles[place % 2], "content": text} for place, text in enumerate(turns)],
        "metadata": facts | metadata,
    }


def record(conversations: list[dict[str, Any]], train_users: list[str]) -> None:
    """Write the dataset into the working directory; users not in `train_users` are held out."""
    folder = Path("data/llama_ft_dataset")
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"".join(orjson.dumps(row) + b"\n" for row in conversations)
    (folder / "raw_conversations.jsonl").write_bytes(lines)
    users = {row["user"]: "train" if row["user"] in train_users else "test" for row in conversations}
    (folder / "splits.json").write_bytes(orjson.dumps({"version": 1, "users": users}))


def run(*overrides: str) -> StageResult:
    config = composed("stage=shadow", *overrides)
    return shadow(config, Context(config, Record(), Path("outputs/test")))


def against(base_url: str, *overrides: str) -> StageResult:
    """The stage with a server of the test's as candidate."""
    settings = [f"endpoint.base_url={base_url}", "endpoint.model=m", "endpoint.stream=false"]
    return run("endpoint=openai", *settings, *overrides)


class Candidate:
    """Answers every call as `text` and `status` say, after `seconds`; counts the calls.

    While `holding` it answers nobody. `together`: from the second call on (one warms it up) it answers nobody before so
    many wait at once, so that how many are in flight is not left to the machine's load.
    """

    def __init__(
        self, text: str = "Ciao a te!", status: str = "200 OK", seconds: float = 0.0, together: int = 0
    ) -> None:
        body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}
        self.raw = response(json.dumps(body).encode(), status)
        self.seconds = seconds
        self.together = together
        self.holding = False
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, _: bytes, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.seconds)
        while self.holding or (self.calls > 1 and self.most_at_once < self.together):
            await asyncio.sleep(0.005)
        writer.write(self.raw)
        self.at_once -= 1
