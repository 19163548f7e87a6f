"""A gate in somebody's CI, as `action.yml` runs it: one stage, then the job's summary and outputs.

    ZANTARA_CI_STAGE=check python -m zantara_exp.cli.ci

Everything is told by the environment, nothing by a line that a shell puts together: ZANTARA_CI_STAGE is check or
gate, ZANTARA_CI_OVERRIDES has one a line, ZANTARA_CI_CONFIG_DIR is a folder or empty. The files that GITHUB_OUTPUT and
GITHUB_STEP_SUMMARY name are appended to. The exit status is the stage's.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from zantara_exp.config import OWN_FOLDER
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.stage import NO_GO, OK

_STAGES = ("check", "gate")
_SOUND = {OK: "SOUND", NO_GO: "UNSOUND"}
"""What `stage=check` says of gate configs, in a word."""
_SAID = 20
"""Lines of an error that the summary repeats."""


class _Found(NamedTuple):
    verdict: str = ""
    file: str = ""
    summary: str = ""


def main() -> int:
    """Run the stage that the environment names; returns its exit status."""
    try:
        stage, overrides = _asked(os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return _told("", error.exit_status, _Found(summary=_as_text(str(error))))
    began = time.time()
    status, said = _run([f"stage={stage}", *overrides])
    found = _found(stage, overrides, status, began)
    return _told(stage, status, found if found.summary else found._replace(summary=_as_text(said)))


def _asked(environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """The stage and the overrides. Raises ConfigError for another stage, and for what is no override."""
    stage = environment.get("ZANTARA_CI_STAGE", "")
    if stage not in _STAGES:
        raise ConfigError(
            f"stage: {stage or 'nothing'} cannot be run here (valid: {', '.join(_STAGES)})", "stage: check"
        )
    overrides = [line.strip() for line in environment.get("ZANTARA_CI_OVERRIDES", "").splitlines()]
    overrides = [line for line in overrides if line]
    wrong = [line for line in overrides if line.startswith(("-", "stage=")) or not ("=" in line or line[0] == "~")]
    if wrong:
        raise ConfigError(f"overrides: {wrong[0]} is no override, such as gate=week1", "write one key=value a line")
    return stage, overrides


def _run(words: list[str]) -> tuple[int, str]:
    """Run the command; what it prints is shown, without GitHub taking any line of it for a command of its own."""
    environment = dict(os.environ)
    if folder := environment.get("ZANTARA_CI_CONFIG_DIR"):
        environment[OWN_FOLDER] = folder
    end = secrets.token_hex(16)
    _say(f"::stop-commands::{end}")
    command = [sys.executable, "-m", "zantara_exp", *words]
    with subprocess.Popen(  # noqa: S603 - our own program, words as they are
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        assert started.stdout is not None  # noqa: S101  for the type checker
        lines: list[str] = []
        for line in started.stdout:
            _say(line.rstrip("\n"))
            lines = [*lines[1 - _SAID :], line]
    _say(f"::{end}::")
    return started.returncode, "".join(lines)


def _found(stage: str, overrides: list[str], status: int, began: float) -> _Found:
    """What the stage wrote; nothing where it ended before, since an earlier run's file would say something else."""
    from zantara_exp.config import compose
    from zantara_exp.core.layout import Layout
    from zantara_exp.gates.stage import verdict_file

    try:
        config = compose(
            [f"stage={stage}", *overrides], os.environ.get("ZANTARA_CI_CONFIG_DIR") or os.environ.get(OWN_FOLDER)
        )
    except ZantaraError:
        return _Found()
    layout = Layout(config)
    file = layout.reports / "check.junit.xml" if stage == "check" else verdict_file(layout, config.gate.name)
    page = layout.reports / "check.md" if stage == "check" else file.with_suffix(".md")
    if not file.exists() or not page.exists() or file.stat().st_mtime < began - 1:
        return _Found()
    verdict = _SOUND.get(status, "") if stage == "check" else json.loads(file.read_bytes())["verdict"]
    return _Found(verdict, str(file), page.read_text(encoding="utf-8"))


def _told(stage: str, status: int, found: _Found) -> int:
    outputs = {"verdict": found.verdict, "exit-status": str(status), "verdict-file": found.file}
    _append("GITHUB_OUTPUT", "".join(f"{name}={' '.join(value.splitlines())}\n" for name, value in outputs.items()))
    head = "" if found.verdict else f"## {'stage=' + stage if stage else 'zantara-exp'} ended with status {status}\n\n"
    _append("GITHUB_STEP_SUMMARY", f"{head}{found.summary}\n")
    return status


def _append(variable: str, text: str) -> None:
    if file := os.environ.get(variable):
        with Path(file).open("a", encoding="utf-8") as handle:
            handle.write(text)


def _as_text(said: str) -> str:
    """As a block that holds whatever was said, also lines that look like Markdown."""
    return "\n".join(f"    {line}" for line in said.splitlines())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
