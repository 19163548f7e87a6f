"""The model and tokenizer of a run: built from a shape, loaded by transformers, or loaded by Unsloth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.config.training import Lora, Shape
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.model_loading import loading
from zantara_exp.training.data import Example
from zantara_exp.training.markers import restore_markers
from zantara_exp.training.packaged import make
from zantara_exp.training.tokenizer import set_template, tokenizer_from_scratch

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Loaded(NamedTuple):
    """A model ready to be trained, with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load(config: Config, train: Sequence[Example]) -> Loaded:
    """Build or load what `config.model` names. Raises ZantaraError when the base cannot be loaded."""
    import torch

    make(config.model)
    torch.manual_seed(config.seed)
    if config.model.kind == "scratch":
        tokenizer = tokenizer_from_scratch(train, config.model.shape.vocab_size, config.model.shape.max_positions)
        set_template(tokenizer, config.model)
        model = _from_shape(config.model.shape, tokenizer)
        _refuse_absent_layers(model, config)
        return Loaded(model, tokenizer)
    loaded = _from_unsloth(config) if config.trainer.name == "unsloth" else _from_transformers(config)
    if folder := config.model.folder():
        restore_markers(loaded.tokenizer, folder)
    set_template(loaded.tokenizer, config.model)
    loaded.model.config.pad_token_id = loaded.tokenizer.pad_token_id
    _refuse_absent_layers(loaded.model, config)
    if config.trainer.name == "trl":  # Unsloth has its adapters on already
        _untie(loaded.model, config)
    return loaded


def _untie(model: PreTrainedModel, config: Config) -> None:
    """Part embeddings and head that share their weights where one of them is to be trained by adapters or whole.

    Merged into shared weights, what the one has learnt would change the other, which was trained without it.
    """
    lora, head, embeddings = config.trainer.lora, model.get_output_embeddings(), model.get_input_embeddings()
    named = [*lora.target_modules, *lora.modules_to_save]
    if config.trainer.method == "full" or not (_is_named(model, head, named) or _is_named(model, embeddings, named)):
        return
    if head is not None and head.weight is embeddings.weight:
        import torch

        head.weight = torch.nn.Parameter(head.weight.detach().clone())
        model.config.tie_word_embeddings = False


def adapts_head(model: PreTrainedModel, config: Config) -> bool:
    """Whether the layer that gives each word its score is to get an adapter."""
    return config.trainer.adapts and _is_named(model, model.get_output_embeddings(), config.trainer.lora.target_modules)


def _is_named(model: PreTrainedModel, layer: Any, wanted: Sequence[str]) -> bool:
    """Whether `layer` of `model` is one that `wanted` names, by its whole name or its end, as peft reads them."""
    names = [f".{name}" for name, module in model.named_modules() if module is layer]
    return any(name.endswith(f".{one}") for name in names for one in wanted)


def _refuse_absent_layers(model: PreTrainedModel, config: Config) -> None:
    """A name in `trainer.lora` that no layer has would be passed over: nothing of it would be trained."""
    if not config.trainer.adapts:
        return
    layers = [name for name, _ in model.named_modules()]
    for key in ("target_modules", "modules_to_save"):
        wanted = getattr(config.trainer.lora, key)
        absent = [one for one in wanted if not any(f".{name}".endswith(f".{one}") for name in layers)]
        if absent:
            having = {name.rpartition(".")[2] for name in layers if name.endswith(("proj", "head", "tokens"))}
            raise ZantaraError(
                f"trainer.lora.{key}: the model has no layer {', '.join(absent)}",
                f"name layers that it has, such as {', '.join(sorted(having)) or layers[-1]}",
            )


def _from_shape(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.max_positions,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def _from_transformers(config: Config) -> Loaded:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = _base(config)
    revision = None if config.model.folder() else config.model.revision
    with loading(partial(_cannot_load, base)):
        tokenizer: Any = AutoTokenizer.from_pretrained(base, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(
            base, revision=revision, dtype=_dtype(config), use_safetensors=True, **_quantized(config)
        )
    return Loaded(model, tokenizer)


def _from_unsloth(config: Config) -> Loaded:
    from zantara_exp.training import unsloth

    base = _base(config)
    with loading(partial(_cannot_load, base)):
        return Loaded(*unsloth.load(config, base, _dtype(config)))


def adapters(config: Config) -> LoraConfig | None:
    """The LoRA configuration for TRL; None when all weights are trained."""
    if not config.trainer.adapts:
        return None
    from peft import LoraConfig

    lora: Lora = config.trainer.lora
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        modules_to_save=list(lora.modules_to_save) or None,
        use_dora=lora.dora,
        use_rslora=lora.rslora,
        bias="none",
    )


def _base(config: Config) -> str:
    return str(config.model.folder() or config.model.base or "")


def uses_bf16(config: Config) -> bool:
    """Whether training computes in bf16: asked for, or on a GPU that has it."""
    import torch

    if config.trainer.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return config.trainer.precision == "bf16"


def _dtype(config: Config) -> Any:
    import torch

    # All weights in bf16 would lose small updates; adapters are kept in fp32 by peft whatever the base is in.
    return torch.bfloat16 if uses_bf16(config) and config.trainer.adapts else torch.float32


def _quantized(config: Config) -> dict[str, Any]:
    if not config.trainer.lora.load_in_4bit:
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    }


def _cannot_load(base: str, reason: str) -> ZantaraError:
    if Path(base).is_dir():
        return ZantaraError(f"model.base={base} cannot be loaded: {reason}", "check that the folder was copied whole")
    return MissingRequirementError(
        f"model.base={base} cannot be fetched from the model hub: {reason}",
        "check the name, the network and HF_TOKEN, or set model.base to a local folder",
    )
