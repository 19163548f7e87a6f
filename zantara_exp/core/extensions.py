"""What other packages add: a kind of endpoint, a kind of source, a metric of the comparison log. One object in one file
each, which the package names as an entry point:

    [project.entry-points."zantara_exp.metrics"]
    cites_source = "our_package.metrics:cites_source"

Installed packages are looked through only where a config names what is not built in: that takes some 50 ms.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from zantara_exp.core.errors import ConfigError

ENDPOINTS, SOURCES, METRICS = "endpoints", "sources", "metrics"
"""The groups, each `zantara_exp.<group>`: a subclass of `HttpEndpoint`; a function from (config, layout) to
`Conversations`; a function from answered requests to scores."""


@cache
def _installed(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"zantara_exp.{group}")}


def names(group: str) -> list[str]:
    """What installed packages add to a group."""
    return sorted(_installed(group))


def load(group: str, name: str) -> object:
    """The object that a package adds by this name. Raises ConfigError where its package cannot be imported."""
    point = _installed(group)[name]
    try:
        return point.load()
    except Exception as error:  # whatever another package's import may raise
        raise ConfigError(
            f"{name} of {_package(point)} ({point.value}) cannot be imported: {type(error).__name__}: {error}",
            f"mend or reinstall {_package(point)}",
        ) from error


def version(group: str, name: str) -> str:
    """A hash of what the object is: its package's version, and the text of its module."""
    point, found = _installed(group)[name], load(group, name)
    module = inspect.getmodule(found)
    text = inspect.getsource(module) if module is not None else ""
    of = point.dist.version if point.dist is not None else ""
    return hashlib.sha256(f"{point.value} {of}\n{text}".encode()).hexdigest()[:16]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
