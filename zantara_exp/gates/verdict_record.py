"""A verdict and the look that gave it: what both say, the hash that binds them, and verdicts whose look is gone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.core.signature import FIELD
from zantara_exp.gates.standing import through

if TYPE_CHECKING:
    from zantara_exp.gates.evidence import Logged
    from zantara_exp.gates.verdict import Verdict

SAID = ("gate", "gate_hash", "epoch", "as_of", "verdict", "reason", "authorises", "requests", "users")
"""What a verdict and its look have in common."""
_SAME = SAID[:5]
"""What names a look; one of an older version has no hash."""


def verdict_hash(said: Mapping[str, Any]) -> str:
    """Identifies a verdict as its file says it, whatever the order of its keys and whoever signed it."""
    said = {name: value for name, value in said.items() if name != FIELD}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def look_of(verdict: Verdict, logged: Logged | None, now: datetime) -> dict[str, Any]:
    """A look before it is on record: what it is about, when it was made, and what of the log it saw."""
    seen = through(verdict.as_of, now.date())
    counted = logged is not None and bool(seen)
    return {
        **{name: getattr(verdict, name) for name in SAID},
        "time": now.isoformat(timespec="seconds"),
        "through": seen,
        "newest": logged.last.isoformat() if logged else "",
        "comparisons": logged.until(date.fromisoformat(seen)) if logged and counted else None,
    }


def unrecorded(reports: Path, looks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts in a folder that no look on record gave."""
    hashes = {look.get("verdict_hash") for look in looks}
    older = [[look[name] for name in _SAME] for look in looks if "verdict_hash" not in look and "verdict" in look]
    found = []
    for file in sorted([*reports.glob("verdict*.json"), *reports.glob("candidates/*/verdict*.json")]):
        try:
            said = loaded(file.read_bytes())
        except OSError:
            continue
        if not isinstance(said, dict) or not said.keys() >= set(SAID) or not said["epoch"]:
            continue
        if verdict_hash(said) not in hashes and [said[name] for name in _SAME] not in older:
            look = {name: said[name] for name in SAID}
            found.append({**look, "verdict_hash": verdict_hash(said), "exact": {}, "found_in": file.name})
    return found


def loaded(text: bytes) -> Any:
    """What a text holds; None where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None
