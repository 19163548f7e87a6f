"""`stage=doctor` says which of the configured stages cannot run here, and why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from zantara_exp.runner import run_overrides


def test_the_defaults_can_run_everywhere(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["stage=doctor"]) == 0
    printed = capsys.readouterr().out
    assert "stages that cannot run   none" in printed
    assert "source=embedded" in printed
    assert "ZANTARA_HASH_KEY is not set: users are hashed with the key in" in " ".join(printed.split())
    assert "next: python -m zantara_exp" in printed


def test_an_address_where_nothing_listens(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = ["stage=doctor", "endpoint=openai", f"endpoint.base_url=http://127.0.0.1:{port}/v1"]
        assert run_overrides(command) == 0
        assert "its address answers" in capsys.readouterr().out
    assert run_overrides(command) == 1
    printed = capsys.readouterr().out
    assert f"127.0.0.1:{port} does not answer" in " ".join(printed.split())
    assert "stages that cannot run   shadow" in printed


def test_a_variable_that_is_not_set(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT", "https://canary-5521.invalid")
    assert run_overrides(["stage=doctor", "endpoint=runpod", "source=postgres"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "RUNPOD_API_KEY" in printed
    assert "DATABASE_URL" in printed or "ZANTARA_HASH_KEY" in printed
    assert "stages that cannot run extract, shadow" in printed
