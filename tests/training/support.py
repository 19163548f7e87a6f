"""A context without tracking, and configs for runs of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zantara_exp.config import compose
from zantara_exp.config.schema import Config
from zantara_exp.config.training import Shape
from zantara_exp.core.stage import Context, ModelNotes


class Remembered:
    """A run record that remembers; what tracking does with it is tested there."""

    run_id = "test"

    def __init__(self) -> None:
        self.points: list[tuple[int | None, dict[str, float]]] = []
        self.models: list[tuple[Path, str, dict[str, float]]] = []
        self.registered: list[tuple[Path, str, str]] = []
        self.labels: dict[str, str] = {}

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.points.append((step, dict(values)))

    def tags(self, values: Mapping[str, str]) -> None:
        self.labels.update(values)

    def artifact(self, path: Path, folder: str = "") -> None: ...

    def dataset(self, path: Path, name: str, context: str) -> None: ...

    def model(self, path: Path, name: str, metrics: Mapping[str, float], step: int = 0) -> None:
        self.models.append((path, name, dict(metrics)))

    def elsewhere(self, run: str, values: Mapping[str, float]) -> None: ...

    def evaluated(self, epoch: str, about: ModelNotes) -> None: ...

    def register(self, path: Path, name: str, alias: str, tags: Mapping[str, str], about: ModelNotes) -> None:
        self.registered.append((path, name, alias))

    def curve(self, name: str) -> list[tuple[int | None, float]]:
        return [(step, values[name]) for step, values in self.points if name in values]


def tiny_config(folder: Path, **trainer: object) -> Config:
    """A model of some ten thousand weights, one epoch."""
    config, shipped = Config(), compose([])
    config.domain, config.dataset.languages = shipped.domain, shipped.dataset.languages
    config.paths.dataset, config.paths.models = str(folder / "data"), str(folder / "models")
    config.paths.reports, config.paths.state = str(folder / "reports"), str(folder / "state")
    config.model.shape = Shape(
        hidden_size=32, intermediate_size=64, layers=1, heads=2, kv_heads=1, vocab_size=600, max_positions=256
    )
    settings = {
        "method": "full",
        "epochs": 1.0,
        "learning_rate": 3e-3,
        "batch_size": 8,
        "gradient_accumulation": 1,
        "max_length": 256,
        "log_every_steps": 5,
    } | trainer
    for name, value in settings.items():
        setattr(config.trainer, name, value)
    return config


def context_for(config: Config, folder: Path) -> tuple[Context, Remembered]:
    run = Remembered()
    return Context(config, run, folder, {"experiment": "ours"}), run
