"""The journal of one run: its operations as JSON lines, and how many of them MLflow has."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.io.whole_files import write_whole


class Journal:
    """A folder `<time>-<id>` with `operations.jsonl`, `sent.json` and the artifacts that could not be sent yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        self._operations = folder / "operations.jsonl"
        self._sent_file = folder / "sent.json"
        state: dict[str, Any] = orjson.loads(self._sent_file.read_bytes()) if self._sent_file.exists() else {}
        self.run_id: str | None = state.get("run_id")
        self.sent: int = state.get("sent", 0)

    @classmethod
    def new(cls, pending: Path) -> Journal:
        """Begin a journal below `pending`; the name sorts by time."""
        journal = cls(pending / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}")
        journal.claim()
        return journal

    def claim(self) -> bool:
        """Take the journal for this process; False when its writer is alive."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def append(self, operation: dict[str, Any]) -> None:
        """Write one operation; it survives a kill of this process."""
        try:
            line = orjson.dumps(operation)
        except TypeError:  # half a surrogate pair, which no UTF-8 has
            line = json.dumps(operation, ensure_ascii=False).encode("utf-8", "replace")
        with self._operations.open("ab") as file:
            file.write(line + b"\n")

    def operations(self) -> list[dict[str, Any]]:
        """All operations; MLflow has the first `sent` of them. A line torn by a kill ends the journal."""
        if not self._operations.exists():
            return []
        operations = []
        for line in self._operations.read_bytes().splitlines():
            try:
                operations.append(self._here(orjson.loads(line)))
            except orjson.JSONDecodeError:
                break
        return operations

    def _here(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation with the place of a kept artifact as it is now: the project's folder may have been moved."""
        parts = Path(operation.get("path", "")).parts
        if operation["op"] != "artifact" or self.id not in parts:
            return operation
        return {**operation, "path": str(self.folder.joinpath(*parts[parts.index(self.id) + 1 :]))}

    def mark_sent(self, run_id: str, count: int = 1) -> None:
        """Remember that MLflow has `count` operations more."""
        self.run_id, self.sent = run_id, self.sent + count
        temporary = self._sent_file.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(orjson.dumps({"run_id": run_id, "sent": self.sent}))
        temporary.replace(self._sent_file)

    def blank(self, holds: Callable[[str], bool]) -> None:
        """Empty the operations in whose text `holds` finds something; their number stays, for `sent` counts them."""
        nothing = orjson.dumps({"op": "params", "values": {}})
        lines = self._operations.read_bytes().splitlines()
        kept = [nothing if holds(line.decode(errors="replace")) else line for line in lines]
        write_whole(self._operations, b"".join(line + b"\n" for line in kept))

    def keep(self, path: Path) -> Path:
        """Copy an artifact into the journal, for a time when MLflow can be reached."""
        target = self.folder / "artifacts" / f"{len(list(self.folder.glob('artifacts/*')))}" / path.name
        target.parent.mkdir(parents=True)
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copy2(path, target)
        return target

    def close(self, *, delete: bool) -> None:
        """Let the journal go; `delete` when MLflow has all of it."""
        if delete:
            self._operations.unlink(missing_ok=True)  # first: a kill in between leaves a journal that says nothing
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()
