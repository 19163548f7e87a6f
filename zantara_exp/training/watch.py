"""What is watched while a model trains: progress, curves, and losses that say it has gone wrong."""

from __future__ import annotations

import math
import time
from collections import deque
from pathlib import Path
from statistics import median
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from zantara_exp.core import distributed
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Progress, RunRecord
from zantara_exp.training.checkpoints import mark_whole
from zantara_exp.training.files import read_json, write_json
from zantara_exp.training.system import System

CURVES = {
    "loss": "train/loss",
    "mean_token_accuracy": "train/token_accuracy",
    "grad_norm": "train/grad_norm",
    "learning_rate": "train/learning_rate",
    "eval_loss": "eval/loss",
    "eval_mean_token_accuracy": "eval/token_accuracy",
    "rewards/margins": "train/rewards/margins",
    "rewards/accuracies": "train/rewards/accuracies",
    "eval_rewards/margins": "eval/rewards/margins",
    "eval_rewards/accuracies": "eval/rewards/accuracies",
}
"""The trainer's names -> ours."""

_SPENT = "spent.json"
"""In a checkpoint: what the training took until then."""
_CALMER = "lower trainer.learning_rate, raise trainer.warmup, or lower trainer.max_grad_norm"


class Watch(TrainerCallback):  # type: ignore[misc]
    """Reports progress and curves, marks whole checkpoints, and stops a run that diverges."""

    def __init__(self, run: RunRecord, progress: Progress, max_spike: float) -> None:
        self._run, self._progress, self._max_spike = run, progress, max_spike
        self._recent: deque[float] = deque(maxlen=20)
        self._started = time.monotonic()
        self._first_step = 0
        self._note = ""
        self._system = System()
        self._earlier = 0.0
        """Seconds that earlier runs took until the checkpoint that this one goes on from."""
        self.tokens = 0.0
        """Tokens read, padding not counted, by earlier runs as well."""
        self.seconds = 0.0
        """Of training, validations included, by earlier runs as well."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A resumed run tells its curve again, so that the record holds all of it, and knows what losses were usual."""
        self._started = time.monotonic()
        self._first_step = state.global_step
        self.tokens = float(state.num_input_tokens_seen)
        if state.global_step:
            self._earlier = self.seconds = _spent(_checkpoint(args, state))
        for entry in state.log_history:
            self._record(entry, int(entry.get("step", 0)), {})
            self._recent.extend([float(entry["loss"])] if "loss" in entry else [])
        if state.global_step:
            self._progress.advance(state.global_step, "resumed")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """One update is done."""
        now = time.monotonic() - self._started
        self.seconds, self.tokens = self._earlier + now, float(state.num_input_tokens_seen)
        done = state.global_step - self._first_step
        left = now / max(done, 1) * (state.max_steps - state.global_step)
        self._progress.advance(1, f"{self._note}{_clock(left)} left")
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True  # the last weights compete for the best, too
        if control.should_save:  # whoever goes on from this checkpoint then tells the same curve
            control.should_log = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """A point of a curve."""
        logs = logs or {}
        self._record(logs, state.global_step, self._system.read() if "loss" in logs else {})
        if "loss" in logs:
            self._refuse_no_number("training", float(logs["loss"]), state.global_step)
            self._refuse_spike(float(logs["loss"]), state.global_step)
            self._note = f"loss {logs['loss']:.3f}, {self.tokens / max(self.seconds, 1e-9):,.0f} tokens/s, "
        if "eval_loss" in logs:  # the only loss that a run shorter than trainer.log_every_steps tells
            self._refuse_no_number("validation", float(logs["eval_loss"]), state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A checkpoint has been written whole, by all processes."""
        distributed.wait_for_all()
        if not distributed.helping():
            write_json(_checkpoint(args, state) / _SPENT, {"seconds": self.seconds})
            mark_whole(_checkpoint(args, state))

    def _record(self, logs: dict[str, Any], step: int, system: dict[str, float]) -> None:
        """All points of a step in one call, since each is a transaction where the record is kept."""
        points = {CURVES[key]: float(value) for key, value in logs.items() if key in CURVES}
        if points:
            self._run.metrics(points | system, step=step)

    def _refuse_no_number(self, which: str, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise ZantaraError(f"the {which} loss is {loss} at step {step}: the run has diverged", _CALMER)

    def _refuse_spike(self, loss: float, step: int) -> None:
        if len(self._recent) >= 5 and loss > self._max_spike * max(median(self._recent), 0.05):
            raise ZantaraError(
                f"the training loss jumped to {loss:.3g} at step {step}, more than "
                f"trainer.max_loss_spike={self._max_spike:g} times its recent median of {median(self._recent):.3g}",
                _CALMER,
            )
        self._recent.append(loss)


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"


def _spent(checkpoint: Path) -> float:
    """Seconds of training until a checkpoint; 0 where it was written before that was noted."""
    return float((read_json(checkpoint / _SPENT) or {}).get("seconds", 0.0))


class Patience(EarlyStoppingCallback):  # type: ignore[misc]
    """Early stopping that goes on counting where a killed run had arrived: transformers would begin anew."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count the validations since the best one."""
        losses = [float(entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry]
        if losses:
            self.early_stopping_patience_counter = len(losses) - 1 - losses.index(min(losses))
            control.should_training_stop = self.early_stopping_patience_counter >= self.early_stopping_patience


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
