"""Preference pairs to learn from: where people or a judge found the candidate's answer worse than the primary's, or it
has a flaw that can be seen and the primary's has not.

    data/.../preferences.jsonl     prompt, chosen (the primary's answer), rejected (the candidate's): as TRL's DPO reads

Never of a user in the test split, whose chats measure the next model, and never of pairs that are still open: those at
which no gate has looked, unless the whole sample is judged. Lines of earlier candidates stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.analysis.pairs import texts
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.dataset.splits import known_users, reviewed_users
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.adjudication import panel
from zantara_exp.review.judge_verdicts import calls_in
from zantara_exp.review.labels import WORSE, load
from zantara_exp.review.looked_at import closed
from zantara_exp.review.sample import load as load_sample

JUDGE, REVIEW, LOG = "judge", "review", "log"
_NEEDED = ("user", "comparison_id", "part", "place", "language", "category")


class Said(NamedTuple):
    """Why an answer is worse."""

    why: str
    run: str = ""
    """Which judge it was, or which sample of the review; empty for the log."""


Found = dict[str, dict[str, Said]]
"""Comparison -> who found the candidate's answer worse -> what they said."""


def write_preferences(
    config: Config, layout: Layout, log: ComparisonLog, flawed: Mapping[str, str] | None = None
) -> int:
    """Write the pairs of the newest epoch anew; how many there are in all.

    `flawed`: comparisons whose answer has a flaw that can be seen, and which; None leaves those that were found before.
    Raises ZantaraError where the sample, the labels, the judge's words, the record of splits or the file itself cannot
    be read.
    """
    epoch, _ = log.newest()
    lines = pairs_in(layout)
    before = [line["metadata"] for line in lines if line["metadata"]["candidate_id"] == epoch]
    known = {about["comparison_id"]: about["worse_by"][LOG] for about in before if LOG in about["worse_by"]}
    found = _found_worse(config, layout, epoch, known if flawed is None else flawed)
    kept = [line for line in lines if line["metadata"]["candidate_id"] != epoch]
    kept += _pairs(found, config, layout, log, epoch) if found else []
    _note_reviewed(layout, log, found)
    if kept or layout.preferences.is_file():
        write_whole(layout.preferences, b"".join(orjson.dumps(line) + b"\n" for line in kept))
    return len(kept)


def _note_reviewed(layout: Layout, log: ComparisonLog, found: Found) -> None:
    """Write down whose chats were looked at, before anything of them teaches: `prepare` puts none of them into test."""
    calls = [*calls_in(layout.judged)]
    looked_at = {call.comparison_id for call in calls} | found.keys()
    if layout.review_sample.is_file():
        looked_at |= {item.comparison_id for item in load_sample(layout.review_sample).items}
    theirs = log.facts.filter(log.facts.comparison_id.isin(sorted(looked_at))).select("user").distinct()
    users = {str(row["user"]) for row in fetched(theirs).to_pylist()} if looked_at else set()
    users |= {call.user for call in calls} | reviewed_users(layout)
    if users:
        write_whole(layout.reviewed, b"".join(orjson.dumps({"user": user}) + b"\n" for user in sorted(users)))


def preferences_line(count: int, layout: Layout) -> dict[str, str]:
    """For a stage's summary."""
    return {"to learn from": f"{count} pairs in {layout.preferences.name}"} if count else {}


def _found_worse(config: Config, layout: Layout, epoch: str, flawed: Mapping[str, str]) -> Found:
    found: Found = {pair: {LOG: Said(why)} for pair, why in flawed.items()}
    for call in calls_in(layout.judged):
        if call.epoch == epoch and call.verdict == WORSE:
            found.setdefault(call.comparison_id, {})[JUDGE] = Said(call.why, call.judge)
    if not layout.review_sample.is_file():
        return found
    sample = load_sample(layout.review_sample)
    said_of = panel(load(layout.review_labels), sample, config.review)
    done = sample.items if len(said_of.settled) == len(sample.items) else closed(sample, layout)
    for item in sample.items[len(done) :]:  # still open
        found.pop(item.comparison_id, None)
    if sample.epoch != epoch:
        return found
    for item in done:
        words = found.get(item.comparison_id, {})
        if said_of.settled.get(item.number) != WORSE and JUDGE in words:  # people's word on a pair overrules a judge's
            del words[JUDGE]
            if not words:
                del found[item.comparison_id]
    numbers = {item.number for item in done}
    for label in (label for label in said_of.labels if label.pair in numbers):
        worse = said_of.settled.get(label.pair) == WORSE and label.verdict == WORSE
        if worse or label.critical_bug:
            said = found.setdefault(label.comparison_id, {})
            before, bug = said.get(REVIEW, Said("")).why, "critical bug" if label.critical_bug else ""
            said[REVIEW] = Said(" | ".join(filter(None, (before, bug, label.comment))), sample.hash)
    return found


def _pairs(found: Found, config: Config, layout: Layout, log: ComparisonLog, epoch: str) -> Iterator[dict[str, Any]]:
    test = {user for user, split in known_users(layout).items() if split == "test"}
    facts = log.facts.filter((log.facts.epoch == epoch) & log.facts.comparison_id.isin(sorted(found)))
    named = sorted(fetched(facts.select(*_NEEDED)).to_pylist(), key=lambda row: str(row["comparison_id"]))
    rows = [row for row in named if row["user"] not in test]
    for row in texts(log, rows, redactor_of(config.dataset)):
        yield _pair(row, found[row["comparison_id"]], epoch)


def _pair(row: Mapping[str, Any], said: Mapping[str, Said], epoch: str) -> dict[str, Any]:
    worse_by = {by: each.why for by, each in said.items()}
    runs = {by: each.run for by, each in said.items() if each.run}
    about = {name: row[name] for name in ("comparison_id", "user", "language", "category")}
    return {
        "prompt": json.loads(row["messages"]),
        "chosen": [{"role": "assistant", "content": row["primary_response"]}],
        "rejected": [{"role": "assistant", "content": row["candidate_response"]}],
        "metadata": {**about, "candidate_id": epoch, "worse_by": worse_by, "runs": runs},
    }


def pairs_in(layout: Layout) -> list[dict[str, Any]]:
    """The lines of preferences.jsonl; none without the file. Raises ZantaraError at one that is no pair."""
    if not layout.preferences.is_file():
        return []
    found = []
    for number, line in enumerate(layout.preferences.read_bytes().splitlines(), 1):
        try:
            pair = orjson.loads(line)
            about = pair["metadata"]
            if not {"comparison_id", "candidate_id", "user"} <= about.keys() or not about["worse_by"].keys():
                raise KeyError("metadata")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ZantaraError(
                f"{layout.preferences}, line {number}, is no pair to learn from ({type(error).__name__}: {error})",
                "remove the line; or remove the file, and this command writes it anew",
            ) from error
        found.append(pair)
    return found
