"""What a judge said of the log's pairs, for the gate to count beside people's labels (`gate.criteria.<name>.judge`).

`layout.judged` holds one JSON object a line, as `stage=judge` writes it, with the reasons beside:

    {"judge": "5d0c...", "epoch": "e1", "comparison_id": "c17", "user": "<keyed hash>", "verdict": "equivalent", ...}

  judge    identifies the judge: model, prompt, and how its answers are read. Lines of the newest one count, no others.
  epoch    the candidate, as the review's sample has it
  verdict  better, equivalent or worse, of the candidate; what else a judge says, or null, counts as not good

Every pair of the review's sample has to be in it, and beside them pairs of users drawn by lot, whole users or one pair
each: `zantara_exp.review.sample.frame` has them in that order. A later line on a pair replaces an earlier one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.gates import evidence as letters
from zantara_exp.gates.evidence import Judgements
from zantara_exp.review.labels import BETTER, EQUIVALENT
from zantara_exp.review.sample import Sample


@dataclass(frozen=True)
class Call:
    """A judge's word on one pair."""

    judge: str
    epoch: str
    comparison_id: str
    user: str
    verdict: str | None
    why: str = ""
    model: str = ""


def judgements(path: Path, sample: Sample, among: Collection[str] | None = None) -> Judgements | None:
    """What the newest judge of the sample's epoch said of its pairs and of others; None where nobody judged any.

    `among`: the comparisons that count; None for all.
    Raises ZantaraError at a line that is no verdict.
    """
    calls = [call for call in calls_in(path) if call.epoch == sample.epoch]
    calls = [call for call in calls if among is None or call.comparison_id in among]
    if not calls:
        return None
    judge = calls[-1].judge
    good = {call.comparison_id: call.verdict in (BETTER, EQUIVALENT) for call in calls if call.judge == judge}
    users = {call.comparison_id: call.user for call in calls if call.judge == judge}
    pairs: dict[str, list[bool]] = {}
    for pair, user in users.items():
        pairs.setdefault(user, []).append(good[pair])
    voices = [sum(said) / len(said) for said in pairs.values()]
    said = {pair: letters.GOOD if is_good else letters.WORSE for pair, is_good in good.items()}
    in_order = "".join(said.get(item.comparison_id, letters.OPEN) for item in sample.items)
    return Judgements(judge, sum(voices) / len(voices), len(voices), in_order)


def calls_in(path: Path) -> Iterator[Call]:
    """The lines of the file, in their order; none without a file. Raises ZantaraError at one that is no verdict."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line.strip():
            try:
                yield _call(line)
            except (ValueError, KeyError, TypeError) as error:
                raise ZantaraError(
                    f"{path.name}, line {number}, is no judge's verdict",
                    "judge, epoch, comparison_id, user and verdict are asked for; remove the line, or the file",
                ) from error


def _call(line: bytes) -> Call:
    found = orjson.loads(line)
    judge, epoch, pair, user = (found[name] for name in ("judge", "epoch", "comparison_id", "user"))
    verdict = found["verdict"]
    if not all(isinstance(name, str) and name for name in (judge, epoch, pair, user)):
        raise TypeError("a name is missing")
    if verdict is not None and not isinstance(verdict, str):
        raise TypeError("the verdict is no word")
    opinion = found.get("opinion")
    why = str(opinion["reason"]) if isinstance(opinion, dict) else ""
    return Call(judge, epoch, pair, user, verdict, why, str(found.get("model", "")))
