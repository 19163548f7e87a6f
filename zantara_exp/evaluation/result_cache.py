"""Results on disk by a hash of what they follow from, kept as they come: a killed run, or another one, goes on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson


class KeyedLines:
    """JSON objects by key, one line each; a line that a kill cut off, or that lacks one of `texts`, is not there."""

    def __init__(self, path: Path, texts: Collection[str] = ()) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        content = path.read_bytes() if path.is_file() else b""
        self._begins = b"" if content[-1:] in (b"", b"\n") else b"\n"  # after a line that a kill cut off
        for line in content.splitlines():
            try:
                row = orjson.loads(line)
                if all(isinstance(row[name], str) for name in texts):
                    self._known[row.pop("key")] = row
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                continue

    def get(self, key: str) -> dict[str, Any] | None:
        """What is kept under `key`."""
        return self._known.get(key)

    def put(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep results; a key that is there already is replaced."""
        self._known.update({key: dict(value) for key, value in found.items()})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            lines = b"".join(orjson.dumps({"key": key, **value}) + b"\n" for key, value in found.items())
            file.write(self._begins + lines)
        self._begins = b""

    def remove(self) -> None:
        """Forget all of them."""
        self._path.unlink(missing_ok=True)
