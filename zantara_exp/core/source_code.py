"""Which source a stage's outcome depends on, read off its imports, so that no list of it can fall behind."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = _PACKAGE.name
_NO_OUTCOME = ("config.", "tracking.", "core.terminal.", "core.errors.", "core.next_command.")
"""Imported, but no outcome depends on their code: config values are hashed themselves, the others show and record."""


def code_digest(module: str) -> str:
    """Hash of the source of `module` (`dataset.extract`) and of all of this package that it imports, at any depth."""
    sources = sources_of(module)
    # Templates, schemas and phrase tables lie beside the code that uses them.
    beside = {p for folder in {path.parent for path in sources} for p in folder.iterdir() if p.suffix != ".py"}
    hasher = hashlib.sha256()
    for path in sorted({*sources, *filter(Path.is_file, beside)}):
        hasher.update(str(path.relative_to(_PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()[:16]


def sources_of(module: str) -> list[Path]:
    """The files that `module` consists of, imports inside functions included; a package counts with its `__init__`."""
    found: set[Path] = set()
    waiting = [f"{_NAME}.{module}"]
    while waiting:
        path = _file(waiting.pop())
        if path is not None and path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return tuple(name for name in names if name.startswith(f"{_NAME}."))


def _file(name: str) -> Path | None:
    parts = name.split(".")[1:]
    if not parts or f"{'.'.join(parts)}.".startswith(_NO_OUTCOME):
        return None
    for path in (_PACKAGE.joinpath(*parts).with_suffix(".py"), _PACKAGE.joinpath(*parts, "__init__.py")):
        if path.is_file():
            return path
    return None
