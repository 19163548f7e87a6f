"""Why requests were not in the mirror's sample: counted and noted by a gateway, told by its summary and by doctor.

A sample of nought looks like silence; each request that is not in it has a reason here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.whole_files import write_whole

OUTSIDE = "outside_sample"
TOO_LARGE = "too_large"
REASONS: Mapping[str, str] = {
    "other_api": "ask no chat, or by an API that is not read",
    "no_user": "name no user: send X-Zantara-User, or fill the API's own field",
    "off": "came while shadow mode was off",
    "moved": "were a moved user's, whom the candidate answers",
    "refused": "were refused by the primary",
    TOO_LARGE: "are larger than gateway.max_body_bytes, and went on unseen",
    "attempt": "were attempts that another one followed",
    OUTSIDE: "are of users or categories outside of the sample (shadow.traffic_percent, shadow.categories)",
}
"""Reasons, as they are counted, and what they say of those requests."""


@dataclass(frozen=True)
class Seen:
    """What one gateway has seen."""

    at: datetime
    requests: int
    sampled: int
    unmirrored: Mapping[str, int] = field(default_factory=dict)
    """By REASONS."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Sent to no provider, by reason."""

    @property
    def why(self) -> str:
        """The reasons in words, the most frequent first."""
        counted = sorted(self.unmirrored.items(), key=lambda each: -each[1])
        said = [f"{count} {REASONS.get(reason, reason)}" for reason, count in counted if count]
        said += [f"{count} were sent nowhere ({reason})" for reason, count in sorted(self.refused.items()) if count]
        return "; ".join(said)


def note(seen: Seen, path: Path) -> None:
    """Write it down. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, orjson.dumps(seen))


def noted(folder: Path) -> dict[str, Seen]:
    """What gateways of this machine last noted, by port. Raises ZantaraError for a file that is none of theirs."""
    return {path.stem.removeprefix("seen_"): _read(path) for path in sorted(folder.glob("seen_*.json"))}


def _read(path: Path) -> Seen:
    try:
        found = orjson.loads(path.read_bytes())
        return Seen(**{**found, "at": datetime.fromisoformat(found["at"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ZantaraError(f"{path} cannot be read: {type(error).__name__}", hint=f"rm {path}") from error
