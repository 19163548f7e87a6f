"""What other packages add: a kind of endpoint, a kind of source, a metric of the comparison log. One object in one file
each, which the package names as an entry point:

    [project.entry-points."zantara_exp.metrics"]
    cites_source = "our_package.metrics:cites_source"

Installed packages are looked through only where a config names what is not built in: that takes some 50 ms.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb

from zantara_exp.core.errors import ConfigError

ENDPOINTS, SOURCES, METRICS = "endpoints", "sources", "metrics"
"""The groups, each `zantara_exp.<group>`: a subclass of `HttpEndpoint`; a function from the config to records; a
function from answered requests to scores."""
FAILURES = (Exception, SystemExit)
"""Whatever another package's code may raise: an exit of its own would end a gate with status 0, which means GO."""


@cache
def _installed(group: str) -> Mapping[str, Sequence[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"zantara_exp.{group}"):
        found.setdefault(point.name, []).append(point)
    return found


def names(group: str) -> list[str]:
    """What installed packages add to a group."""
    return sorted(_installed(group))


def load(group: str, name: str) -> object:
    """The object that a package adds by this name. Raises ConfigError where it cannot be imported, or two add it."""
    point = _point(group, name)
    try:
        return point.load()
    except FAILURES as error:
        raise ConfigError(
            f"{name} of {_package(point)} ({point.value}) cannot be imported: {type(error).__name__}: {error}",
            f"mend or reinstall {_package(point)}",
        ) from error


def version(group: str, name: str) -> str:
    """A hash of what the object is: its package's version, and the text of its module. Raises as `load`."""
    point, text = _point(group, name), ""
    module = inspect.getmodule(load(group, name))
    try:
        text = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):  # a compiled module, or an empty one
        file = getattr(module, "__file__", None)
        text = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    of = point.dist.version if point.dist is not None else ""
    return hashlib.sha256(f"{point.value} {of}\n{text}".encode()).hexdigest()[:16]


def place(error: BaseException) -> str:
    """What failed and where, without its words: these may quote what a user wrote."""
    frames = extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return type(error).__name__ + at


def _point(group: str, name: str) -> EntryPoint:
    points = _installed(group)[name]
    if len(points) > 1:
        packages = ", ".join(sorted(map(_package, points)))
        raise ConfigError(f"{name} is added by {len(points)} installed packages: {packages}", "uninstall all but one")
    return points[0]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]
