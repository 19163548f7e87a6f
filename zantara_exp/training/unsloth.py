"""Everything that is asked of Unsloth, in one place: loading, adapters, merging.

On a GPU it runs kernels of its own; without one it takes its CPU backend, which is what the tests can run
(tests/training/test_unsloth.py holds the names of the arguments against the source for GPUs as well). Import `unsloth`
before transformers: it patches transformers, trl and peft.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_arguments(config: Config, base: str, dtype: Any) -> dict[str, Any]:
    """For FastLanguageModel.from_pretrained; `dtype` None lets it choose."""
    return {
        "model_name": base,
        "revision": None if config.model.folder() else config.model.revision,
        "use_exact_model_name": True,  # not a mirror of it, which would have another revision
        "max_seq_length": config.trainer.max_length,
        "dtype": dtype,
        "load_in_4bit": config.trainer.lora.load_in_4bit,
        "full_finetuning": False,
    }


def adapter_arguments(config: Config, on_gpu: bool) -> dict[str, Any]:
    """For FastLanguageModel.get_peft_model."""
    lora = config.trainer.lora
    return {
        "r": lora.rank,
        "target_modules": list(lora.target_modules),
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "bias": "none",
        "use_gradient_checkpointing": "unsloth" if config.trainer.gradient_checkpointing and on_gpu else False,
        "random_state": config.seed,
        "use_rslora": lora.rslora,
        "modules_to_save": list(lora.modules_to_save) or None,
        **({"use_dora": True} if lora.dora else {}),
    }


def merge_arguments(folder: Path, tokenizer: PreTrainedTokenizerBase) -> Mapping[str, Any]:
    """For the model's save_pretrained_merged."""
    return {"save_directory": str(folder), "tokenizer": tokenizer, "save_method": "merged_16bit"}


def load(config: Config, base: str, dtype: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base with fresh adapters, and its tokenizer."""
    import torch
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(**load_arguments(config, base, dtype))
    arguments = adapter_arguments(config, on_gpu=torch.cuda.is_available())
    return FastLanguageModel.get_peft_model(model, **arguments), tokenizer
