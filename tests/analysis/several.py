"""A log of several candidates: what a first one was asked, answered by others too."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from tests.analysis import logs

FIRST, OTHERS = "local", ("v2", "v3")


def write(folder: Path, plan: logs.Plan, failing: dict[str, float], models: dict[str, str] | None = None) -> None:
    """The plan's log of the candidate `local`, and each further one's answers, of which so many fail."""
    rows = logs.write(folder, plan)
    for name, share in failing.items():
        rng = random.Random(f"{name}{plan.seed}")
        by_file: dict[Path, list[str]] = {}
        for row in rows:
            line = _of(row, name, rng.random() < share, (models or {}).get(name, f"model-{name}"))
            file = folder / f"shadow_comparison_{row['timestamp'][:10]}.jsonl"
            by_file.setdefault(file, []).append(json.dumps(line) + "\n")
        for file, lines in by_file.items():
            with file.open("a", encoding="utf-8") as out:
                out.writelines(lines)


def _of(row: dict[str, Any], name: str, fails: bool, model: str) -> dict[str, Any]:
    key = hashlib.sha256(f"{row['comparison_id']}{name}".encode()).hexdigest()[:32]
    side = {**row["candidate"], "provider": name, "model": model, "error": None, "latency_ms": 300.0}
    side["response"] = side["response"] or "ciao"
    if fails:
        side |= {"error": "server_error", "response": "", "latency_ms": 0.0}
    return {**row, "comparison_id": key, "epoch": f"epoch-{name}", "candidate": side}
