"""Azure's addresses and its key."""

import pytest

from tests.endpoints.asking import asked
from zantara_exp.config.traffic import Endpoint

REPLY = {"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}], "model": "gpt-5-mini-2025-08-07"}


@pytest.mark.parametrize("path", ["", "/", "/openai", "/openai/v1/"])
@pytest.mark.parametrize(
    ("version", "line"),
    [
        (None, "POST /openai/v1/chat/completions HTTP/1.1"),
        ("2024-10-21", "POST /openai/deployments/my-gpt/chat/completions?api-version=2024-10-21 HTTP/1.1"),
    ],
)
def test_both_of_its_paths(path: str, version: str | None, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "s3cret")
    config = Endpoint(
        name="azure",
        kind="azure",
        model="my-gpt",
        api_version=version,
        stream=False,
        api_key_env="AZURE_OPENAI_API_KEY",
    )
    answer, sent = asked(config, REPLY, path=path)
    assert (answer.text, answer.error, answer.provider) == ("Ciao!", None, "azure")
    assert sent.line == line
    assert sent.headers["api-key"] == "s3cret"
    assert "authorization" not in sent.headers
