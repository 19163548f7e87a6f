"""What Hydra makes of a choice of options is kept for all processes of a run, as long as no file of the config changes.

Which files a command line chooses, and what they merge to, is nine tenths of what composing takes, and the same for all
command lines that choose the same options. The keys of a command line are laid over it, and checked, each time.
tests/config/test_recomposed.py holds it against Hydra's own work.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore

_SHARED = "ZANTARA_TESTS_COMPOSED"
_Stamp = tuple[str, int, int, int]


def _folder() -> Path:
    """Made by the process that comes first; its workers and the server that forks are told where it is."""
    if _SHARED not in os.environ:
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="zantara-tests-")
        atexit.register(_remove, os.environ[_SHARED], os.getpid())
    return Path(os.environ[_SHARED])


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # and no process that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


_FOLDER = _folder()


def _once(key: Any, make: Callable[[], Any]) -> Any:
    kept = _FOLDER / hashlib.sha256(pickle.dumps(key)).hexdigest()
    if kept.exists():
        return pickle.loads(kept.read_bytes())  # noqa: S301  our own
    made = make()  # what is refused is not kept
    beside = kept.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):  # the run is over
        beside.write_bytes(pickle.dumps(made))
        beside.rename(kept)
    return made


def _searched(repo: Any) -> list[tuple[str, str, list[_Stamp]]]:
    """Where Hydra searches, and the state of every file there; what comes with a package does not change."""
    sources = repo.get_sources()
    return [(each.provider, each.path, _stamps(each.path) if each.scheme() == "file" else []) for each in sources]


def _stamps(folder: str) -> list[_Stamp]:
    found: list[_Stamp] = []
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.is_dir():
            found += _stamps(entry.path)
        else:
            at = os.stat(entry.path)
            found.append((entry.path, at.st_ino, at.st_mtime_ns, at.st_size))
    return found


_choose, _merge = defaults_list._create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list


def _chosen(repo: Any, config_name: Any, overrides: Any, prepend_hydra: bool, skip_missing: bool) -> Any:
    """Which files are merged; `overrides` is told what was chosen. Their keys play no part in it."""
    keys, overrides.config_overrides = overrides.config_overrides, []

    def choose() -> Any:
        return _choose(repo, config_name, overrides, prepend_hydra, skip_missing), vars(overrides)

    asked = _searched(repo), config_name, vars(overrides), prepend_hydra, skip_missing
    try:
        found, told = _once(asked, choose)
        vars(overrides).update(told)
    finally:
        overrides.config_overrides = keys
    return found


def _merged(self: Any, defaults: Any, repo: Any) -> Any:
    return _once((_searched(repo), defaults), lambda: _merge(self, defaults, repo))


def apply() -> None:
    """From now on, in this process and those forked from it."""
    defaults_list._create_defaults_list = _chosen
    ConfigLoaderImpl._compose_config_from_defaults_list = _merged  # type: ignore[method-assign]
    ConfigStore.__deepcopy__ = lambda self, _: self  # type: ignore[attr-defined]  # there is one, and composing copied it


def lift(patched: Any) -> None:
    """For one test, Hydra's own."""
    patched.setattr(defaults_list, "_create_defaults_list", _choose)
    patched.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", _merge)
    patched.delattr(ConfigStore, "__deepcopy__")
