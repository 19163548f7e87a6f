"""What the scripts share: they run with the project's own Python, and hand a command line of the plan on to the runner.

A script is started as it lies, by whatever Python the shell finds first. Where that one lacks the project, the script
starts again with the one that `make setup` made; this module therefore imports nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

OWN = (Path(__file__).resolve().parents[1] / ".venv").resolve()


def use_own_python() -> None:
    """Go on with a Python that has the project, or end with what to do."""
    if find_spec("zantara_exp") and find_spec("hydra"):
        return
    python = OWN / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != OWN:
        sys.stdout.flush()
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the project's own Python, the user's own words
    sys.exit(f"zantara-exp is not installed for {sys.executable}, and there is no {python}\n  next: make setup")


def help_asked(text: str | None) -> None:
    """End with a script's own description, where it was asked for."""
    if {"-h", "--help"} & {*sys.argv[1:]}:
        sys.stdout.write(f"{(text or '').strip()}\n")
        sys.exit()


def run(overrides: Callable[[Sequence[str]], list[str]]) -> None:
    """Run the script: its command line as overrides of the config."""
    use_own_python()
    from zantara_exp.cli.main import run_overrides

    sys.exit(run_overrides(overrides(sys.argv[1:])))


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """What the parser understands, and the overrides behind `--`, which are passed on as they are."""
    own, further = list(arguments), []
    if "--" in own:
        place = own.index("--")
        own, further = own[:place], own[place + 1 :]
    return parser.parse_args(own), further


def quoted(text: str) -> str:
    """Any text as Hydra reads it back."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
