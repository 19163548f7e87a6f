"""A key that makes itself, for one machine."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def own_key(path: Path) -> bytes:
    """The key in the file, made there where it is not yet. Raises OSError where it cannot be made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(fresh, path)  # fails where another process was first, and then its key counts
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes().strip()
