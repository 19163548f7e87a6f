"""`action.yml`: its steps run as GitHub runs them; verdict, summary and outputs are what the stage said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.analysis import logs
from tests.deploy.support import ROOT
from zantara_exp.cli import ci

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GATE = """\
# yaml-language-server: $schema=../schemas/gate.json
name: small
authorises: false
criteria:
  success: {metric: success, kind: proportion, go: {above: 0.9}, no_go: {below: 0.85}}
"""
GOES, FAILS, LACKS = "gate=small", "gate=small", "gate=go_no_go"


class Ended(NamedTuple):
    status: int
    outputs: dict[str, str]
    summary: str
    log: str


def places(folder: Path) -> dict[str, str]:
    return {name: str(folder / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}


def read(folder: Path, status: int, log: str = "") -> Ended:
    output, summary = (Path(path).read_text() for path in places(folder).values())
    return Ended(status, dict(line.split("=", 1) for line in output.splitlines()), summary, log)


def evaluated(text: str, inputs: dict[str, str]) -> str:
    """An expression of the action's, as GitHub would fill it in."""
    known = {f"inputs.{name}": value for name, value in inputs.items()}
    known |= {"steps.python.outputs.python-path": sys.executable, "github.action_path": str(ROOT)}
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], text)


def by_steps(folder: Path, **given: str) -> Ended:
    """The `run` steps in bash, with an environment that holds nothing but what GitHub puts there."""
    inputs = {name: each["default"] for name, each in ACTION["inputs"].items()} | given
    installed = folder / "runner" / "zantara-exp" / "bin" / "python"
    installed.parent.mkdir(parents=True)
    installed.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} "$@"\n')
    installed.chmod(0o755)
    said, status = "", 0
    for step in (step for step in ACTION["runs"]["steps"] if "run" in step):
        assert "${{" not in step["run"], "an input would be a part of the script"
        shell = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder / "runner"),
            **places(folder),
        }
        shell |= {name: evaluated(value, inputs) for name, value in step["env"].items()}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ended = subprocess.run(command, env=shell, cwd=folder, capture_output=True, text=True)
        said, status = said + ended.stdout + ended.stderr, ended.returncode
        if status:
            break
    return read(folder, status, said)


def by_program(folder: Path, **given: str) -> Ended:
    """The program alone, in a process that is forked."""
    inputs = {name: each["default"] for name, each in ACTION["inputs"].items()} | given
    step = ACTION["runs"]["steps"][-1]
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("PYTHONPATH", str(ROOT))
        for name, value in {**places(folder), **step["env"]}.items():
            patched.setenv(name, evaluated(value, inputs))
        return read(folder, ci.main())


RUNS = [by_program, pytest.param(by_steps, marks=[pytest.mark.slow, pytest.mark.interpreter])]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    """Logs of a good and of a bad candidate."""
    made = {}
    for success in (1.0, 0.5):
        made[success] = tmp_path_factory.mktemp("log")
        plan = logs.Plan(start=-4, days=16, per_day=100, users=400, success=success, heavy=0.0)
        logs.write(made[success] / "logs/shadow_mode", plan)
    return made


@pytest.fixture
def at(workdir: Path) -> Path:
    (workdir / "own" / "gate").mkdir(parents=True)
    (workdir / "own" / "gate" / "small.yaml").write_text(GATE)
    return workdir


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("success", "gate", "status", "verdict"),
    [(1.0, GOES, 0, "GO"), (0.5, FAILS, 3, "NO_GO"), (1.0, LACKS, 4, "INCONCLUSIVE")],
)
def test_the_verdict_is_summary_outputs_and_exit_status(
    run: Callable[..., Ended],
    at: Path,
    recorded: dict[float, Path],
    success: float,
    gate: str,
    status: int,
    verdict: str,
) -> None:
    (at / "logs").symlink_to(recorded[success] / "logs")
    ended = run(at, stage="gate", overrides=f"\n  {gate}\n\n", **{"config-folder": "own"})
    assert ended.status == status, ended.log
    assert ended.outputs["verdict"] == verdict
    assert ended.outputs["exit-status"] == str(status)
    assert Path(ended.outputs["verdict-file"]).exists()
    assert ended.summary.startswith(f"## gate {gate.removeprefix('gate=')}: {verdict}\n")
    assert "| success |" in ended.summary
    assert ("MISSING | no review: run " in ended.summary) == (status == 4)


@pytest.mark.parametrize("run", RUNS)
def test_a_sound_config_and_one_that_does_not_compose(run: Callable[..., Ended], at: Path, tmp_path: Path) -> None:
    ended = run(at, overrides="gate=dataset")
    assert ended.status == 0, ended.log
    assert ended.outputs["verdict"] == "SOUND"
    assert Path(ended.outputs["verdict-file"]).name == "check.junit.xml"
    assert "| dataset | " in ended.summary
    other = at / "other"
    other.mkdir()
    ended = run(other, overrides="gate=datset")
    assert (ended.status, ended.outputs) == (2, {"verdict": "", "exit-status": "2", "verdict-file": ""})
    assert ended.summary.startswith("## stage=check ended with status 2\n\n    zantara-exp: ")
    assert "dataset" in ended.summary


@pytest.mark.parametrize("run", RUNS)
def test_no_value_is_run_by_a_shell_or_taken_by_github(run: Callable[..., Ended], at: Path) -> None:
    nasty = """rollout.reason="$(touch pwned) 'a' `touch pwned` ; touch pwned #\""""
    ended = run(at, overrides=f"gate=dataset\n{nasty}\n")
    assert ended.status == 0, ended.log
    assert list(at.rglob("pwned")) == []
    lines = ended.log.splitlines()
    if lines:  # between the two no line of what was printed is a command to GitHub
        assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}", lines[0])
        assert lines[-1] == lines[0].replace("stop-commands::", "") + "::"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stage": "extract"}, "stage: extract cannot be run here"),
        ({"overrides": "--config-dir=/etc"}, "overrides: --config-dir=/etc is no override"),
        ({"overrides": "stage=extract"}, "overrides: stage=extract is no override"),
        ({"overrides": "gate=week1\nwhatever"}, "overrides: whatever is no override"),
    ],
)
def test_what_it_does_not_run_is_refused(at: Path, given: dict[str, str], said: str) -> None:
    ended = by_program(at, **given)
    assert (ended.status, ended.outputs["exit-status"], ended.outputs["verdict"]) == (2, "2", "")
    assert said in ended.summary


def test_an_older_verdict_is_not_told_again(at: Path) -> None:
    (at / "reports").mkdir()
    for name in ("verdict.json", "verdict.md"):
        (at / "reports" / name).write_text('{"verdict": "GO"}')
        os.utime(at / "reports" / name, (1, 1))
    ended = by_program(at, stage="gate", overrides="gate.alpha=2")
    assert (ended.status, ended.outputs["verdict"], ended.outputs["verdict-file"]) == (2, "", "")


def test_every_input_and_output_is_used() -> None:
    text = (ROOT / "action.yml").read_text()
    assert all(f"${{{{ inputs.{name} }}}}" in text for name in ACTION["inputs"])
    told = set(re.findall(r'"([a-z-]+)": ', Path(ci.__file__).read_text()))
    assert {
        re.findall(r"steps\.run\.outputs\.([a-z-]+)", each["value"])[0] for each in ACTION["outputs"].values()
    } <= told
