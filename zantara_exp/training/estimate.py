"""What a training run will take, said before it starts: tokens, time, GPU hours and their price.

The time comes from one timed forward pass on this machine: a backward pass takes about twice as long where all weights
are trained, about as long as the forward pass where adapters are, and gradient checkpointing computes the forward pass
again. DPO asks the reference as well, which is one forward pass more. It leaves out the optimizer and start-up;
docs/training.md says how far off it was.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zantara_exp.config.schema import Config
from zantara_exp.core import distributed
from zantara_exp.training.encode import Encoded, EncodedSplit

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from zantara_exp.training.model import Loaded


@dataclass(frozen=True)
class Estimate:
    """Of a whole run, without what an earlier run of it has done already."""

    tokens: int
    """Read in training, over all epochs; padding and validations not counted."""
    seconds: float
    gpus: int
    """0 on a CPU."""
    eur: float | None
    """At `cost.gpu_hour_eur`; None on a CPU."""

    def __str__(self) -> str:
        return f"about {self.tokens:,} tokens, {duration(self.seconds)}{priced(self.seconds, self.gpus, self.eur)}"


def estimate(config: Config, loaded: Loaded, train: EncodedSplit, val: EncodedSplit) -> Estimate:
    """Time one forward pass and scale it to the run."""
    import torch

    gpus = gpus_used()
    speed = distributed.processes() * _tokens_per_second(loaded.model, train.examples, config.trainer.batch_size)
    checkpointed = config.trainer.gradient_checkpointing and torch.cuda.is_available()
    passes = {"full": 3, "lora": 2, "dpo": 3}[config.trainer.method] + int(checkpointed)
    tokens = round(config.trainer.epochs * train.tokens)
    validated = config.trainer.epochs * config.trainer.evaluations_per_epoch * val.tokens
    seconds = (passes * tokens + validated) / speed
    return Estimate(tokens, seconds, gpus, eur_of(config, seconds, gpus))


def gpus_used() -> int:
    """GPUs that this run trains on; 0 on a CPU."""
    import torch

    return distributed.processes() if torch.cuda.is_available() else 0


def eur_of(config: Config, seconds: float, gpus: int) -> float | None:
    """What so many seconds on so many GPUs take in euros; None on a CPU."""
    return config.cost.gpu_hour_eur * gpus * seconds / 3600 if gpus else None


def duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds of a short run."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def priced(seconds: float, gpus: int, eur: float | None) -> str:
    """GPU hours and euros, as the end of a sentence; says nothing of a CPU but that it is one."""
    return " on this CPU" if eur is None else f", {gpus * seconds / 3600:.2f} GPU hours, EUR {eur:.2f}"


def _tokens_per_second(model: PreTrainedModel, examples: list[Encoded], batch_size: int) -> float:
    """Tokens a second of a forward pass over one batch of examples of middle length, after one to warm up."""
    import torch

    middle = sorted(examples, key=lambda e: len(e.input_ids))[len(examples) // 2].input_ids
    if torch.cuda.is_available() and model.device.type != "cuda":
        model.to(torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))))
    ids = torch.tensor([middle] * batch_size, device=model.device)
    model.eval()
    with torch.no_grad():  # not inference_mode: what a model caches in it cannot be used in training
        model(input_ids=ids)
        _finished()
        began = time.perf_counter()
        model(input_ids=ids)
        _finished()
    return ids.numel() / max(time.perf_counter() - began, 1e-9)


def _finished() -> None:
    """A GPU works behind the caller's back."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
