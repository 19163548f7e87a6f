"""`scripts/bench train`: what our stage costs beside a bare TRL script, on model=tiny and the demo's dataset.

The same model, data and SFTConfig are trained by SFTTrainer alone and by stage=train, in turns that change who goes
first, and once by SFTTrainer with its own MLflow reporting; each in a process of its own. Speed is tokens over the time
of SFTTrainer.train, which all three call, in the fastest turn of each: what else a machine does only ever adds time, up
to 30 % on a shared one. Memory is the peak of the whole process; our stage records curves in MLflow as it trains, so it
is compared with the script that does so too.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table

TURNS = 5
BARE, REPORTING, OURS = "SFTTrainer alone", "SFTTrainer, report_to=mlflow", "stage=train"


@dataclass(frozen=True)
class Training:
    """What training took."""

    tokens: int
    """Read, padding not counted."""
    seconds: float
    """Of SFTTrainer.train, validations and checkpoints included."""
    megabytes: float
    """Peak of the process's resident memory."""

    @property
    def tokens_per_second(self) -> float:
        """Validations and checkpoints counted in the time."""
        return self.tokens / self.seconds


def run(examples: int | None = None, seed: int = 7) -> Report:
    """Make the dataset and train; about nine minutes on 2 cores."""
    started = time.monotonic()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder:
        arms = measured(folder, ["model=tiny"], examples, seed, TURNS)
    command = f"scripts/bench train{f' --rows {examples}' if examples else ''} --seed {seed}"
    told = intro("model=tiny, one epoch of the demo's training split", TURNS, load)
    return Report("train", command, told, [table("tiny", arms)], goals(arms), time.monotonic() - started)


def measured(
    folder: str, model: Sequence[str], examples: int | None, seed: int, turns: int
) -> dict[str, list[Training]]:
    """What every turn of every arm took."""
    given = [f"seed={seed}", *model, "trainer.epochs=1", f"paths.dataset={folder}/data"]
    alone(_dataset, folder, [*given, f"paths.state={folder}/state"], examples)
    arms: dict[str, list[Training]] = {BARE: [], REPORTING: [], OURS: []}
    for number, name in enumerate(_order(turns)):
        at = f"{folder}/{number}"
        found = alone(_ARMS[name], at, [*given, f"paths.models={at}/models", f"paths.state={at}/state"], None)
        arms[name].append(found)
        terminal.say(f"{name}: {found.tokens_per_second:,.0f} tokens/s")
    return arms


def intro(what: str, turns: int, load: float) -> str:
    """How it was measured."""
    return (
        f"{what}; {turns} turns, each training in a process of its own; the goal of speed holds the fastest turn of "
        f"each. {os.cpu_count()} cores, no GPU; load average at the start {load:.1f}. Again by:"
    )


def _order(turns: int) -> list[str]:
    """Who trains when: neither always first, as a machine that warms up or slows down would favour it."""
    pairs = [(BARE, OURS) if turn % 2 == 0 else (OURS, BARE) for turn in range(turns)]
    return [*(name for pair in pairs for name in pair), REPORTING]


def goals(arms: dict[str, list[Training]]) -> list[Goal]:
    """Of speed and memory."""
    slower = _fastest(arms[BARE]) / _fastest(arms[OURS])
    larger = median(t.megabytes for t in arms[OURS]) / median(t.megabytes for t in arms[REPORTING])
    return [
        Goal("time for a token, in times of SFTTrainer alone (0.95 of its tokens/s)", round(slower, 3), None, 1.053),
        Goal("peak memory, in times of SFTTrainer with report_to=mlflow", round(larger, 3), None, 1.05),
    ]


def _fastest(arm: Sequence[Training]) -> float:
    return max(training.tokens_per_second for training in arm)


