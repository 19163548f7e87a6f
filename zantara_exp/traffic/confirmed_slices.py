"""What `stage=slices` found: slices.json under `paths.reports`, as report, review, next and gate read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import md5
from pathlib import Path

import orjson

from zantara_exp.config.rollout import part_name
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Table
from zantara_exp.io.whole_files import write_whole

COLUMNS = ("segment", "users", "of the traffic", "bad", "bounds", "bad elsewhere", "adjusted p")
SALT = ":slices"
"""What a user's hash is hashed with again to fall into a half."""
FIRST_OF_CONFIRM = "8"
"""Users whose digest begins below this are the search half."""


@dataclass(frozen=True)
class Confirmed:
    """A slice that users who had no part in choosing it confirm; figures are of those users."""

    part: Mapping[str, str]
    measure: str
    """`failed`, or `worse` by people and judge."""
    users: int
    requests: int
    share: float
    """Of the traffic."""
    bad: tuple[float, float, float]
    """Its share of bad requests, with bounds."""
    rest_bad: tuple[float, float, float]
    p: float
    """Adjusted for all slices that were ever carried over."""
    until: str
    """The last day of the log that it was confirmed on, YYYY-MM-DD: users of the search half seen by then chose it."""


@dataclass(frozen=True)
class Sliced:
    """All searches of one candidate's log."""

    epoch: str
    until: str
    """The last day that was searched."""
    confirmed: tuple[Confirmed, ...] = ()
    tried: tuple[str, ...] = ()
    """Every slice that was ever carried over, in order."""


def of_search_half(user: str) -> bool:
    """Whether a user, by the keyed hash, is of the half in which slices are searched."""
    return md5((user + SALT).encode(), usedforsecurity=False).hexdigest() < FIRST_OF_CONFIRM


def save(found: Sliced, path: Path) -> None:
    """Write it whole."""
    write_whole(path, orjson.dumps({"schema_version": 1, **asdict(found)}, option=orjson.OPT_INDENT_2) + b"\n")


def load(path: Path) -> Sliced | None:
    """What was found; None where nobody looked. Raises ZantaraError where it cannot be read."""
    try:
        said = orjson.loads(path.read_bytes())
        confirmed = tuple(
            Confirmed(**{**each, "bad": tuple(each["bad"]), "rest_bad": tuple(each["rest_bad"])})
            for each in said["confirmed"]
        )
        return Sliced(str(said["epoch"]), str(said["until"]), confirmed, tuple(map(str, said["tried"])))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ZantaraError(
            f"{path.name} cannot be read: {error}", command("stage=slices", note="once it is moved away")
        ) from None


def load_pairs(path: Path, epoch: str) -> dict[str, list[str]]:
    """Comparisons by slice, of one candidate; none where the file is gone, which every search writes anew."""
    try:
        said = orjson.loads(path.read_bytes())
        return {str(name): list(map(str, of)) for name, of in said["pairs"].items()} if said["epoch"] == epoch else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def shown(found: Sliced | None) -> Table | None:
    """What was confirmed; None where nothing was."""
    if found is None or not found.confirmed:
        return None
    rows = [
        [
            f"{each.measure}: {part_name(each.part)}",
            f"{each.users:,}",
            _percent(each.share),
            _percent(each.bad[0]),
            f"{_percent(each.bad[1])} to {_percent(each.bad[2])}",
            _percent(each.rest_bad[0]),
            f"{each.p:.2g}",
        ]
        for each in found.confirmed
    ]
    return Table("Where it is worse", list(COLUMNS), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
