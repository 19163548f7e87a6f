"""Schema of what every stage shares: which stage, where things lie, how runs are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config.fields import setting


@dataclass
class Stage:
    """Config group `stage`: the one step the runner dispatches."""

    name: str = setting("pipeline", "The stage to run.")
    steps: list[str] = setting([], "For `pipeline`: the stages it runs, in order.")
    stop_at: list[str] = setting(
        [],
        "For `pipeline`: gates whose NO_GO ends it, with status 3, before the next stage; none goes on all the same.",
    )


@dataclass
class Paths:
    """Where things lie, relative to the working directory."""

    dataset: str = setting("data/llama_ft_dataset", "Raw conversations, the splits and what was rejected.")
    models: str = setting("models", "Fine-tuned models, one folder each.")
    logs: str = setting("logs/shadow_mode", "The comparison log, one file per UTC day.")
    reports: str = setting("reports", "What gate, report, review and power write.")
    state: str = setting(".zantara", "The embedded database, caches and records of finished stages.")
    mlruns: str = setting("mlruns", "MLflow's store: a sqlite database and the artifacts.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """An empty path would scatter files over the working directory."""
        for name, path in vars(self).items():
            if not str(path).strip():
                yield name, f"must not be empty; the default is {type(self).__dataclass_fields__[name].default}"


@dataclass
class Tracking:
    """Config group `tracking`: where runs are recorded."""

    name: str = setting(
        "local", "local: sqlite under paths.mlruns; server: MLFLOW_TRACKING_URI.", choices=["local", "server"]
    )
    experiment: str = setting(
        "zantara", "MLflow's experiments are called so, with what they are for: training, verdicts, operations."
    )
    every_stage: bool = setting(False, "Whether doctor, power, check, next and watch leave runs as well.")
    timeout_seconds: float = setting(5.0, "How long a server may take before runs are kept for later.", gt=0, le=300)