def table(model: str, arms: dict[str, list[Training]]) -> Table:
    """The arms side by side."""
    rows = []
    for name, arm in arms.items():
        speeds = [training.tokens_per_second for training in arm]
        peaks = sorted(training.megabytes for training in arm)
        spread = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
        rows.append(
            [name, f"{arm[0].tokens:,}", f"{median(speeds):,.0f}", spread, f"{peaks[0]:.0f} to {peaks[-1]:.0f}"]
        )
    return Table(f"one epoch of model={model}", ["", "tokens", "tokens/s (median)", "tokens/s", "peak MB"], rows)


def alone(function: Callable[..., Any], folder: str, overrides: Sequence[str], examples: int | None) -> Any:
    """Call in a process of its own."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (folder, list(overrides), examples))


def _dataset(folder: str, overrides: list[str], examples: int | None) -> None:
    """The demo's splits, as the pipeline makes them; `examples` keeps the first of either split."""
    _stages(folder, overrides, ["extract", "prepare"])
    for split in ("train", "val"):
        path = Path(folder) / "data" / f"{split}.jsonl"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:examples]))


def _stages(folder: str, overrides: list[str], names: Sequence[str]) -> None:
    from zantara_exp.cli.main import run_overrides

    os.chdir(folder)
    for name in names:
        if run_overrides([f"stage={name}", *overrides]):
            raise RuntimeError(f"stage={name} did not end well")


def _ours(folder: str, overrides: list[str], _: None) -> Training:
    from zantara_exp.core.quiet_libraries import set_environment

    set_environment()
    with timed() as seen:
        _stages(folder, overrides, ["train"])
    return training_of(seen)


def _bare(folder: str, overrides: list[str], _: None) -> Training:
    return _script(folder, overrides, "none")


def _reporting(folder: str, overrides: list[str], _: None) -> Training:
    return _script(folder, overrides, "mlflow")


def _script(folder: str, overrides: list[str], report_to: str) -> Training:
    """What somebody would write who has a model, tokenized splits and an SFTConfig with our arguments."""
    from zantara_exp.core.quiet_libraries import set_environment

    set_environment()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    os.chdir(folder)
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq
    from trl import SFTTrainer

    from zantara_exp.core.layout import Layout
    from zantara_exp.training.data import read_split
    from zantara_exp.training.encode import encode_split
    from zantara_exp.training.fit import arguments
    from zantara_exp.training.model import adapters, load

    config = compose(overrides)
    layout = Layout(config)
    rows = read_split(layout.train)
    model, tokenizer = load(config, rows)
    splits = []
    for name, path in (("train", layout.train), ("val", layout.val)):
        examples = encode_split(tokenizer, read_split(path), config.trainer, name).examples
        columns = {"input_ids": [e.input_ids for e in examples], "labels": [e.labels for e in examples]}
        splits.append(Dataset.from_dict(columns))
    chosen = arguments(config, Path(folder) / "work", len(splits[0]))
    chosen.report_to = [] if report_to == "none" else [report_to]
    with timed() as seen:
        SFTTrainer(
            model=model,
            args=chosen,
            train_dataset=splits[0],
            eval_dataset=splits[1],
            processing_class=tokenizer,
            data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
            peft_config=adapters(config),
        ).train()
    return training_of(seen)


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Note the time and the tokens of SFTTrainer.train, whoever calls it."""
    from trl import SFTTrainer

    seen: dict[str, float] = {}
    plain = SFTTrainer.train

    def train(self: Any, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        done = plain(self, *arguments, **named)
        seen.update(seconds=time.perf_counter() - began, tokens=float(self.state.num_input_tokens_seen))
        return done

    SFTTrainer.train = train
    try:
        yield seen
    finally:
        SFTTrainer.train = plain


def training_of(seen: dict[str, float]) -> Training:
    """What this process took so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return Training(int(seen["tokens"]), seen["seconds"], peak)


_ARMS: dict[str, Callable[..., Training]] = {BARE: _bare, REPORTING: _reporting, OURS: _ours}
