"""What a process prints while a test waits for it."""

from __future__ import annotations

import subprocess


def hears(process: subprocess.Popen[str], what: str) -> str:
    """Read on until a line says it."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        if what in line:
            return line
    raise AssertionError(f"never said {what!r}: {''.join(heard)}")
