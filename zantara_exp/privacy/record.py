"""The record of removals: what went, how much of it, when and by whom. Hashes of samples; no content, no ids."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from zantara_exp.layout import Layout
from zantara_exp.privacy.whose import who


def note(layout: Layout, kind: str, facts: Mapping[str, object]) -> None:
    """Append one line; it is on the disk when this returns."""
    layout.removals.parent.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = orjson.dumps({"at": at, "by": who(), "what": kind, **facts}) + b"\n"
    with layout.removals.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
