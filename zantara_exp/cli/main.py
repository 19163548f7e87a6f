"""Composes the config, dispatches a stage, and turns what happened into an exit status.

0 done (stage=gate: GO), 1 failed, 2 the config is wrong, 3 NO_GO, 4 INCONCLUSIVE
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from zantara_exp.config import OWN_FOLDER, folders, register, with_experiment
from zantara_exp.config.secrets import refuse_secrets
from zantara_exp.core import distributed, next_command, terminal
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.stage import OK, SWEPT
from zantara_exp.io import file_modes

if TYPE_CHECKING:
    from omegaconf import DictConfig


_THE_MACHINES_OWN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Trouble of the disk, which no stage can mend."""
_NOTHING_LEFT = 64 * 1024
"""Bytes. A disk with less is full, whatever a library that could not write to it calls that."""


class _Status(Exception):
    """Carries a stage's exit status through Hydra, which has no place for one."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def run_overrides(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name), as `python -m zantara_exp` does; returns the exit status."""
    own, others = _own_folder(arguments)
    variable = os.environ.get(OWN_FOLDER, "")
    given = next_command.Given(own or variable, _overrides(others), by_variable=bool(variable))
    with next_command.of_this_command(given):
        return _run(arguments, own, others)


def _run(arguments: Sequence[str], own: str | None, others: Sequence[str]) -> int:
    if "--version" in arguments:
        return _version()
    if arguments[:1] == ["init"]:
        return _init(arguments[1:])
    if "--help" in arguments or "-h" in arguments:
        return _help(arguments)
    import hydra

    register()
    # Hydra would print and exit 1 on every exception; we tell them apart.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before, variable = sys.argv, os.environ.get(OWN_FOLDER)
    endings: list[_Status | ZantaraError] = []
    try:
        # Hydra looks into the main folder first: a folder of one's own is the main one, so that its files win.
        refuse_secrets(others)
        others = with_experiment(others, own)
        next_command.remember(replace(next_command.given(), overrides=_overrides(others)))
        first, *more = folders(own)
        if more:
            os.environ[OWN_FOLDER] = str(first)  # for processes that are started, and what is looked up by name
        _note_sweep(others)
        sys.argv = ["zantara-exp", *others, *(f"--config-dir={folder}" for folder in more)]
        with file_modes.private(), _logging_as_before(), _composed_once(others, shipped_alone=not more):
            hydra.main(config_path=str(first), config_name="config", version_base="1.3")(partial(_job, endings))()
        if endings:
            raise endings[0]
    except _Status as how:
        return how.status
    except ZantaraError as error:
        return _explained(error)
    except KeyboardInterrupt:
        terminal.complain("interrupted; the same command goes on where this one stopped")
        return 130
    except Exception as error:
        problem = _disk_error(error) or _config_error(error, others, own)
        if problem is None:
            raise
        return _explained(problem)
    finally:
        sys.argv = before
        os.environ.pop(OWN_FOLDER, None)
        os.environ.update({OWN_FOLDER: variable} if variable else {})
    return OK


