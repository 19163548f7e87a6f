"""A hint followed to the letter reads and writes what the command before it did."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import zantara_exp
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.core import next_command
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import Given, command, of_this_command

PACKAGE = Path(zantara_exp.__file__).parent
SOURCES = [*sorted(PACKAGE.rglob("*.py")), *sorted((PACKAGE.parent / "scripts").glob("*.py"))]
NO_HINTS = ("next_command.py", "help.py")
"""Where a command is made, and the page that explains them."""


def literals(tree: ast.AST) -> Iterator[str]:
    """Texts of a source file, its docstrings apart."""
    nodes = [node for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    stray = {id(part.value) for node in nodes for part in node.body if isinstance(part, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in stray:
            yield node.value


def words_for_users(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """What errors say to do next, and what stages name as the next command."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("hint", "next_command"):
            yield node.value.lineno, node.value
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")).endswith("Error"):
            yield from ((each.lineno, each) for each in node.args[1:2])


def by_hand(node: ast.AST) -> Iterator[str]:
    """Stages and experiments in a text that no call of ours renders."""
    if isinstance(node, ast.Call):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from re.findall(r"\b(?:stage|experiment)=\w+", node.value)
    for child in ast.iter_child_nodes(node):
        yield from by_hand(child)


def test_no_command_is_written_by_hand() -> None:
    assert len(SOURCES) > 200
    for path in SOURCES:
        if path.name in NO_HINTS:
            continue
        tree = ast.parse(path.read_text())
        found = [text for text in literals(tree) if re.search(r"-m zantara_exp(?!\.)|zantara-exp stage=[^{]", text)]
        assert not found or path.name == "dispatch.py", f"{path}: {found}: use zantara_exp.core.next_command.command"
        for line, said in words_for_users(tree):
            assert not list(by_hand(said)), f"{path}:{line}: use zantara_exp.core.next_command.command"


