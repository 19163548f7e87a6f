"""The gate's hash, of everything that it decides by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from zantara_exp.config.gate import Criterion, Gate

_PLANNING = ("traffic", "horizon_days")
_LATER = ("sample_ratio_alpha", "exclude", "alpha_shares")
_LATER_OF_CRITERIA = ("look_at", "judge")
"""Keys that were added later. At their defaults they do not change the hash of a gate that is already in use."""
_DEFAULT = Gate()
_DEFAULT_CRITERION = Criterion()


def gate_hash(gate: Gate) -> str:
    """The hash; without planned traffic and expected truths, which do not change a verdict."""
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
