"""`zantara-exp init DIR` writes a config that composes, wins over the shipped one, and replaces nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.config.data import Columns


def test_what_it_writes_composes_and_wins(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["init", "ours"]) == 0
    printed = capsys.readouterr().out
    assert "next: python -m zantara_exp experiment=ours stage=doctor --config-dir=ours" in printed
    assert "Without domain.examples only a text moves that patterns of what moves cover" in printed
    config = compose(["experiment=ours"], "ours")
    assert (config.source.kind, config.model.name, config.endpoint.kind) == ("postgres", "llama8b", "runpod")
    assert config.source.columns == Columns()
    assert (list(config.domain.categories), config.domain.otherwise) == (["smalltalk", "other"], "other")
    assert config.rollout.categories == config.domain.moves == ["smalltalk"]
    assert [kind.other_words for kind in config.domain.categories.values()] == [6, None]
    assert config.domain.examples is None
    source = workdir / "ours" / "source" / "postgres.yaml"
    source.write_text(source.read_text().replace("table: conversations", "table: app.chats"))
    assert compose(["experiment=ours"], "ours").source.table == "app.chats"


def test_what_it_is_told_is_in_the_domain(workdir: Path) -> None:
    told = ["--languages=de, no", "--categories=smalltalk,orders", "--moves=smalltalk", '--prompt=Say: "yes"\n# {x}']
    assert run_overrides(["init", "ours", *told, "--primary=anthropic"]) == 0
    config = compose(["experiment=ours"], "ours")
    assert config.dataset.languages == ["de", "no"]  # which YAML would read as false
    assert config.dataset.system_prompt == 'Say: "yes"\n# {x}'
    assert (config.domain.otherwise, config.domain.moves) == ("orders", ["smalltalk"])
    assert set(config.domain.neighbours) == {"nl", "lb", "da", "sv"}
    assert config.gate.criteria["success"].where == {"category": ["smalltalk"]}


def test_it_asks_where_somebody_sits_at_a_terminal(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["fr", "hello,orders", "", "", "Sois bref."])
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: (asked.append(question), next(said))[1])
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert run_overrides(["init", "ours"]) == 0
    config = compose(["experiment=ours"], "ours")
    assert (config.dataset.languages, config.domain.moves) == (["fr"], ["hello"])
    assert config.dataset.system_prompt == "Sois bref."
    assert len(asked) == 5


@pytest.mark.parametrize(
    "prompt",
    [
        "Hello ${x}, and \\${y}",
        "Line one\n\n  - a list: of\n\tthings # all\n${oc.env:HOME}",
        "%TAG: 'x' \u00e9 \u2028 {{}} {name}\\",
        "--- \n...",
    ],
)
def test_a_prompt_is_kept_as_it_is(prompt: str, workdir: Path) -> None:
    assert run_overrides(["init", "ours", f"--prompt={prompt}"]) == 0
    kept = "\n".join(line.rstrip() for line in prompt.splitlines())
    assert compose(["experiment=ours"], "ours").dataset.system_prompt == kept


def test_a_wrong_answer_is_asked_again_at_once(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = iter(["xx", "fr", "hello", "hello,orders", "other", "hello", "", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(said))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert run_overrides(["init", "ours"]) == 0
    told = capsys.readouterr().out
    for wrong in ("xx: no such language", "name two at least", "--moves=other: not among --categories (hello, orders)"):
        assert wrong in told
    assert compose(["experiment=ours"], "ours").domain.moves == ["hello"]


def test_answers_that_end_are_no_traceback(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert run_overrides(["init", "ours"]) == 1
    assert "the answers ended" in capsys.readouterr().err
    assert not (workdir / "ours").exists()


def test_the_environment_may_name_the_folder_before_it_is_there(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", "conf-x")
    assert run_overrides(["init", "conf-x"]) == 0
    config = compose(["experiment=ours"])
    assert (config.domain.name, config.model.hub_name) == ("x", "your-org/x-llama-3.1-8b")
    assert config.endpoint.model == config.model.hub_name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: folder"),
        (["a", "b"], "unrecognized arguments: b"),
        (["a", "--force"], "unrecognized arguments: --force"),
        (["there"], "there holds gate/go_no_go.yaml already"),
        (["file"], "file"),
        (["new", "--languages=xx"], "--languages=xx: no such language"),
        (["new", "--categories=a,b", "--moves=c"], "--moves=c: not among --categories"),
        (["new", "--categories=a,b", "--moves=a,b"], "one at least has to stay with the primary"),
        (["new", "--categories=a", "--moves=a"], "--categories: name two at least"),
        (["new", "--categories=", "--moves="], "--moves: name one at least"),
        (["new", "--languages="], "--languages: name one at least"),
        (["new", "--categories=no,b", "--moves=no"], "--categories=no: YAML reads this as no word"),
        (["new", "--prompt= "], "--prompt: say something"),
        (["new", "--categories=Big Ones,b"], "--categories=Big Ones: small letters"),
        (["new", "--primary=claude"], "--primary=claude: no such primary (valid: anthropic, replay)"),
        (["new", "--from-database"], "DATABASE_URL, which is not set"),
    ],
)
def test_what_it_refuses(
    arguments: list[str], words: str, workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
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
    assert not (workdir / "new").exists()
