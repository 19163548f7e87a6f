"""`source=shadow_log`: requests that the candidate failed, answered with a flaw that can be seen, or lost a review of,
with the primary's answer.

The next version of the model has to learn these. The log is already redacted, and its users are hashed with the key of
extract, so a user stays in the split that `splits.json` has for him.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.dataset.period import newest_of, period
from zantara_exp.dataset.usage import ModelUsage, usage_of
from zantara_exp.dataset.user_hash import hash_key, hash_user
from zantara_exp.text.flaws import Flaws

if TYPE_CHECKING:
    from zantara_exp.shadow.record import Comparison


WORSE, BUG, OTHER_LANGUAGE = "review: worse", "review: critical bug", "answer: other language"


@dataclass(frozen=True)
class Failure:
    """A comparison that the candidate failed, with all the kinds of failure it is."""

    item: Comparison
    kinds: tuple[str, ...]
    """`call: timeout` and the like where there is no answer; `answer: cut_off` and the like; `review: worse`."""

    @property
    def flaws(self) -> str:
        """What can be seen in its answer; empty where nothing can, or there is none."""
        return ", ".join(kind.partition(": ")[2] for kind in self.kinds if kind.startswith("answer: "))


@dataclass(frozen=True)
class LostRequests:
    """The requests in scope, newest first; few enough to be held in memory."""

    config: Config
    first: datetime
    end: datetime
    found: Sequence[dict[str, Any]]
    note: str = ""
    interruptions: int = 0
    hidden: str = ""

    def undated(self) -> Sequence[Mapping[str, Any]]:
        """None: every conversation has a time."""
        return ()

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
    read = read_comparisons(config, layout)
    newest, later, dates = newest_of((item.timestamp for item in read), config)
    first, end = period(config, newest, later, str(layout.logs))
    wanted = [name.lower() for name in config.source.models]
    rows: dict[str, dict[str, Any]] = {}
    named = (item for item in read if _is_named(item, wanted) and first <= item.timestamp < end)
    for failure in failures(named, config, layout):
        rows[failure.item.request_id] = _row(failure.item)  # of several epochs the newest counts
    newest_first = sorted(rows.values(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    notes = (_note(newest_first, len(read)), dates)
    return LostRequests(config, first, end, newest_first, "; ".join(filter(None, notes)))


def read_comparisons(config: Config, layout: Layout) -> list[Comparison]:
    """All comparisons of the log, with their texts. Raises MissingInputError where there is none."""
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
    return read


def failures(read: Iterable[Comparison], config: Config, layout: Layout) -> Iterator[Failure]:
    """Those of `read` that the primary answered and the candidate did not, or with a flaw, or worse by the review."""
    seen, reviewed = _Seen(config), _lost_reviews(config, layout)
    for item in read:
        if item.arm != "candidate" or item.scope.movable is False or item.primary.error is not None:
            continue
        kinds = [f"call: {item.candidate.error}"] if item.candidate.error else seen.flaws(item)
        kinds += reviewed.get(item.comparison_id, [])
        if kinds:
            yield Failure(item, tuple(kinds))


class _Seen:
    """Flaws of the candidate's answers, where the primary's answer has none: what it has as well is no loss."""

    def __init__(self, config: Config) -> None:
        from zantara_exp.dataset.language import detector

        self._flaws, self._languages = Flaws(config), detector(config)
        self._known = frozenset(config.dataset.languages)

    def flaws(self, item: Comparison) -> list[str]:
        kind, primary, candidate = item.category or "", item.primary, item.candidate
        found = self._flaws.of(candidate.response, kind, candidate.finish_reason != "length")
        has = set(self._flaws.of(primary.response, kind)) if found else set()
        kinds = [f"answer: {name}" for name in found if name not in has]
        return [*kinds, *([OTHER_LANGUAGE] if self._in_another_language(item) else [])]

    def _in_another_language(self, item: Comparison) -> bool:
        """Only where the primary's answer is in the language of the question."""
        if item.language not in self._known or not item.candidate.response:
            return False
        spoken = self._languages.detect(item.candidate.response)
        other = spoken in self._known and spoken != item.language
        return other and self._languages.detect(item.primary.response) == item.language


def _is_named(item: Comparison, wanted: Sequence[str]) -> bool:
    return not wanted or any(name in (item.primary.model or "").lower() for name in wanted)


def _lost_reviews(config: Config, layout: Layout) -> dict[str, list[str]]:
    """Comparisons whose candidate the reviewers found worse, or found a critical bug in."""
    from zantara_exp.review.adjudication import adjudicated
    from zantara_exp.review.labels import WORSE as FOUND_WORSE
    from zantara_exp.review.labels import Label, load
    from zantara_exp.review.not_evidence import uncounted
    from zantara_exp.review.sample import is_check

    known = load(layout.review_labels)
    left_out = uncounted(known, layout, config.review)
    known = [label for label in known if not is_check(label.comparison_id)]
    samples: dict[str, list[Label]] = {}
    for label in known:
        if (label.sample, label.reviewer) not in left_out:
            samples.setdefault(label.sample, []).append(label)
    lost: dict[str, list[str]] = {}
    for labels in samples.values():
        verdicts = adjudicated(labels, config.review.adjudicator)
        for label in labels:
            if verdicts.get(label.pair) == FOUND_WORSE:
                lost[label.comparison_id] = [WORSE]
    for label in known:
        if label.critical_bug and BUG not in lost.setdefault(label.comparison_id, []):  # whoever found it
            lost[label.comparison_id].append(BUG)
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
