"""Where a run comes from: config, code, inputs, packages."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("zantara-exp", "hydra-core", "mlflow", "psycopg", "datasets"),
    *("torch", "transformers", "trl", "peft", "scipy", "ibis-framework", "duckdb"),
)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(config_hash: str, inputs: Mapping[str, str], code_hash: str, seed: int) -> dict[str, Any]:
    """One record of what a run depended on; hashes are the first 16 digits of SHA-256."""
    commit = _git("rev-parse", "HEAD")
    return {
        "config_hash": config_hash,
        "code_hash": code_hash,
        "inputs": dict(inputs),
        "seed": seed,
        "git_commit": commit or None,
        "git_dirty": bool(_git("status", "--porcelain")) if commit else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _versions(),
    }
