"""The table of stages: which function runs, what it reads and writes, what it depends on.

The runner decides from this table whether a finished stage can be reused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from zantara_exp.config.rollout import SAFE
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.tracking import OPERATIONS, TRAINING, VERDICTS

Files = Callable[[Layout], Sequence[Path]]


def _nothing(_: Layout) -> Sequence[Path]:
    return ()


def _never(_: Config) -> bool:
    return False


@dataclass(frozen=True)
class StageSpec:
    """One row of the table."""

    function: str
    """`module:function`, imported when the stage runs."""
    groups: tuple[str, ...]
    """Config nodes that the stage's outcome depends on."""
    inputs: Files = _nothing
    """Files or folders it reads; they must exist."""
    outputs: Files = _nothing
    """Files or folders it writes. A stage without outputs is never reused."""
    fingerprint: str = ""
    """`module:function` from a Config to a text that changes with what the stage reads outside of files."""
    headline: tuple[str, ...] = ()
    """Lines of the stage's summary that the pipeline's table repeats."""
    purpose: str = OPERATIONS
    """Which of MLflow's experiments has its runs."""
    run_name: Callable[[Config], str] | None = None
    """What MLflow calls a run of it, beside what the sweep it is in changes; None: as the stage."""
    compared: tuple[str, ...] = ()
    """Keys that are columns of MLflow's tables beside those of the command line; all are in the run's config file."""
    only_looks: bool = False
    """Whether it leaves a run only where `tracking.every_stage` asks for it."""
    at_once: Callable[[Config], bool] = _never
    """Whether it acts before anything else: no key is looked at that it does not read, and its record is sent by a
    process of its own."""
    every_candidate: bool = False
    """Of several candidates (`endpoints`) it takes all; any other stage one: `candidate`, or the first."""
    shown_first: bool = False
    """What it found is shown before MLflow is even imported, and recorded then; it shows no curve meanwhile."""

    @property
    def module(self) -> str:
        """The module of the stage's function, below this package."""
        return self.function.split(":")[0]

    def load(self) -> Callable[[Config, Context], StageResult]:
        """Import the stage's function."""
        loaded: Callable[[Config, Context], StageResult] = _imported(self.function)
        return loaded

    def outside(self, config: Config) -> str:
        """What the stage reads outside of files, as a text that changes when that changes."""
        return str(_imported(self.fingerprint)(config)) if self.fingerprint else ""


def _imported(path: str) -> Callable[..., StageResult]:
    module, name = path.split(":")
    found: Callable[..., StageResult] = getattr(import_module(f"zantara_exp.{module}"), name)
    return found


_TRAINING = (
    "model.name",
    "trainer.name",
    "trainer.method",
    "trainer.learning_rate",
    "trainer.epochs",
    "trainer.batch_size",
    "trainer.gradient_accumulation",
    "trainer.max_length",
    "trainer.lora.rank",
    "trainer.lora.alpha",
    "seed",
)


def _training(config: Config) -> str:
    """`llama8b lr=0.0002 r16`."""
    rank = f" r{config.trainer.lora.rank}" if config.trainer.method != "full" else ""
    return f"{config.model.name} lr={config.trainer.learning_rate:g}{rank}"


def _splits(at: Layout) -> list[Path]:
    return [at.train, at.val, at.test]


def _model_files(at: Layout) -> list[Path]:
    return [at.model / name for name in ("config.json", "tokenizer.json", "train.json")]


