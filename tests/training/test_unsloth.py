"""The arguments we pass to Unsloth exist in its source; it is read, never imported, so no GPU is needed.

`scripts/extras unsloth` installs it and runs these tests.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from zantara_exp.config.schema import Config
from zantara_exp.training.unsloth import adapter_arguments, load_arguments, merge_arguments


def source() -> Path:
    spec = find_spec("unsloth")
    if spec is None or spec.origin is None:
        pytest.skip("unsloth is not installed here; next: scripts/extras unsloth")
    return Path(spec.origin).parent


def parameters(file: str, function: str, inside: str = "") -> tuple[set[str], bool]:
    """Names of a function's parameters in `unsloth/<file>`, and whether it takes further keywords."""
    tree: ast.AST = ast.parse((source() / file).read_text(encoding="utf-8"))
    if inside:
        tree = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == inside)
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function)
    names = {a.arg for a in [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]}
    return names, found.args.kwarg is not None


def test_loading():
    names, _ = parameters("models/loader.py", "from_pretrained", inside="FastLanguageModel")
    assert set(load_arguments(Config(), "base", None)) <= names


def test_adapters():
    names, more = parameters("models/llama.py", "get_peft_model", inside="FastLlamaModel")
    assert set(adapter_arguments(Config())) <= names
    config = Config()
    config.trainer.lora.dora = True
    assert set(adapter_arguments(config)) - names == {"use_dora"}
    assert more, "use_dora reaches peft through **kwargs"


def test_merging():
    names, _ = parameters("save.py", "unsloth_save_pretrained_merged")
    assert set(merge_arguments(Path("x"), None)) <= names  # type: ignore[arg-type]


def test_sixteen_bit_merging_is_still_called_that():
    assert "merged_16bit" in (source() / "save.py").read_text(encoding="utf-8")