def _note_sweep(arguments: Sequence[str]) -> None:
    """Tell the processes of a sweep which keys it changes: Hydra tells each run its own values only."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    os.environ.pop(SWEPT, None)
    if not {"-m", "--multirun"} & set(arguments):
        return
    try:
        parsed = OverridesParser.create().parse_overrides(list(_overrides(arguments)))
    except HydraException:
        return  # Hydra says what is wrong with them
    os.environ[SWEPT] = " ".join(each.key_or_group for each in parsed if each.is_sweep_override())


@contextmanager
def _composed_once(arguments: Sequence[str], shipped_alone: bool) -> Iterator[None]:
    """Spare Hydra composing the whole config twice: it does so first to find `hydra.mode`, a third of a second.

    No shipped file sets that; where a command line or a folder of one's own might, it looks.
    """
    from hydra._internal.hydra import Hydra
    from hydra.types import RunMode

    asked = any(text in ("-m", "--multirun") or "hydra" in text for text in arguments)
    if asked or not shipped_alone:
        yield
        return
    look, Hydra.get_mode = Hydra.get_mode, lambda *_, **__: RunMode.RUN  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = look  # type: ignore[method-assign]


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """Hydra gives the root logger handlers of its own, which a program that runs many stages would go on writing to.

    A warning that its file cannot take, on a disk that is full, is no reason for a traceback.
    """
    import logging

    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        yield
    finally:
        logging.raiseExceptions = raising
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
            if isinstance(handler, logging.FileHandler):
                handler.close()
        for handler in before:
            root.addHandler(handler)
        root.setLevel(level)


def _overrides(arguments: Sequence[str]) -> tuple[str, ...]:
    """The overrides of a command line that Hydra has not read yet."""
    return tuple(text for text in arguments if not text.startswith("-") and (text.startswith("~") or "=" in text))


def _version() -> int:
    from importlib.metadata import version

    terminal.say(f"zantara-exp {version('zantara-exp')}")
    return OK


def _help(arguments: Sequence[str]) -> int:
    from zantara_exp.config.help import help_text

    try:
        terminal.say(help_text(_own_folder(arguments)[0]))
    except ZantaraError as error:
        return _explained(error)
    return OK


def _init(arguments: Sequence[str]) -> int:
    from zantara_exp.cli.init import init

    try:
        return init(arguments)
    except ZantaraError as error:
        return _explained(error)
    except OSError as error:
        return _explained(_disk_error(error) or ZantaraError(str(error), next_command.start()))


def _own_folder(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The folder that --config-dir names, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    known, others = parser.parse_known_args(list(arguments))
    return known.config_dir, others


def _explained(error: ZantaraError) -> int:
    terminal.complain(str(error))
    return error.exit_status


def _disk_error(error: Exception) -> ZantaraError | None:
    doctor = next_command.command("stage=doctor")
    if isinstance(error, OSError) and error.errno in _THE_MACHINES_OWN:
        return ZantaraError(f"{error.strerror}: {error.filename or os.getcwd()}", doctor)
    if "No space left on device" in str(error) or shutil.disk_usage(os.curdir).free < _NOTHING_LEFT:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return ZantaraError(f"the disk of {os.getcwd()} is full ({said})", f"make room there, then: {doctor}")
    return None


def _config_error(error: Exception, arguments: Sequence[str], own: str | None) -> ConfigError | None:
    """The mistakes behind an exception of Hydra or OmegaConf; None for any other exception."""
    from hydra._internal.utils import get_args_parser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    composing = isinstance(error, HydraException | OmegaConfBaseException | YAMLError | UnicodeDecodeError)
    if _raised_by_a_stage(error):
        return None
    if not composing and not _raised_by_hydra(error):
        return None
    from zantara_exp.config.diagnostics import refusal

    parsed = get_args_parser().parse_args(arguments)
    return refusal(error, parsed.overrides, own, parsed.multirun)


def _raised_by_a_stage(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == "zantara_exp.cli.dispatch":
            return True
        trace = trace.tb_next
    return False


def _raised_by_hydra(error: Exception) -> bool:
    """Whether a plain error comes from reading the command line and the YAML it names, not from a stage."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__", "")) if trace else ""
    return module.startswith(("hydra.", "omegaconf.", "yaml."))


def _job(ended: list[_Status | ZantaraError], composed: DictConfig) -> None:
    """What Hydra calls, once per run of a sweep.

    Of a single run the ending is put into `ended`; a run of a sweep may be in another process, so it raises, and
    Hydra says which run it was.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    try:
        _stage(composed)
    except (_Status, ZantaraError) as how:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        ended.append(how)


def _stage(composed: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from zantara_exp.cli.dispatch import looked_at, run_stage
    from zantara_exp.config.diagnostics import typed

    hydra = HydraConfig.get()
    # As they were typed: what an override takes from the environment stays there.
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    assert isinstance(overrides, list)  # noqa: S101  for the type checker
    config = typed(composed, overrides, only=looked_at(composed))
    status = run_stage(config, composed, hydra, overrides)
    if status != OK:
        raise _Status(status)


def main() -> None:
    """The console script `zantara-exp`, and `python -m zantara_exp`."""
    # A supervisor's way to end it: as Ctrl-C, so that servers are stopped, runs closed, and the way to go on is said.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_overrides([*sys.argv[1:], *distributed.overrides()]))
