"""`source=shadow_log`: requests that the candidate failed or lost a review of, with the primary's answer.

They are what the next version of the model has to learn. The log is redacted and its users are hashed already, with the
key of extract: a user stays in the split that `splits.json` holds him in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.dataset.period import newest_of, period
from zantara_exp.dataset.usage import ModelUsage, usage_of
from zantara_exp.dataset.users import hash_key, hash_user
from zantara_exp.errors import MissingInputError
from zantara_exp.hints import command
from zantara_exp.layout import Layout

if TYPE_CHECKING:
    from zantara_exp.shadow.record import Comparison


@dataclass(frozen=True)
class LostRequests:
    """The requests in scope, newest first; few enough to be held in memory."""

    config: Config
    first: datetime
    end: datetime
    found: Sequence[dict[str, Any]]
    note: str = ""
    interruptions: int = 0

    def usage(self) -> list[ModelUsage]:
        """Requests, users and mean tokens by the primary that answered, the limit apart."""
        return usage_of(self.found)

    def fingerprint(self) -> str:
        """A hash of the requests."""
        return sha256(repr([sorted(row.items()) for row in self.found]).encode()).hexdigest()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the requests under the names of `config.data.Columns`; `hashed` says that the user is a hash."""
        yield from self.found[: self.config.source.limit]


def open_log(config: Config, layout: Layout) -> LostRequests:
    """Read the comparison log and the review of it.

    Raises MissingInputError where there is no log.
    """
    from zantara_exp.shadow.log import comparisons_of
    from zantara_exp.shadow.reader import read_log
    from zantara_exp.shadow.record import Comparison

    with closing(comparisons_of(config, layout)) as log:
        if not log.parts():
            raise MissingInputError(f"{layout.logs} holds no comparison log", command("stage=shadow"))
        hashed = partial(hash_user, key=hash_key(config))
        read = [item for item in read_log(log, hashed) if isinstance(item, Comparison)]
    if not read:
        raise MissingInputError(f"{layout.logs} holds no comparison", command("stage=shadow"))
    newest, later, dates = newest_of((item.timestamp for item in read), config)
    first, end = period(config, newest, later, str(layout.logs))
    lost = _lost_reviews(config, layout)
    wanted = [name.lower() for name in config.source.models]
    rows: dict[str, dict[str, Any]] = {}
    for item in read:
        named = not wanted or any(name in (item.primary.model or "").lower() for name in wanted)
        if named and first <= item.timestamp < end and _is_lost(item, lost):
            rows[item.request_id] = _row(item)  # of several epochs the newest counts
    newest_first = sorted(rows.values(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    notes = (_note(newest_first, len(read)), dates)
    return LostRequests(config, first, end, newest_first, "; ".join(filter(None, notes)))


def _is_lost(item: Comparison, lost: set[str]) -> bool:
    """The primary answered, and the candidate did not, or worse."""
    failed = item.candidate.error is not None or item.comparison_id in lost
    moves = item.scope.movable is not False
    return item.arm == "candidate" and moves and item.primary.error is None and failed


def _lost_reviews(config: Config, layout: Layout) -> set[str]:
    """Comparisons whose candidate the reviewers found worse, or found a critical bug in."""
    from zantara_exp.review.labels import WORSE, Label, adjudicated, load

    samples: dict[str, list[Label]] = {}
    for label in load(layout.review_labels):
        samples.setdefault(label.sample, []).append(label)
    lost = set()
    for labels in samples.values():
        verdicts = adjudicated(labels, config.review.adjudicator)
        lost |= {label.comparison_id for label in labels if verdicts[label.pair] == WORSE or label.critical_bug}
    return lost


def _row(item: Comparison) -> dict[str, Any]:
    side = item.primary
    asked = [{"role": each["role"], "content": each["content"]} for each in item.messages]
    return {
        "id": item.request_id,
        "user": item.user,
        "hashed": True,
        "session": None,
        "messages": [*asked, {"role": "assistant", "content": side.response}],
        "created_at": item.timestamp.isoformat(),
        "model": side.model,
        "rating": None,
        "language": item.language,
        "tokens_input": _text(side.usage.read),
        "tokens_output": _text(side.usage.output),
        "latency_ms": _text(side.latency_ms),
    }


def _text(value: float | None) -> str | None:
    return None if value is None else str(value)


def _note(rows: Sequence[object], read: int) -> str:
    return f"of {read} comparisons the candidate failed or lost {len(rows)} requests"
