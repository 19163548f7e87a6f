"""The dataset's evidence for gates: its size, the distance from the wanted mix, the share that passes the filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.ownership import refusal
from zantara_exp.dataset import labels, records
from zantara_exp.dataset.filters import Filters
from zantara_exp.dataset.growing_rows import continued, told_by
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Missing, Number, UserDays

METRICS = frozenset(
    {"conversations", "language_share_deviation", "category_share_deviation", "quality", "wrongly_moved"}
)
_EPOCH = date(1970, 1, 1)


def evidence(requests: Sequence[EvidenceRequest], until: date | None, config: Config, layout: Layout) -> list[Evidence]:
    """Measure some of METRICS.

    `conversations` counts those that became examples of a split, `*_share_deviation` is the largest distance of a share
    of the balanced examples from its target (0 to 1), `quality` the conversations per user and day that pass the
    filters, `wrongly_moved` the upper bound (95 %) of the share of what has to stay that a rollout would move.
    """
    return [_of(request.metric, until, config, layout) for request in requests]


def _of(metric: str, until: date | None, config: Config, layout: Layout) -> Evidence:
    if metric == "wrongly_moved":
        return _wrongly_moved(config)
    try:
        if why := refusal(layout.extract_summary if metric == "quality" else layout.prepare_summary, config, layout):
            return Missing(why)
        if metric == "quality":
            return _quality(until, config, layout)
        facts = records.read_json(layout.prepare_summary, "prepare")
    except MissingInputError as missing:
        return Missing(f"{missing.message}; run {missing.hint}")
    if metric == "conversations":
        return Number(float(facts["kept"]))  # repetitions and variants in train are no conversations
    return Number(float(facts["deviation"][metric.removesuffix("_share_deviation")]))


def _wrongly_moved(config: Config) -> Evidence:
    said = labels.file_of(config)
    if said is None:
        return Missing(
            "no chats are labelled by hand, which would show what is moved against domain.moves; run stage=label"
        )
    try:
        found = labels.promise(said, config)
    except ZantaraError as error:
        return Missing(f"{error.message}; {error.hint}")
    if not found.rows:
        return Missing(f"no row of {said.name} is of a category that has to stay")
    return Number(found.most)


def _quality(until: date | None, config: Config, layout: Layout) -> Evidence:
    ask = Filters(config)
    trials: Counter[tuple[str, int]] = Counter()
    passed: Counter[tuple[str, int]] = Counter()
    goes_on = continued(map(told_by, records.read_conversations(layout.raw_conversations)))
    for record in records.read_conversations(layout.raw_conversations):
        if record["conversation_id"] in goes_on:
            continue
        day = date.fromisoformat(record["timestamp"][:10])
        if until is not None and day > until:
            continue
        key = record["user"], (day - _EPOCH).days
        trials[key] += 1
        passed[key] += not ask.refusal(record)
    if not trials:
        return Missing(f"{layout.raw_conversations} holds no conversation up to {until}")
    keys = sorted(trials)
    codes = {user: code for code, user in enumerate(sorted({user for user, _ in keys}))}
    return UserDays(
        user=np.array([codes[user] for user, _ in keys], dtype=np.int64),
        day=np.array([day for _, day in keys], dtype=np.int64),
        trials=np.array([trials[key] for key in keys], dtype=np.float64),
        total=np.array([passed[key] for key in keys], dtype=np.float64),
    )
