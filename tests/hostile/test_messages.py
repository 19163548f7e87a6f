"""Every message that a user can cause says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import zantara_exp
from zantara_exp import errors

PACKAGE = Path(zantara_exp.__file__).parent
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def error_names() -> set[str]:
    """ZantaraError and all that descend from it."""
    names = {name for name, found in vars(errors).items() if isinstance(found, type)}
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in range(3):  # as deep as they go
        names |= {node.name for node in classes if {getattr(base, "id", "") for base in node.bases} & names}
    return names


def sites() -> Iterator[tuple[str, ast.Call]]:
    names = error_names()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_message_comes_with_what_to_do_next() -> None:
    """The hint is an argument of its own, so that nobody forgets it; and it is no empty word."""
    found = dict(sites())
    assert len(found) > 150  # the search finds them
    bare, empty = [], []
    for where, call in found.items():
        unpacked = any(isinstance(argument, ast.Starred) for argument in call.args)
        hints = call.args[1:] + [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
        if not hints and not unpacked:
            bare.append(where)
        empty += [where for hint in hints if isinstance(hint, ast.Constant) and len(str(hint.value)) < 8]
    assert bare == []
    assert empty == []
