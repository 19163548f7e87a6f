"""What the tests of the area share: configs, contexts that record nothing, conversations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.composing import composed
from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Context


class Silent:
    """A record of a run that keeps the metrics and forgets the rest."""

    run_id = "test"

    def __init__(self) -> None:
        self.datasets: list[str] = []

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None: ...

    def tags(self, values: Mapping[str, str]) -> None: ...

    def artifact(self, path: Path, folder: str = "") -> None: ...

    def dataset(self, path: Path, name: str, context: str) -> None:
        assert path.exists()
        self.datasets.append(name)

    def model(self, path: Path, name: str, metrics: Mapping[str, float]) -> None: ...


def config_of(*overrides: str) -> Config:
    """The shipped config with overrides."""
    return composed(*overrides)


def small_demo(state: Path) -> list[str]:
    """Overrides: the shared server, and few conversations."""
    return [f"paths.state={state}", "demo.conversations=700", "demo.users=60"]


def context_of(config: Config) -> Context:
    """A context whose run goes nowhere."""
    return Context(config, Silent(), Path.cwd(), {"experiment": "ours"})


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def record(
    *said: str, name: str = "c1", user: str = "u1", language: str = "it", category: str = "casual", **metadata: object
) -> dict[str, Any]:
    """A raw conversation: user and assistant in turns."""
    roles = ("user", "assistant")
    return {
        "conversation_id": name,
        "user": user,
        "timestamp": "2025-11-03T10:00:00.000Z",
        "messages": [{"role": roles[number % 2], "content": text} for number, text in enumerate(said)],
        "metadata": {
            "language": language,
            "category": category,
            "model": "haiku",
            "rating": None,
            "tokens_input": 10,
            "tokens_output": 10,
            "latency_ms": 900.0,
            **metadata,
        },
    }


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
