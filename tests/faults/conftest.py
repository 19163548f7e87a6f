"""A small pipeline run stage by stage, once, with a copy of its folder before each: where every fault begins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from tests.endpoints.servers import raw_server
from tests.faults.processes import Done, lines, put_back, stage
from tests.shadow.recorded import Candidate
from zantara_exp.config import compose
from zantara_exp.dataset import embedded
from zantara_exp.dataset.demo.fill import ensure_demo
from zantara_exp.dataset.embedded import Server

KEY = "0123456789abcdef0123456789abcdef"
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "kv_heads": 1, "vocab_size": 600}
SMALL = (
    "source=postgres", "dataset.max_train_rows=80", "primary.limit=40", "as_of=2025-11-03", "trainer.epochs=2",
    "trainer.batch_size=8", "trainer.gradient_accumulation=1", "evaluation.generate_limit=4",
    "evaluation.train_sample=20", "rollout.probe.enabled=false", *(f"model.shape.{k}={v}" for k, v in SHAPE.items()),
)  # fmt: skip
STEPS = ("extract", "analyze", "prepare", "train", "evaluate", "shadow", "report", "review", "gate")
_NOT_COMPARED = ("outputs", "mlruns", ".said", ".changes")


class World:
    """`folder`, where stages run; what each left behind undisturbed."""

    def __init__(self, root: Path, settings: tuple[str, ...], environment: dict[str, str]) -> None:
        self.folder, self._root, self._settings, self.environment = root / "at", root, settings, environment
        self.folder.mkdir()
        self.undisturbed: dict[str, Done] = {}
        self._results: dict[str, dict[str, object]] = {}

    def run(self, name: str, *more: str, die_at: int = 0, **environment: str) -> Done:
        """`stage=NAME` on what lies in the folder."""
        return stage(self.folder, f"stage={name}", *self._settings, *more, die_at=die_at, **self.environment | environment)

    def before(self, name: str) -> Done:
        """Put the folder back to before `name`; how `name` ends there undisturbed. Runs what was not run yet."""
        for step in STEPS[: STEPS.index(name) + 1]:
            if step in self.undisturbed:
                continue
            self._restore(STEPS[STEPS.index(step) - 1] if step != STEPS[0] else None)
            self.undisturbed[step] = done = self.run(step)
            assert done.status in (0, 3, 4), done.said
            shutil.copytree(self.folder, self._root / f"after-{step}", symlinks=True)
            self._results[step] = self.result()
        self._restore(STEPS[STEPS.index(name) - 1] if name != STEPS[0] else None)
        return self.undisturbed[name]

    def _restore(self, after: str | None) -> None:
        if after is None:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        else:
            put_back(self._root / f"after-{after}", self.folder)

    def expected(self, name: str) -> dict[str, object]:
        """What `result` was after `name`, undisturbed."""
        return self._results[name]

    def result(self) -> dict[str, object]:
        """Every file but the runs' own, each with what must be the same again."""
        found: dict[str, object] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and not name.startswith(_NOT_COMPARED):
                found[name] = _content(path, name)
        return found


_TIMES = {"run_id", "evaluated_at", "seconds", "tokens_per_second", "cost", "batch_seconds", "latency_ms", "ttft_ms"}
_TIMES |= {"outputs", "trainer_seconds", "resumed_from", "code", "primary_batch_seconds", "generated_seconds"}


def _content(path: Path, name: str) -> object:
    if name.endswith(".lock") or name.startswith(".zantara/stages") or path.suffix in (".html", ".png", ".md"):
        return "there"
    if path.suffix == ".parquet":
        return "there"
    if path.suffix == ".jsonl":
        return sorted(repr(_timeless(row)) for row in lines(path))
    if path.suffix == ".json":
        import json

        return _timeless(json.loads(path.read_text()))
    return path.read_bytes()


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in _TIMES}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def production() -> Iterator[tuple[Path, Server]]:
    """The product's database: where its PostgreSQL lies, and the server."""
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("production")
        config = compose(["demo.conversations=400", "demo.users=80"])
        with psycopg.connect(server.conninfo("production"), autocommit=True) as writer:
            ensure_demo(writer, config.demo, config.seed)
        yield place, server


@pytest.fixture(scope="session")
def small_world(production: tuple[Path, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world; its candidate answers over HTTP from here."""
    with raw_server(Candidate()) as url:
        endpoint = ("endpoint=openai", f"endpoint.base_url={url}", "endpoint.model=m", "endpoint.stream=false")
        given = {"DATABASE_URL": production[1].conninfo("production"), "ZANTARA_HASH_KEY": KEY}
        yield World(tmp_path_factory.mktemp("faults"), (*SMALL, *endpoint), given)
