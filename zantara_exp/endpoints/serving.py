"""What `endpoint=local` starts: `transformers serve`, or the command of another server on the same model."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from zantara_exp.config.traffic import Server
from zantara_exp.core.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.core.next_command import command

_SECRETS = (
    *("DATABASE_URL", "LOG_DATABASE_URL", "ROLLOUT_DATABASE_URL"),
    *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN"),
    *("AWS_SECRET_ACCESS_KEY", "RUNPOD_API_KEY", "HF_TOKEN", "ZANTARA_HASH_KEY", "ZANTARA_SIGNING_KEY"),
    "ZANTARA_SIGNING_KEY_OLD",
)
"""Of the environment; a program that only reads the model has no use for them."""


def environment() -> dict[str, str]:
    """The environment of such a program: no secret, and no look at the model hub."""
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    return kept | offline | {"TOKENIZERS_PARALLELISM": "false"}


def program(name: str) -> str | None:
    """Where a program is: beside this Python, as packages of its environment install theirs, or on the PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def words(config: Server, model: Path, port: int) -> list[str]:
    """The command line that serves `model` on loopback at `port`.

    Raises MissingRequirementError for a program that is not installed, MissingInputError without the GGUF file that
    the command wants.
    """
    if config.command:
        return _filled(config, model, port)
    serve = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", str(model)]
    serve += ["--host", "127.0.0.1", "--port", str(port), "--device", config.device, "--dtype", config.dtype]
    serve += ["--continuous-batching", "--cb-num-blocks", str(config.cache_blocks)]
    return [*serve, "--cb-max-batch-tokens", str(config.batch_tokens), "--log-level", "error"]


def _filled(config: Server, model: Path, port: int) -> list[str]:
    found = program(config.command[0])
    if found is None:
        raise MissingRequirementError(
            f"endpoint.server.command: the program {config.command[0]} is not installed here",
            "install it, or write its whole path there; endpoint=local serves with transformers, which is here",
        )
    values = {"{model}": str(model), "{port}": str(port), "{threads}": str(config.threads)}
    if wants_gguf(config):
        values["{gguf}"] = str(gguf_of(model))
    filled = [found, *config.command[1:]]
    for placeholder, value in values.items():
        filled = [word.replace(placeholder, value) for word in filled]
    return filled


def wants_gguf(config: Server) -> bool:
    """Whether the command reads the model as GGUF."""
    return any("{gguf}" in word for word in config.command)


def gguf_of(model: Path) -> Path:
    """The model's GGUF file. Raises MissingInputError where there is none, ZantaraError where there are several."""
    found = sorted(model.glob("*.gguf"))
    if not found:
        raise MissingInputError(
            f"endpoint.server.command wants a GGUF file, and {model} holds none",
            command("stage=publish", "publish=local", "publish.gguf=q8_0", note="writes it"),
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ZantaraError(f"{model} holds several GGUF files: {names}", "remove all but the one that is to be served")
    return found[0]


def served_as(config: Server, model: Path) -> list[str]:
    """What beside the weights decides the answers: nothing for transformers; another command, and the file it reads."""
    if not config.command:
        return []
    facts = list(config.command)
    if wants_gguf(config):
        with gguf_of(model).open("rb") as file:
            facts.append(hashlib.file_digest(file, "sha256").hexdigest())
    return facts
