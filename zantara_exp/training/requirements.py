"""What a configured run needs from the machine, checked before anything heavy is imported and all at once."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.next_command import command, quoted
from zantara_exp.training.packaged import gaps

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def check_requirements(config: Config) -> None:
    """Raise MissingRequirementError naming everything the machine lacks, ZantaraError for a base that cannot be one."""
    if config.model.kind == "scratch" and config.trainer.name == "unsloth":
        raise ZantaraError(
            f"trainer=unsloth loads a base, and model={config.model.name} has none: it begins with random weights",
            command("stage=train", "trainer=trl", without=["trainer"], note="or model=local model.base=FOLDER"),
        )
    if config.model.kind == "scratch" and config.trainer.method == "dpo":
        raise ZantaraError(
            f"trainer.method=dpo mends a model that was trained before, and model={config.model.name} begins with "
            "random weights",
            next_candidate(config),
        )
    if config.model.kind == "scratch" and config.trainer.method == "lora":
        kept = set(config.trainer.lora.modules_to_save)
        if not {"embed_tokens", "lm_head"} <= kept:
            # Adapters alone on random weights end near the loss of guessing: the embeddings never learn.
            raise ZantaraError(
                "trainer.method=lora on a model from scratch would leave its random embeddings untrained",
                "use trainer.method=full, or trainer.lora.modules_to_save=[embed_tokens,lm_head]",
            )
    machine, weights = [*_packages(config), *_gpu(config)], _weights(config)
    if machine or weights:
        what = "".join(f"\n  - {line}" for line in [*machine, *weights])
        anywhere = command("stage=train", "model=tiny", "trainer=trl", without=["trainer"], note="runs anywhere")
        saved = "model.base=FOLDER in which a model was saved, or model.base=OWNER/MODEL of the model hub"
        raise MissingRequirementError(
            f"model={config.model.name} trainer={config.trainer.name} cannot run on this machine:{what}",
            anywhere if machine or config.model.package or config.model.folder() else f"{saved}; or {anywhere}",
        )


def next_candidate(config: Config) -> str:
    """The command that trains the next candidate on pairs, beginning with the model that is trained here now."""
    base = f"model.base={quoted(f'{config.paths.models}/{config.model.output}')}"
    changes = [base, f"model.output={quoted(_next_name(config.model.output))}", "trainer=dpo"]
    if config.model.kind != "scratch":
        return command("stage=train", *changes, without=["model.revision", "trainer"])
    local = ["model=local", f"model.chat_template={quoted(config.model.chat_template)}"]
    return command("stage=train", *local, *changes, without=["trainer", "model"])


def _next_name(output: str) -> str:
    """`zantara-v3` after `zantara-v2`, `zantara-tiny-v2` after `zantara-tiny`."""
    stem, mark, number = output.rpartition("-v")
    return f"{stem}-v{int(number) + 1}" if mark and number.isascii() and number.isdigit() else f"{output}-v2"


def _packages(config: Config) -> list[str]:
    if config.trainer.name == "unsloth" and find_spec("unsloth") is None:
        return ["the package unsloth: pip install 'zantara-exp[gpu]' (Linux)"]
    if config.trainer.lora.load_in_4bit and find_spec("bitsandbytes") is None:
        return ["the package bitsandbytes, for trainer.lora.load_in_4bit: pip install bitsandbytes"]
    return []


def _gpu(config: Config) -> list[str]:
    asked = {
        f"model={config.model.name}": config.model.needs_gpu,
        "trainer.lora.load_in_4bit": config.trainer.lora.load_in_4bit,
        "trainer.packing": config.trainer.packing,
    }
    by = [name for name, needs in asked.items() if needs]
    if not by:
        return []
    if not gpu_present():
        return [
            f"a GPU (asked for by {', '.join(by)}): none is visible here; use a machine with one, 24 GB for an 8B model"
        ]
    try:
        build = version("torch")
    except PackageNotFoundError:
        build = "not installed"
    if build == "not installed" or build.endswith("+cpu"):
        return [f"a torch build for this GPU (torch is {build}): see https://pytorch.org/get-started/locally"]
    return []


def gpu_present() -> bool:
    """Whether the kernel shows an NVIDIA or AMD GPU; asks no library."""
    devices = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg", "/proc/driver/nvidia/version")
    return sys.platform == "linux" and any(Path(device).exists() for device in devices)


def _weights(config: Config) -> list[str]:
    model = config.model
    if model.kind == "scratch" or not model.base:
        return []
    if model.package and not model.folder():
        return gaps(model)
    if folder := model.folder():
        return _folder_gaps(folder)
    looks_local = model.base.startswith(("/", "./", "../", "~")) or not _HUB_NAME.fullmatch(model.base)
    if looks_local:
        return [f"the weights: model.base={model.base} is no folder here, and not a hub name (owner/model) either"]
    from huggingface_hub import get_token, try_to_load_from_cache

    cached = try_to_load_from_cache(model.base, "config.json", revision=model.revision)
    if not isinstance(cached, str) and model.gated and not get_token():
        page = f"https://huggingface.co/{model.base}"
        return [
            f"the weights of {model.base}: accept the licence at {page} and export HF_TOKEN, "
            "or set model.base to a local folder that holds them"
        ]
    return []


def _folder_gaps(folder: Path) -> list[str]:
    gaps = []
    if not (folder / "config.json").is_file():
        gaps.append("config.json")
    if not any(folder.glob("*.safetensors")):
        gaps.append("*.safetensors")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        gaps.append("tokenizer.json")
    return [f"the weights: model.base={folder} holds no {', no '.join(gaps)}"] if gaps else []
