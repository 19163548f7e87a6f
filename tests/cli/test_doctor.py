"""`stage=doctor` says which of the configured stages cannot run here, and why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from zantara_exp.cli.main import run_overrides


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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["endpoint=anthropic"], "endpoint.model ok claude-haiku-4-5: on the price list, which does not say"),
        (
            ["endpoint=anthropic", "endpoint.model=gemini-2.0-flash"],
            "endpoint.model warning gemini-2.0-flash: deprecated, says genai-prices",
        ),
        (
            ["endpoint=anthropic", "endpoint.model=claude-haiku-45"],
            "warning no price list knows claude-haiku-45: did you mean claude-haiku-4-5? else give it a price",
        ),
        (["+cost.aliases={haiku: haiku}"], "cost.aliases.haiku warning no price list knows haiku: did you mean"),
        (["+cost.aliases={old: devstral-2512}"], "cost.aliases.old warning devstral-2512: deprecated, says"),
        (["judge=anthropic"], "judge.endpoint.model ok claude-sonnet-4-5"),
        (["primary.endpoint=anthropic"], "primary.endpoint=anthropic ok claude-haiku-4-5"),
        (["endpoint=runpod"], "balizero/zantara-llama-3.1-8b-v2: on no price list, and not billed by tokens"),
        (["endpoint=runpod", "endpoint.fallback=[huggingface]"], "warning no price list knows balizero/zantara-llama"),
    ],
)
def test_models_by_name(workdir: Path, capsys: pytest.CaptureFixture[str], overrides: list[str], said: str) -> None:
    run_overrides(["stage=doctor", *overrides])
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_wrong_option_is_said_and_the_rest_is_looked_at(workdir: Path) -> None:
    assert run_overrides(["stage=doctor", "endpoint=runpod", "endpoint.fallback=[nothing]"]) == 1


def test_the_key_of_the_primary(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert run_overrides(["stage=doctor", "primary=anthropic"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "stages that cannot run shadow" in printed
    assert "the primary (primary.endpoint=anthropic) cannot be asked: endpoint.api_key_env=ANTHROPIC_API_KEY" in printed
    assert "or take its recorded answers: python -m zantara_exp primary=replay" in printed
    assert run_overrides(["stage=doctor", "primary=replay"]) == 0


def test_a_language_without_a_pack_is_said(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["init", "ours", "--languages=sv,pl"]) == 0
    assert "Personal data: no pack for sv: identity, tax and bank numbers" in capsys.readouterr().out
    own = ["experiment=ours", "--config-dir=ours", "source=embedded", "domain.demo=bali", "domain.countries=[DE]"]
    run_overrides(["stage=doctor", *own])
    printed = " ".join(capsys.readouterr().out.split())
    assert "no pack for sv; the packs of pl are off (PL in domain.countries): identity, tax" in printed
