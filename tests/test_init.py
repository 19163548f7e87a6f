"""`zantara-exp init DIR` writes a config that composes, wins over the shipped one, and replaces nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from zantara_exp.config import compose
from zantara_exp.config.data import Columns
from zantara_exp.runner import run_overrides


def test_what_it_writes_composes_and_wins(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["init", "ours"]) == 0
    assert "next: python -m zantara_exp experiment=ours stage=doctor --config-dir=ours" in capsys.readouterr().out
    config = compose(["experiment=ours"], "ours")
    assert (config.source.kind, config.model.name, config.endpoint.kind) == ("postgres", "llama8b", "runpod")
    assert config.source.columns == Columns()
    source = workdir / "ours" / "source" / "postgres.yaml"
    source.write_text(source.read_text().replace("table: conversations", "table: app.chats"))
    assert compose(["experiment=ours"], "ours").source.table == "app.chats"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "init takes one folder"),
        (["a", "b"], "init takes one folder"),
        (["--force"], "init takes one folder"),
        (["there"], "there holds gate/go_no_go.yaml already"),
        (["file"], "file"),
    ],
)
def test_what_it_refuses(arguments: list[str], words: str, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = workdir / "there" / "gate" / "go_no_go.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    (workdir / "file").write_text("")
    assert run_overrides(["init", *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "next: " in error
    assert own.read_text() == "mine"
    assert not (workdir / "there" / "source").exists()
