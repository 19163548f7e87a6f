"""The small JSON files that training and evaluation leave beside a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from zantara_exp.io.whole_files import write_whole


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None where there is no such file or no object in it."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all; NaN and infinities become null."""
    write_whole(path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))