def test_templates_name_no_command() -> None:
    for path in (*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.jinja")):
        assert "zantara_exp" not in path.read_text()


@pytest.mark.parametrize(
    ("overrides", "asked", "expected"),
    [
        (["experiment=ours"], ["stage=train"], "stage=train experiment=ours"),
        (["experiment=ours"], [], "experiment=ours"),
        (["source.models=[a,b]"], ["stage=train"], "stage=train 'source.models=[a,b]'"),
        (["~gate.criteria.quality"], ["stage=gate"], "stage=gate '~gate.criteria.quality'"),
        (["as_of=2025-11-01", "force=true", "publish=runpod"], ["stage=gate"], "stage=gate as_of=2025-11-01"),
        (["source.days=30"], ["stage=extract", "source.days=90"], "stage=extract source.days=90"),
        (["stage.name=train", "seed=3"], ["stage=gate"], "stage=gate seed=3"),
        # another option has other keys
        (["gate=week1", "gate.criteria.x.alpha=0.1"], ["gate=training"], "gate=training"),
        (["gate=week1", "gate.alpha=0.1"], ["gate=week1"], "gate=week1 gate.alpha=0.1"),
        (["hydra.run.dir=x", "hydra/launcher=joblib"], ["stage=gate"], "stage=gate"),
    ],
)
def test_what_goes_on(overrides: list[str], asked: list[str], expected: str) -> None:
    with of_this_command(Given(overrides=tuple(overrides), choices={"gate": "week1", "stage": "train"})):
        assert command(*asked) == f"python -m zantara_exp {expected}"


def test_the_folder_and_notes(workdir: Path) -> None:
    with of_this_command(Given(str(workdir / "conf ours"))):
        said = command("stage=gate", note="then")
        assert said == "python -m zantara_exp stage=gate '--config-dir=conf ours'   # then"
        assert command("stage=gate", config_dir="") == "python -m zantara_exp stage=gate"
        assert command("stage=gate", config_dir="other") == "python -m zantara_exp stage=gate --config-dir=other"
        assert command("show", program="x") == "x show"


def test_the_interpreter_of_an_environment_that_nobody_activated(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `make demo`: the shell's own python knows nothing of the project."""
    programs = workdir / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "zantara-exp"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert command("stage=gate") == "python -m zantara_exp stage=gate"  # one that lies elsewhere
    monkeypatch.setattr("sys.prefix", str(workdir / ".venv"))
    assert command("stage=gate") == ".venv/bin/python -m zantara_exp stage=gate"
    assert command("show", program="python -m zantara_exp.shadow.switch").startswith(".venv/bin/python -m zantara_exp.")
    assert run_overrides(["--config-dir=no such", "stage=gate"]) == 2
    assert "next: .venv/bin/zantara-exp init 'no such'   # a new one\n" in capsys.readouterr().err
    monkeypatch.chdir(workdir / ".venv")
    assert command("stage=gate") == "bin/python -m zantara_exp stage=gate"
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    assert command("stage=gate") == "python -m zantara_exp stage=gate"


def test_folders_with_a_blank_are_quoted(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["--config-dir", "no such", "stage=gate"]) == 2
    assert "next: zantara-exp init 'no such'   # a new one\n" in capsys.readouterr().err
    assert run_overrides(["init", "no such"]) == 0
    assert "'--config-dir=no such'" in capsys.readouterr().out
    assert run_overrides(["init", "no such"]) == 1
    assert "next: ls 'no such'\n" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a.url=https://ada:hunter2@host", "a.b_env=hunter2", "a.model=x-hunter2-hunter2"])
def test_a_secret_is_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hunter2-hunter2")
    with of_this_command(Given(overrides=(text, "a.c='${oc.env:SOME_API_KEY}'"))):
        said = command("stage=train")
    assert "hunter2" not in said
    assert said.endswith(f"   # add {text.partition('=')[0]}=..., which may hold a secret")
    assert "${oc.env:SOME_API_KEY}" in said


def test_without_a_command_of_ours_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", "conf-ours")
    monkeypatch.setenv("ZANTARA_EXPERIMENT", "ours")
    assert command("stage=gate") == "python -m zantara_exp stage=gate --config-dir=conf-ours experiment=ours"
    assert command(alone=True, config_dir="") == "ZANTARA_CONFIG_DIR= python -m zantara_exp"
    with of_this_command(Given(overrides=("seed=3",))):  # it was told experiment=null
        assert command("stage=gate") == "python -m zantara_exp stage=gate seed=3 experiment=null"


@pytest.fixture
def ours(workdir: Path) -> Path:
    """A folder of one's own with an experiment that lies elsewhere than the demo."""
    folder = workdir / "conf ours"
    (folder / "experiment").mkdir(parents=True)
    paths = "{dataset: data/ours, models: models/ours, logs: logs/ours, reports: reports/ours, state: state/ours}"
    (folder / "experiment" / "ours.yaml").write_text(f"# @package _global_\npaths: {paths}\nseed: 11\n")
    return folder


def followed(told: str) -> list[list[str]]:
    """The arguments of the commands of ours behind `next:`, as a shell reads them."""
    line = re.findall(r"next: (.*)", told)[-1]
    parts = line[line.index("python") :].split(" && ")
    return [shlex.split(part.removeprefix("python -m zantara_exp"), comments=True) for part in parts]


ERRORS = [
    ["stage=prepare"],
    ["stage=shadow", "endpoint.max_tokens=24"],
    ["stage=train", "~gate.criteria.quality"],
    ["stage=report", "as_of=2025-11-01"],
]


MOVE = ["stage=rollout", "rollout.action=start", "rollout.reason='it is, as it were, time'"]


@pytest.mark.parametrize(
    ("arguments", "by_variable"),
    [(ERRORS[0], True), *((each, False) for each in ERRORS), pytest.param(MOVE, False, marks=pytest.mark.slow)],
)
def test_a_hint_followed_to_the_letter(
    arguments: list[str],
    by_variable: bool,
    ours: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if by_variable:
        monkeypatch.setenv("ZANTARA_CONFIG_DIR", str(ours))
        monkeypatch.setenv("ZANTARA_EXPERIMENT", "ours")
    else:
        arguments = ["--config-dir", str(ours), "experiment=ours", *arguments]
    assert run_overrides([*arguments, "cost.monthly_requests=777"]) != 0
    said = capsys.readouterr()
    monkeypatch.delenv("ZANTARA_CONFIG_DIR", raising=False)
    monkeypatch.delenv("ZANTARA_EXPERIMENT", raising=False)
    for words in followed(said.out + said.err):
        assert run_overrides([*words, "--cfg", "job"]) == 0
        config = yaml.safe_load(capsys.readouterr().out)
        assert (config["paths"]["dataset"], config["paths"]["logs"]) == ("data/ours", "logs/ours")
        assert (config["seed"], config["cost"]["monthly_requests"]) == (11, 777)


def test_a_stage_without_its_key(workdir: Path, ours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--config-dir", "conf ours", "experiment=ours", "source.stats_only=true"]
    assert run_overrides(["extract", *given]) == 2
    error = capsys.readouterr().err
    assert "command line: extract: is not written as key=value; did you mean stage=extract?" in error
    (words,) = followed(error)
    assert words == ["stage=extract", "experiment=ours", "source.stats_only=true", "--config-dir=conf ours"]
    assert run_overrides(["-m", "extrct"]) == 2
    assert followed(capsys.readouterr().err) == [["-m", "stage=extract"]]
    assert run_overrides(["extract", "seed=x"]) == 2
    assert "next: python -m zantara_exp --help\n" in capsys.readouterr().err


def test_the_version_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["--version"]) == 0
    assert re.fullmatch(r"zantara-exp \d+\.\d+\S*\n", capsys.readouterr().out)


def test_an_experiment_by_its_variable(
    ours: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZANTARA_EXPERIMENT", "ours")
    assert compose([], str(ours)).seed == 11
    assert compose(["experiment=rehearsal"], str(ours)).seed == 7  # the command line wins
    assert compose(["experiment=null"], str(ours)).seed == 7
    assert run_overrides(["--config-dir", str(ours), "--cfg", "job", "--package", "paths"]) == 0
    assert "dataset: data/ours" in capsys.readouterr().out
    monkeypatch.setenv("ZANTARA_EXPERIMENT", "our")
    with pytest.raises(ConfigError, match=r"ZANTARA_EXPERIMENT=our: no such experiment in .*; did you mean ours\?"):
        compose([], str(ours))
    assert run_overrides(["stage=gate"]) == 2
    assert "(valid: incumbents, rehearsal, smollm2)" in capsys.readouterr().err


def test_after_a_command_nothing_of_it_is_left(workdir: Path) -> None:
    assert run_overrides(["stage=prepare", "seed=3"]) == 1
    assert next_command.given() == Given()