STAGES: dict[str, StageSpec] = {
    "extract": StageSpec(
        "dataset.extract:extract",
        headline=("written",),
        groups=("source", "demo", "domain", "dataset", "log", "review", "as_of", "seed"),
        outputs=lambda at: [at.raw_conversations, at.extract_summary],
        fingerprint="dataset.sources:fingerprint",
    ),
    "analyze": StageSpec(
        "dataset.analyze:analyze",
        headline=("quality",),
        groups=("domain", "dataset", "seed"),
        inputs=lambda at: [at.raw_conversations],
        outputs=lambda at: [at.analysis],
        fingerprint="dataset.labels:fingerprint",
    ),
    "label": StageSpec(
        "dataset.labelling.stage:label",
        groups=("label", "domain", "dataset", "seed"),
        inputs=lambda at: [at.raw_conversations],
    ),
    "prepare": StageSpec(
        "dataset.prepare:prepare",
        headline=("examples out", "mix"),
        groups=("domain", "dataset", "seed"),
        inputs=lambda at: [at.raw_conversations],
        outputs=lambda at: [*_splits(at), at.rejected, at.rejected_turns, at.splits],
    ),
    "train": StageSpec(
        "training.stage:train",
        headline=("validation loss", "train loss"),
        groups=("model", "trainer", "seed"),
        purpose=TRAINING,
        run_name=_training,
        compared=_TRAINING,
        inputs=lambda at: [at.train, at.val],
        outputs=lambda at: [*_model_files(at), *sorted(at.model.glob("*.safetensors"))],
        fingerprint="training.checkpoints:outside",
    ),
    "evaluate": StageSpec(
        "evaluation.stage:evaluate",
        headline=("test loss", "language"),
        groups=("domain", "dataset", "model", "trainer", "evaluation", "judge", "seed"),
        purpose=TRAINING,
        run_name=lambda config: f"evaluate {config.model.name}",
        compared=("model.name", "judge.name", "evaluation.generate_limit"),
        inputs=lambda at: [at.train_summary, at.train, at.test, at.val],
        outputs=lambda at: [at.evaluation, at.evaluation_rows],
    ),
    "publish": StageSpec(
        "training.publish:publish",
        groups=("model", "publish"),
        compared=("model.name", "publish.name"),
        purpose=TRAINING,
        run_name=lambda config: f"publish {config.model.name}",
        inputs=lambda at: [at.train_summary],
    ),
    "shadow": StageSpec(
        "shadow.stage:shadow",
        headline=("comparisons", "success rate", "candidate latency"),
        groups=(
            *("domain", "dataset", "model", "primary", "endpoint", "endpoints", "candidate"),
            *("shadow", "rollout", "log", "cost", "seed"),
        ),
        every_candidate=True,
        compared=("model.name", "endpoint.name", "endpoint.model", "primary.name"),
        inputs=lambda at: [at.raw_conversations, at.splits, *at.candidate],
        outputs=lambda at: sorted(at.logs.glob("shadow_comparison_*.jsonl")) or [at.logs],
    ),
    "serve": StageSpec(
        "gateway.stage:serve",
        groups=("domain", "dataset", "endpoint", "endpoints", "shadow", "log", "cost", "gateway"),
        every_candidate=True,
        shown_first=True,
    ),
    "report": StageSpec(
        "analysis.report:report",
        headline=("page",),
        groups=("endpoints", "candidate", "log", "report", "review", "engine", "evaluation", "cost", "gate", "as_of"),
        every_candidate=True,
        purpose=VERDICTS,
        inputs=lambda at: at.comparisons,
    ),
    "watch": StageSpec(
        "watch.stage:watch",
        groups=("endpoints", "candidate", "log", "watch", "report", "engine", "evaluation", "cost", "gate", "rollout"),
        every_candidate=True,
        shown_first=True,
        only_looks=True,
    ),
    "doctor": StageSpec(
        "cli.doctor:doctor",
        groups=("source", "model", "trainer", "endpoint", "endpoints", "tracking"),
        every_candidate=True,
        only_looks=True,
    ),
    "judge": StageSpec(
        "evaluation.judge_log:judge",
        groups=("domain", "dataset", "log", "review", "judge", "engine", "as_of", "seed"),
        purpose=VERDICTS,
        inputs=lambda at: at.comparisons,
    ),
    "review": StageSpec(
        "review.stage:review",
        groups=("log", "review", "engine", "as_of", "seed"),
        purpose=VERDICTS,
        inputs=lambda at: at.comparisons,
    ),
    "slices": StageSpec(
        "slices.stage:slices",
        groups=("domain", "dataset", "log", "review", "slices", "gate", "engine", "as_of", "seed"),
        purpose=VERDICTS,
        inputs=lambda at: at.comparisons,
    ),
    "next": StageSpec(
        "review.next_candidate:following",
        groups=("domain", "dataset", "log", "review", "model", "trainer", "gate", "engine", "as_of", "seed"),
        only_looks=True,
        inputs=lambda at: at.comparisons,
    ),
    "gate": StageSpec(
        "gates.stage:gate",
        groups=("endpoints", "candidate", "log", "gate", "engine", "cost", "review", "as_of"),
        every_candidate=True,
        purpose=VERDICTS,
        run_name=lambda config: config.gate.name,
        compared=("gate.name",),
        shown_first=True,
    ),
    "power": StageSpec(
        "gates.power:power",
        groups=("gate", "engine", "review", "shadow", "seed"),
        shown_first=True,
        only_looks=True,
    ),
    "check": StageSpec(
        "gates.check:check",
        groups=("endpoints", "gate", "review", "slices", "rollout", "cost", "seed"),
        every_candidate=True,
        shown_first=True,
        only_looks=True,
    ),
    "certify": StageSpec(
        "routing.stage:certify",
        groups=("domain", "dataset", "log", "review", "engine", "cost", "rollout", "as_of", "seed"),
        purpose=VERDICTS,
        inputs=lambda at: at.comparisons,
    ),
    "rollout": StageSpec(
        "rollout.stage:rollout",
        groups=("rollout", "gate", "endpoint", "endpoints", "candidate"),
        at_once=lambda config: config.rollout.action in SAFE and not config.rollout.watch,
    ),
    "rehearsal": StageSpec(
        "rehearsal.stage:rehearsal",
        groups=(
            "rehearsal",
            "domain",
            "dataset",
            "endpoint",
            "shadow",
            "log",
            "gateway",
            "engine",
            "review",
            "cost",
            "gate",
            "rollout",
            "seed",
        ),
    ),
    "forget": StageSpec("privacy.stage:forget", groups=("privacy", "source", "log", "rollout", "tracking", "as_of")),
    "rekey": StageSpec("privacy.rekey:rekey", groups=("privacy", "source", "log", "rollout", "tracking")),
}
