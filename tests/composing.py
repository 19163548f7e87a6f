"""The shipped config with overrides, composed once for all tests that ask for the same."""

from __future__ import annotations

import copy
import os
from functools import lru_cache

from zantara_exp.config import Config, compose


@lru_cache(maxsize=256)
def _once(overrides: tuple[str, ...], environment: frozenset[tuple[str, str]]) -> Config:
    return compose(list(overrides))


def composed(*overrides: str) -> Config:
    """A config of one's own to change. Composing takes Hydra most of a second."""
    told = frozenset(item for item in os.environ.items() if not item[0].startswith("PYTEST_"))
    return copy.deepcopy(_once(overrides, told))
