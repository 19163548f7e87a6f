"""From a trained model to a folder that transformers loads: merged, reloaded and compared, swapped in whole."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.model_loading import loading
from zantara_exp.core.next_command import command
from zantara_exp.training.base import base_of, pass_on_terms
from zantara_exp.training.encode import Encoded
from zantara_exp.training.files import read_json, write_json
from zantara_exp.training.markers import for_serving, restore_markers
from zantara_exp.training.scoring import first_choices, score, total
from zantara_exp.training.unsloth import merge_arguments

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER = "adapter"


def save_merged(config: Config, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the merged model, its tokenizer and chat template to `folder`, the adapter beside them in `adapter/`.

    What is written works elsewhere: its template is plain Jinja, and the adapter names the base by its name on the hub.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    any_model: Any = model
    if config.trainer.adapts:
        any_model.save_pretrained(str(folder / ADAPTER), save_embedding_layers=False)  # the base has them
        _name_base(folder / ADAPTER, config)
    with for_serving(tokenizer, folder):
        if config.trainer.name == "unsloth":
            any_model.save_pretrained_merged(**merge_arguments(folder, tokenizer))
        else:
            any_model = any_model.merge_and_unload() if config.trainer.adapts else any_model
            any_model.save_pretrained(str(folder))
            tokenizer.save_pretrained(str(folder))
    _set_for_answers(folder, tokenizer)
    pass_on_terms(config.model, folder)


def _name_base(adapter: Path, config: Config) -> None:
    """An adapter names the base it goes on; peft writes a folder of this machine, which says nothing elsewhere."""
    base = base_of(config.model)
    told = read_json(adapter / "adapter_config.json") or {}
    named = {"base_model_name_or_path": base["base"] if config.model.base else None}
    write_json(adapter / "adapter_config.json", told | named | {"revision": base.get("base_revision")})
    (adapter / "README.md").unlink(missing_ok=True)  # peft's form with the same folder in it; our card tells more


def _set_for_answers(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """In what was written: where an answer ends, and the cache that training does without."""
    changed = {
        "config.json": {"use_cache": True},
        "generation_config.json": {
            "use_cache": True, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
        },
    }  # fmt: skip
    for name, values in changed.items():
        write_json(folder / name, (read_json(folder / name) or {}) | values)


def load_saved(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a folder that `save_merged` wrote. Raises ZantaraError when transformers cannot."""
    import gc

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gc.collect()  # a model that was just trained may still wait for it, with its optimizer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with loading(lambda reason: _cannot_load(folder, reason)):
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, dtype="auto", use_safetensors=True
        )
    restore_markers(tokenizer, folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    model.eval()
    return model, tokenizer


def _cannot_load(folder: Path, reason: str) -> ZantaraError:
    again = command("stage=train", "force=true")
    return ZantaraError(f"the model in {folder} cannot be loaded: {reason}", again)


class Behaviour(NamedTuple):
    """What a model makes of fixed examples."""

    loss: float
    """Mean loss per answer token, in nats."""
    choices: list[int]
    """The token it would choose at each place of the answers."""

    def same_choices(self, other: Behaviour) -> float:
        """Share of the places at which both choose the same token."""
        return sum(a == b for a, b in zip(self.choices, other.choices, strict=True)) / max(len(self.choices), 1)


def behaviour(model: PreTrainedModel, examples: Sequence[Encoded], pad: int, batch_size: int) -> Behaviour:
    """How `model` answers `examples`."""
    return Behaviour(loss_on(model, examples, pad, batch_size), first_choices(model, examples, pad))


def refuse_difference(trained: Behaviour, saved: Behaviour, half_precision: bool) -> None:
    """The written model answers as the trained one did, or the export went wrong.

    Its loss may differ by 2 % in 16 bits and by 0.1 % in 32, its choice of tokens in 5 % and in 1 % of the places.
    """
    tolerance, different = (0.02, 0.05) if half_precision else (1e-3, 0.01)
    same = trained.same_choices(saved)
    if not math.isclose(trained.loss, saved.loss, rel_tol=tolerance, abs_tol=tolerance) or same < 1 - different:
        raise ZantaraError(
            f"the written model's loss is {saved.loss:.4f} on examples where the trained one had {trained.loss:.4f}, "
            f"and it chooses the same token in {same:.1%} of the places: merging changed it",
            "run again with trainer.precision=fp32 and trainer.lora.load_in_4bit=false",
        )


def loss_on(model: PreTrainedModel, examples: Sequence[Encoded], pad: int, batch_size: int) -> float:
    """Mean loss per answer token."""
    return total([s for _, s in score(model, examples, batch_size, pad)]).loss


def weights_hash(folder: Path) -> str:
    """SHA-256 over all that the answers follow from, the settings in config.json too: the model's part of an epoch."""
    hasher = hashlib.sha256()
    named = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    wanted = [*folder.glob("*.safetensors"), *(folder / name for name in named)]
    for path in sorted(p for p in wanted if p.is_file()):
        with path.open("rb") as file:
            hasher.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return hasher.hexdigest()


def swap_in(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`; a kill in between leaves the old one beside it as `<name>.old`."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
