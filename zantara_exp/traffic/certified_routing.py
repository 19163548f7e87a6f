"""What `stage=certify` found: routing.json under `paths.reports`, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Table

COLUMNS = ("requests", "bill", "users", "as good", "quality", "by request", "at least", "")
TITLE = "Share moved against quality, on users not seen before"


def load(path: Path, epoch: str) -> Mapping[str, Any] | None:
    """What was found of a candidate; None where nobody looked at it. Raises ZantaraError where it cannot be read."""
    try:
        said: Mapping[str, Any] = orjson.loads(path.read_bytes())
        if said["candidate"] != epoch:
            return None
        shown(said), in_short(said)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        again = command("stage=certify", note="once it is moved away")
        raise ZantaraError(f"{path.name} cannot be read: {error}", again) from None
    return said


def best(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The point of the curve that is certified, where one is."""
    return next((point for point in said["curve"] if point["threshold"] == said["certified"]), None)


def in_short(said: Mapping[str, Any]) -> str:
    """How much may move, in a sentence."""
    point = best(said)
    if point is None:
        return f"no threshold is shown to keep {100 * said['quality']:g} %: everything stays with the primary"
    return (
        f"{100 * point['moved']:.0f} % of the requests, {100 * point['bill']:.0f} % of the bill, may move: at least "
        f"{100 * said['quality']:g} % are answered, and as well as by the primary ({100 * point['lower']:.1f} % by the "
        "bound of these alone)"
    )


def shown(said: Mapping[str, Any]) -> Table:
    """The curve as a table."""
    certified = best(said)
    rows = [
        [
            *(f"{100 * point[name]:.0f} %" for name in ("moved", "bill")),
            str(point["users"]), f"{point['good']} of {point['labels']}",
            *(f"{100 * point[name]:.1f} %" for name in ("estimate", "by_request", "lower")),
            "certified" if point is certified else "begins" if point["threshold"] == said["start"] else "",
        ]
        for point in said["curve"]
    ]  # fmt: skip
    return Table(TITLE, list(COLUMNS), rows)
