"""What spares the tests' processes work: pytest's workers import it, and the server that the others are forked from."""

from __future__ import annotations

import gc
import os
import pickle
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tests import recomposed

# With torch and mlflow in memory each full collection walks through millions of objects that stay.
gc.set_threshold(100_000, 50, 100)

_load = OmegaConf.load
_parsed: dict[tuple[str, int, int, int], bytes] = {}


def _parsed_once(file: Any) -> Any:
    """`OmegaConf.load`, which parses a file of conf/ anew each time a config is composed: a quarter of the work."""
    path = getattr(file, "name", file)
    if not isinstance(path, str | Path) or not os.path.isfile(path):
        return _load(file)
    found = os.stat(path)
    key = str(Path(path).absolute()), found.st_ino, found.st_mtime_ns, found.st_size
    if key not in _parsed:
        _parsed[key] = pickle.dumps(_load(file))
    return pickle.loads(_parsed[key])  # noqa: S301  our own


OmegaConf.load = staticmethod(_parsed_once)  # type: ignore[method-assign]
recomposed.apply()
