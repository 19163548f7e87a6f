"""The certificate: a score, the threshold from which on requests may move, and what was shown of those that do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.io.whole_files import write_whole
from zantara_exp.routing.score import BUCKETS, FEATURES, Known, Score


@dataclass(frozen=True)
class Certificate:
    """One that is whole."""

    hash: str
    candidate: str
    """Its epoch: the hash of model, prompt and endpoint."""
    made: datetime
    categories: frozenset[str]
    threshold: float
    score: Score

    def moves(self, known: Known) -> bool:
        """Whether it vouches for a request."""
        return known.category in self.categories and self.score.of(known) >= self.threshold


def write(path: Path, content: Mapping[str, Any], score: Score) -> str:
    """Write what was certified with its score; returns the hash of both."""
    weights = {str(place): weight for place, weight in enumerate(score.weights) if weight}
    whole = {**content, "features": FEATURES, "bias": score.bias, "weights": weights}
    whole["hash"] = _hash(whole)
    write_whole(path, orjson.dumps(whole, option=orjson.OPT_INDENT_2), durable=True)
    return str(whole["hash"])


def load(path: Path) -> Certificate:
    """The certificate. Raises ZantaraError where there is none, or none that is as it was written."""
    again = command("stage=certify")
    try:
        whole = orjson.loads(path.read_bytes())
        mark = whole.pop("hash")
        if mark != _hash(whole) or whole["features"] != FEATURES:
            raise ValueError
        weights = [0.0] * BUCKETS
        for place, weight in whole["weights"].items():
            weights[int(place)] = weight
        made, categories = datetime.fromisoformat(whole["made"]), frozenset(whole["categories"])
        score = Score(whole["bias"], weights)
        return Certificate(mark, whole["candidate"], made, categories, whole["threshold"], score)
    except OSError as error:
        raise ZantaraError(
            f"rollout.route=learned: no {path.name} under paths.state ({error.strerror})", again
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ZantaraError(f"{path.name} is not as stage=certify of this version wrote it", again) from None


def _hash(whole: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
