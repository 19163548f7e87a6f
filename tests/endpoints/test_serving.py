"""endpoint=local by another server's command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zantara_exp.config import compose
from zantara_exp.config.traffic import Endpoint, Server
from zantara_exp.core.errors import ConfigError, MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.endpoints.local import local_server
from zantara_exp.endpoints.serving import words

HTTP = [sys.executable, "-m", "http.server", "{port}", "--bind", "127.0.0.1", "--directory", "{model}"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "health"):
        (folder / name).write_text(name)
    return folder


def test_another_servers_command_serves_the_model(model: Path, tmp_path: Path):
    """A server of files stands for it: `health` is one."""
    with local_server(Endpoint(server=Server(command=HTTP)), model, tmp_path) as server:
        assert server.process.poll() is None
    assert server.process.returncode is not None
    assert '"GET /health HTTP/1.1" 200' in server.log.read_text()


def test_the_words_are_filled_in(model: Path):
    (model / "m-Q8_0.gguf").write_bytes(b"gguf")
    config = Server(command=["python3", "{gguf}", "--at=127.0.0.1:{port}", "-t", "{threads}", '{"a": 1}'], threads=3)
    assert words(config, model, 81)[1:] == [f"{model}/m-Q8_0.gguf", "--at=127.0.0.1:81", "-t", "3", '{"a": 1}']


def test_what_is_missing_is_named_with_the_next_command(model: Path):
    with pytest.raises(MissingRequirementError, match="program no-such-server is not installed"):
        words(Server(command=["no-such-server", "{model}", "{port}"]), model, 1)
    config = Server(command=["python3", "{gguf}", "{port}"])
    with pytest.raises(MissingInputError, match="holds none") as caught:
        words(config, model, 1)
    assert "publish.gguf=q8_0" in caught.value.hint
    for name in ("a.gguf", "b.gguf"):
        (model / name).write_bytes(b"gguf")
    with pytest.raises(ZantaraError, match=r"several GGUF files: a\.gguf, b\.gguf"):
        words(config, model, 1)


def test_other_answers_are_another_epoch(model: Path):
    (model / "m.gguf").write_bytes(b"gguf")

    def epoch(*command: str) -> str:
        return epoch_of(Endpoint(server=Server(command=list(command))), "prompt", model)

    found = [epoch(), epoch("x", "{model}", "{port}"), epoch("x", "{gguf}", "{port}")]
    (model / "m.gguf").write_bytes(b"other")
    assert len({*found, epoch("x", "{gguf}", "{port}")}) == 4
    assert epoch() == found[0]


@pytest.mark.parametrize("name", ["llamacpp", "vllm"])
def test_shipped_servers_are_local_ones(name: str):
    config = compose([f"endpoint={name}"])
    assert config.endpoint.kind == "local"
    with pytest.raises(ConfigError, match=r"must have \{port\} and \{model\} or \{gguf\}"):
        compose([f"endpoint={name}", "endpoint.server.command=[vllm,serve,'{model}']"])
