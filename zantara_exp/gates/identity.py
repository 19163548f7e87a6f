"""Which gate it is: a hash of what it decides by, known without its statistics."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from zantara_exp.config.gate import Criterion, Gate

_PLANNING = ("traffic", "horizon_days")
_LATER = ("sample_ratio_alpha", "exclude", "alpha_shares")
_LATER_OF_CRITERIA = ("look_at", "judge")
"""Keys that came when gates were in use: at their defaults they make no other gate of one that a rollout began with."""
_DEFAULT = Gate()
_DEFAULT_CRITERION = Criterion()


def gate_hash(gate: Gate) -> str:
    """Identifies what a gate decides by; planned traffic and expected truths do not change a verdict."""
    plain = {key: value for key, value in asdict(gate).items() if key not in _PLANNING}
    for key in _LATER:
        if plain[key] == getattr(_DEFAULT, key):
            del plain[key]
    for criterion in plain["criteria"].values():
        criterion.pop("expected")
        for key in _LATER_OF_CRITERIA:
            if criterion[key] == getattr(_DEFAULT_CRITERION, key):
                del criterion[key]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
