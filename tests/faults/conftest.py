"""A small pipeline run stage by stage, once, with a copy of its folder after each: where every fault begins."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from tests.endpoints.servers import raw_server, response
from tests.evaluation.judging import verdict
from tests.faults.processes import NOWHERE, At, Done, empty, ended, lines, put_back, started
from tests.shadow.recorded import Candidate
from zantara_exp.config import compose
from zantara_exp.dataset import embedded
from zantara_exp.dataset.demo.fill import ensure_demo
from zantara_exp.dataset.demo.phrases import product_of
from zantara_exp.dataset.embedded import Server

KEY = "0123456789abcdef0123456789abcdef"
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "kv_heads": 1, "vocab_size": 600}
SMALL = (
    "source=postgres", "dataset.max_train_rows=80", "primary.limit=40", "as_of=2025-11-03", "trainer.epochs=2",
    "trainer.batch_size=8", "trainer.gradient_accumulation=1", "evaluation.generate_limit=4",
    "evaluation.train_sample=20", *(f"model.shape.{name}={value}" for name, value in SHAPE.items()),
)  # fmt: skip
STEPS = (
    "extract", "analyze", "prepare", "train", "evaluate", "shadow", "report", "review", "gate",
    "judge", "slices", "next", "publish",
)  # fmt: skip


class World:
    """`folder`, where stages run one at a time, and what each left there undisturbed."""

    def __init__(self, root: Path, settings: tuple[str, ...], environment: dict[str, str], judge: str) -> None:
        at = ("judge=openai", f"judge.endpoint.base_url={judge}", "judge.endpoint.model=m", "judge.max_usd=100")
        self._of_step = {"judge": at, "publish": ("publish.even_without_go=true",)}
        self.folder, self._root, self._settings, self._environment = root / "at", root, settings, environment
        self.folder.mkdir()
        self.undisturbed: dict[str, Done] = {}
        self._results: dict[str, dict[str, object]] = {}

    def run(self, name: str, *more: str, at: At = NOWHERE, **environment: str) -> Done:
        """`stage=NAME` on what lies in the folder, to its end."""
        return ended(self.folder, self.start(name, *more, at=at, **environment))

    def start(self, name: str, *more: str, at: At = NOWHERE, **environment: str) -> Any:
        """The same, not waited for."""
        given = {**self._environment, **environment}
        of_step = self._of_step.get(name, ())
        return started(self.folder, f"stage={name}", *self._settings, *of_step, *more, at=at, **given)

    def before(self, name: str) -> Done:
        """Put the folder back to before `name`; how `name` ends there undisturbed. Runs what was not run yet."""
        for number, step in enumerate(STEPS[: STEPS.index(name) + 1]):
            if step not in self.undisturbed:
                self._restore(number)
                self.undisturbed[step] = done = self.run(step)
                assert done.status in (0, 3, 4), done.said
                shutil.copytree(self.folder, self.after(step), symlinks=True)
                self._results[step] = self.result()
        self._restore(STEPS.index(name))
        return self.undisturbed[name]

    def _restore(self, number: int) -> None:
        if number:
            put_back(self.after(STEPS[number - 1]), self.folder)
        else:
            empty(self.folder)

    def after(self, name: str) -> Path:
        """A copy of the folder as `name` left it undisturbed."""
        return self._root / f"after-{name}"

    def expected(self, name: str) -> dict[str, object]:
        """What `result` was after `name`, undisturbed."""
        return self._results[name]

    def result(self) -> dict[str, object]:
        """Every file but the runs' own, each with what must be the same again."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        named = {str(path.relative_to(self.folder)): path for path in files}
        return {name: _content(path, name) for name, path in named.items() if not name.startswith(_THE_RUNS_OWN)}


_THE_RUNS_OWN = ("outputs", "mlruns", ".zantara/pending")
_OF_A_RUN = (
    "run_id",
    "evaluated_at",
    "published_at",
    "seconds",
    "runtime",
    "per_second",
    "cost",
    "latency_ms",
    "resumed_from",
)
"""Endings of keys that differ from run to run."""


def _content(path: Path, name: str) -> object:
    """What a file says, without times and the run's id; of pages, pictures and caches only that they are there."""
    if name.startswith((".zantara/stages", ".zantara/facts")):
        return "there"
    if name == ".zantara/looks/looks.jsonl":  # a look that a kill kept from being shown is recorded again
        return {repr(_lasting(row)) for row in lines(path)}
    if path.suffix == ".jsonl":
        return sorted(repr(_lasting(row)) for row in lines(path))
    if path.suffix == ".json":
        return _lasting(json.loads(path.read_text()))
    return path.read_bytes() if path.suffix in (".csv", ".safetensors") else "there"


def _lasting(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in value.items() if not key.endswith(_OF_A_RUN)}
    return [_lasting(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def production() -> Iterator[tuple[Path, Server]]:
    """The product's database: where its PostgreSQL lies, and the server."""
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("production")
        config = compose(["demo.conversations=400", "demo.users=80"])
        with psycopg.connect(server.conninfo("production"), autocommit=True) as writer:
            ensure_demo(writer, product_of(config.domain), config.demo, config.seed)
        yield place, server


@pytest.fixture(scope="session")
def small_world(production: tuple[Path, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world; its candidate answers over HTTP from here."""
    with raw_server(Candidate()) as url, raw_server(_judging) as judge:
        endpoint = ("endpoint=openai", f"endpoint.base_url={url}", "endpoint.model=m", "endpoint.stream=false")
        given = {"DATABASE_URL": production[1].conninfo("production"), "ZANTARA_HASH_KEY": KEY}
        yield World(tmp_path_factory.mktemp("faults"), (*SMALL, *endpoint), given, judge)


async def _judging(request: bytes, writer: asyncio.StreamWriter) -> None:
    """A judge who finds every answer as good."""
    said = {"choices": [{"message": {"content": verdict("tie")}, "finish_reason": "stop"}]}
    writer.write(response(json.dumps(said | {"usage": {"prompt_tokens": 9, "completion_tokens": 9}}).encode()))
