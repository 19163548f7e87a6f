"""What is known of how good the candidate's answers were, and which users each part of it comes from.

    fit       users on whom the score is fitted, by what a judge or people said of their requests, and what failed;
              they also say at which threshold the tests begin
    certify   everybody else: those of the review's sample, whom people judged, and beside them others a judge saw

A user is in one part, by a hash. Where a judge has seen too few users outside of the sample, half of the sample's users
fit in their place. Users of an earlier sample that was looked at certify nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

from zantara_exp.analysis.cost import with_primary_usd
from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.analysis.texts import comparisons_at
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.review.adjudication import panel
from zantara_exp.review.judge_verdicts import calls_in
from zantara_exp.review.labels import BETTER, EQUIVALENT
from zantara_exp.review.labels import load as load_labels
from zantara_exp.review.not_evidence import kept_samples
from zantara_exp.review.sample import load as load_sample
from zantara_exp.routing.score import Known, features
from zantara_exp.shadow.sampling import user_percentile

FIT, CERTIFY = "fit", "certify"
_FITS = 60
"""Percent of the users whom a judge saw outside of the sample."""
_ENOUGH = 100
"""Users outside of the sample whom a judge has to have seen, for the whole sample to certify."""
_GOOD = (BETTER, EQUIVALENT)
_COLUMNS = ("comparison_id", "user", "part", "place", "language", "category", "candidate_ok", "primary_usd")


class Row(NamedTuple):
    """One request."""

    comparison_id: str
    user: str
    ok: bool
    usd: float
    """What the primary took; 0 where that is not known."""
    found: Mapping[int, float]
    """Its features."""


@dataclass(frozen=True)
class Evidence:
    """All of it, of one candidate."""

    epoch: str
    sample: str
    """Hash of the review's sample."""
    labels: Mapping[str, bool]
    """Comparison -> whether people found the candidate as good: the first of the sample, as far as all are settled."""
    calls: Mapping[str, bool]
    """The same by the newest judge."""
    rows: Mapping[str, Sequence[Row]] = field(repr=False)
    """By part."""


def read(config: Config, layout: Layout, log: ComparisonLog, looked_at: frozenset[str]) -> Evidence:
    """Of the newest candidate; `looked_at` are hashes of samples by which a certificate was tried.

    Raises MissingInputError where nobody has labelled, ZantaraError where labels or verdicts cannot be read.
    """
    epoch, _ = log.newest()
    sample = load_sample(layout.review_sample)
    settled = panel(load_labels(layout.review_labels), sample, config.review).settled
    first = takewhile(lambda item: item.number in settled, sample.items)
    labels = {item.comparison_id: settled[item.number] in _GOOD for item in first}
    if sample.epoch != epoch or not labels:
        what = f"the sample is of candidate {sample.epoch}" if labels else "its first pair has no label"
        raise MissingInputError(
            f"nobody has said how good candidate {epoch} is ({what}): a judge alone vouches for nothing",
            command("stage=review", "review.serve=true"),
        )
    said = [call for call in calls_in(layout.judged) if call.epoch == epoch]
    calls = {call.comparison_id: call.verdict in _GOOD for call in said if call.judge == said[-1].judge}
    facts = log.facts.filter((log.facts.epoch == epoch) & log.facts.category.isin(config.rollout.categories))
    facts = with_primary_usd(facts.filter(facts.primary_ok), config.cost)
    rows = fetched(facts.select(*_COLUMNS)).to_pylist()
    user_of = {row["comparison_id"]: row["user"] for row in rows}
    known = {user_of[each] for each in labels if each in user_of}
    judged = {user_of[each] for each in calls if each in user_of} - known
    old = [other for other in kept_samples(layout) if other.hash in looked_at and other.hash != sample.hash]
    before = {user_of.get(item.comparison_id) for other in old for item in other.items}
    parts: dict[str, list[Row]] = {FIT: [], CERTIFY: []}
    for row in _with_features(_some(rows, known | judged, config), log, config):
        parts[_part(row.user, known, judged, row.user in before, config.seed)].append(row)
    there = {row.comparison_id for of in parts.values() for row in of}
    labels = {each: good for each, good in labels.items() if each in there}
    return Evidence(epoch, sample.hash, labels, {each: calls[each] for each in calls if each in there}, parts)


def _part(user: str, known: set[str], judged: set[str], before: bool, seed: int) -> str:
    fits = _FITS if user in judged else 50 if user in known and len(judged) < _ENOUGH else 0
    return FIT if before or user_percentile(user, f"routing {seed}") < fits else CERTIFY


def _some(rows: Sequence[dict[str, Any]], first: set[str], config: Config) -> list[dict[str, Any]]:
    """All requests of as many users as `rollout.certify.requests` holds, those of `first` before others by lot."""
    lot = {user: user_percentile(user, "routing lot") for user in {row["user"] for row in rows}}
    ordered = sorted(rows, key=lambda row: (row["user"] not in first, lot[row["user"]], row["comparison_id"]))
    return ordered[: config.rollout.certify.requests]


def _with_features(rows: Sequence[dict[str, Any]], log: ComparisonLog, config: Config) -> list[Row]:
    redactor, found = redactor_of(config.dataset), {}
    for place, item in comparisons_at(log.parts, [(row["part"], row["place"]) for row in rows]):
        turns = sum(message.get("role") == "user" for message in item.messages)
        found[place] = redactor.text(item.query), turns, item.timestamp.hour
    return [
        Row(
            row["comparison_id"], row["user"], row["candidate_ok"], row["primary_usd"] or 0.0,
            features(Known(text, row["language"], row["category"], turns, hour)),
        )
        for row in rows
        for text, turns, hour in [found[row["part"], row["place"]]]
    ]  # fmt: skip
