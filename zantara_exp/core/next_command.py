"""The next command: whatever tells a user what to run names it by `command`, which keeps what this command was given.

    command("stage=extract", "force=true")
    -> python -m zantara_exp stage=extract force=true --config-dir=conf-ours experiment=ours

A hint that drops the experiment reads and writes other data than the user's, without a word.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = "python -m zantara_exp"
OWN_FOLDER = "ZANTARA_CONFIG_DIR"
"""Environment variable with the folder of one's own config groups, for what no command line starts."""
EXPERIMENT = "ZANTARA_EXPERIMENT"
"""Environment variable that names the experiment of all commands."""
_ONCE = frozenset(
    ["stage", "stage.name", "force", "rollout.action", "rollout.reason", "rollout.watch", "review.serve"]
    + ["review.labels", "review.reviewer", "report.stats_only", "source.stats_only"]
    + ["label.host", "label.port", "label.token_env"]
    + ["publish", "publish.dry_run", "publish.even_without_go"]
    + ["privacy.users", "privacy.users_file", "privacy.retention_days", "privacy.reason", "privacy.dry_run"]
)
"""Overrides that speak of one command."""
_SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_LEAST_SECRET = 8
"""A shorter value stands in other texts by chance."""


@dataclass(frozen=True)
class Given:
    """What the command that runs now was given."""

    config_dir: str = ""
    overrides: tuple[str, ...] = ()
    """As they were typed: what one takes from the environment is not filled in."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Config group -> option, once the config is composed."""
    by_variable: bool = False
    """Whether ZANTARA_CONFIG_DIR names a folder, which holds for a command without --config-dir."""

    @property
    def experiment(self) -> str:
        """The experiment; empty where there is none."""
        told = [text.split("=", 1)[1] for text in self.overrides if key_of(text) == "experiment" and "=" in text]
        named = self.choices.get("experiment") or (told[-1].strip("'\"") if told else "")
        return named if named != "null" else ""


_now: Given | None = None


def given() -> Given:
    """What the command that runs now was given; in a program that is none of ours, what the environment names."""
    if _now is not None:
        return _now
    named = os.environ.get(EXPERIMENT, "").strip()
    folder = os.environ.get(OWN_FOLDER, "")
    return Given(folder, (f"experiment={named}",) if named else (), by_variable=bool(folder))


def remember(what: Given) -> None:
    """From now on hints are of a command that was given this."""
    global _now
    _now = what


@contextmanager
def of_this_command(what: Given) -> Iterator[None]:
    """Hints within are of a command that was given `what`, or what `remember` is told meanwhile."""
    global _now
    before = _now
    _now = what
    try:
        yield
    finally:
        _now = before


def key_of(text: str) -> str:
    """The config key or group that an override sets."""
    return text.lstrip("+~").split("=", 1)[0].split("@", 1)[0]


def command(
    *overrides: str,
    note: str = "",
    config_dir: str | Path | None = None,
    without: Sequence[str] = (),
    alone: bool = False,
    program: str = PROGRAM,
) -> str:
    """A command line of ours to be copied: `overrides`, and what this command was given and they do not set themselves.

    `note` follows as a comment of the shell. `config_dir` stands for the folder of this command's; "" is none.
    `without` names keys and nodes whose overrides are left out, `alone` leaves all of them out. An override that may
    hold a secret is not shown, and the note says so.
    """
    now = given()
    folder = str(now.config_dir if config_dir is None else config_dir)
    before = [f"{OWN_FOLDER}="] if now.by_variable and not folder else []
    if folder and program == PROGRAM:  # the others know the variable alone
        overrides = (*overrides, f"--config-dir={_relative(folder)}")
    words = [*overrides] if alone else [*overrides, *kept(*overrides, without=without)]
    secret = [text for text in words if holds_secret(text)]
    shown = [shlex.quote(text) for text in words if text not in secret]
    notes = [note, *(f"add {key_of(text)}=..., which may hold a secret" for text in secret)]
    return " ".join([*before, _as_found(program), *shown]) + (
        f"   # {'; '.join(filter(None, notes))}" if any(notes) else ""
    )


def kept(*overrides: str, without: Sequence[str] = ()) -> list[str]:
    """What goes on into the next command of what this one was given, where that one says `overrides` itself."""
    now = given()
    going_on = [text for text in now.overrides if _goes_on(text, overrides, now.choices, without)]
    if os.environ.get(EXPERIMENT) and "experiment" not in map(key_of, (*overrides, *going_on)):
        going_on.append("experiment=null")  # as this command had none, whatever the variable says
    return going_on


def start(folder: str = "conf-ours") -> str:
    """The command that writes a folder of one's own config."""
    return f"{_as_found('zantara-exp')} init {shlex.quote(folder)}"


def _as_found(program: str) -> str:
    """The program with its folder, where only the environment below the working directory has it.

    So it is after `make demo`, where nobody has activated `.venv`.
    """
    name, *words = program.split(" ")
    own = Path(sys.prefix, "bin")
    first = shutil.which(name)
    active = first is not None and Path(first).parent.resolve() == own.resolve()
    ours = sys.prefix != sys.base_prefix and own.is_relative_to(Path.cwd()) and (own / name).exists()
    if active or not ours:
        return program
    return " ".join([shlex.quote(str((own / name).relative_to(Path.cwd()))), *words])


def _goes_on(text: str, overrides: Sequence[str], choices: Mapping[str, str], without: Sequence[str]) -> bool:
    """Whether an override of this command belongs into the next one as well."""
    key = key_of(text)
    group = key.split(".", 1)[0]
    left_out = any(key == name or key.startswith(f"{name}.") for name in without)
    if key in _ONCE or left_out or key.startswith("hydra"):
        return False
    chosen = {key_of(each): each.partition("=")[2] for each in overrides}
    # With another option its keys may not even exist.
    return key not in chosen and not (group in chosen and choices.get(group) != chosen[group])


def quoted(value: str) -> str:
    """A text as Hydra reads it back as the value of an override."""
    if re.fullmatch(r"[\w./-]+", value, re.ASCII):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def holds_secret(text: str) -> bool:
    """Whether an override holds a secret, or looks like it."""
    from zantara_exp.config.secrets import misplaced

    key, _, value = text.partition("=")
    value = value.strip("'\"")
    if "${" in value:
        return False
    secrets = [
        told for name, told in os.environ.items() if _SECRET_VARIABLE.search(name) and len(told) >= _LEAST_SECRET
    ]
    looks_like_it = re.search(r"//[^/?#]*@", value) or any(secret in value for secret in secrets)
    return bool(misplaced(key, value) or looks_like_it)


def _relative(folder: str) -> str:
    """A folder as seen from the working directory, where it lies below it."""
    try:
        return str(Path(folder).relative_to(Path.cwd())) or "."
    except ValueError:
        return folder
