"""The sample of pairs that people judge: drawn at random, blinded, and sealed by a hash.

One comparison per user is picked by a seeded hash, so that nobody's chats weigh more than another's; of those the
sample takes a share of each language and category in proportion. Only pairs that both sides answered are judged:
failures are counted by the success criterion, and an empty answer would give its side away.

Among the pairs stand checks, whose right answer is known (`review.checks`): they measure who judges, and are no
evidence.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.io.whole_files import write_whole


@dataclass(frozen=True)
class Item:
    """One pair, as a reviewer sees it, with the key to its sides."""

    number: int
    comparison_id: str
    language: str
    category: str
    context: str
    """What the models saw before the question, the system prompt included."""
    question: str
    answer_a: str
    answer_b: str
    candidate: str
    """The key: `A` or `B`."""


IDENTICAL, OTHER, CUT = "identical", "other question", "cut off"
_CHECK = "check-"


def check_id(number: int) -> str:
    """What stands for a comparison's id in the check with that number: none of the log has such a one."""
    return f"{_CHECK}{number}"


def is_check(comparison_id: str) -> bool:
    """Whether that is the id of a check."""
    return comparison_id.startswith(_CHECK)


@dataclass(frozen=True)
class Check:
    """A pair whose right answer is known, and which a reviewer cannot tell from the others."""

    item: Item
    """Its `comparison_id` is none of the log's; `candidate` is the side that is known to be worse."""
    kind: str
    """IDENTICAL: both sides are one answer. OTHER, CUT: one side answers another question, or stops halfway."""
    sources: tuple[str, ...]
    """The comparisons that its texts are taken from."""


@dataclass(frozen=True)
class Sample:
    """A drawn sample."""

    epoch: str
    until: str
    """Last UTC day that was drawn from, YYYY-MM-DD."""
    seed: int
    asked: int
    """How many pairs were asked for; with fewer users the sample is smaller."""
    items: tuple[Item, ...]
    """The pairs that are evidence, in the order in which they are to be judged; their numbers leave out the checks'."""
    checks: tuple[Check, ...] = ()
    exclude: tuple[str, ...] = ()
    """The parts that `rollout.exclude` left out when it was drawn."""
    beside: tuple[Item, ...] = ()
    """More pairs of slices that are worse (`stage=slices`): shown behind the others, and no evidence of the whole."""

    @cached_property
    def hash(self) -> str:
        """Identifies the sample: 16 hex digits over all that was drawn, texts, sides and checks included."""
        content = json.dumps(self.content(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @cached_property
    def shown(self) -> tuple[Item, ...]:
        """Pairs, checks and what stands beside, as a reviewer meets them."""
        hidden = (check.item for check in self.checks)
        return tuple(sorted((*self.items, *hidden, *self.beside), key=lambda item: item.number))

    def content(self) -> dict[str, Any]:
        """What is written and hashed; a sample without what came later has the hash it had before that came."""
        content = asdict(self)
        return {name: value for name, value in content.items() if value or name not in ("checks", "exclude", "beside")}


def frame(rows: Sequence[Mapping[str, Any]], seed: int) -> list[Mapping[str, Any]]:
    """One row per user, users in the order of a lot: what a sample is drawn from, and what a judge should see first.

    Rows have `user` and `comparison_id`. The same rows in any order give the same frame.
    """
    picked: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: _lot(seed, "comparison", row["comparison_id"])):
        picked.setdefault(row["user"], row)
    # a lot of its own for the user: whoever sent many requests holds the lowest lot among requests
    return sorted(picked.values(), key=lambda row: _lot(seed, "user", row["user"]))


def draw(rows: Sequence[Mapping[str, Any]], size: int, seed: int) -> list[Mapping[str, Any]]:
    """At most one row per user, `size` in all, proportional over language and category, in a shuffled order.

    Rows have `user`, `comparison_id`, `language`, `category`. The same rows in any order give the same sample.
    """
    strata: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in frame(rows, seed):
        strata.setdefault((row["language"], row["category"]), []).append(row)
    shares = allocate({stratum: len(members) for stratum, members in strata.items()}, size)
    chosen = [row for stratum in sorted(strata) for row in strata[stratum][: shares[stratum]]]
    random.Random(f"{seed}:order").shuffle(chosen)  # noqa: S311  # an order, not a secret
    return chosen


def _lot(seed: int, kind: str, name: str) -> str:
    return hashlib.sha256(f"{seed}:{kind}:{name}".encode()).hexdigest()


def allocate(sizes: Mapping[tuple[str, str], int], total: int) -> dict[tuple[str, str], int]:
    """Share `total` out in proportion to `sizes` by largest remainders, never more than a stratum holds."""
    everyone = sum(sizes.values())
    total = min(total, everyone)
    exact = {stratum: total * size / everyone for stratum, size in sizes.items()} if everyone else {}
    shares = {stratum: int(share) for stratum, share in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[: total - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def blinded(rows: Sequence[Mapping[str, Any]], seed: int) -> tuple[Item, ...]:
    """The rows as items: sides shuffled by the seed, both answers with the same outward form."""
    coins = random.Random(f"{seed}:sides")  # noqa: S311  # reproducible on purpose; the key is kept apart
    items = []
    for number, row in enumerate(rows, 1):
        answers = {"candidate": row["candidate_response"].strip(), "primary": row["primary_response"].strip()}
        candidate = coins.choice("AB")
        first, second = ("candidate", "primary") if candidate == "A" else ("primary", "candidate")
        question = (row["query"] or "").strip()
        seen = (row["comparison_id"], row["language"], row["category"], context_of(row["messages"]), question)
        items.append(Item(number, *seen, answers[first], answers[second], candidate))
    return tuple(items)


def context_of(messages: str | None) -> str:
    """What the models saw before the question, one line per message: the prompt, what is remembered, the history."""
    try:
        said = json.loads(messages or "[]")
    except ValueError:
        return ""
    earlier = [message for message in said[:-1] if isinstance(message, dict)]
    return "\n".join(f"{message.get('role')}: {message.get('content')}" for message in earlier)


def save(sample: Sample, path: Path) -> None:
    """Write the sample with its hash."""
    write_whole(path, json.dumps({"hash": sample.hash, **sample.content()}, ensure_ascii=False).encode())


def load(path: Path) -> Sample:
    """The saved sample. Raises MissingInputError without one, ZantaraError when it was changed after the draw."""
    if not path.is_file():
        raise MissingInputError("no sample has been drawn for review", command("stage=review"))
    changed = ZantaraError(
        f"{path.name} was changed after it was drawn: what was judged is no longer known, so it is no evidence",
        command("stage=review", "force=true", note="draws another sample"),
    )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        written = content.pop("hash")
        items = tuple(Item(**item) for item in content.pop("items"))
        checks = tuple(map(_check, content.pop("checks", ())))
        beside = tuple(Item(**item) for item in content.pop("beside", ()))
        left_out = tuple(content.pop("exclude", ()))
        sample = Sample(**content, items=items, checks=checks, exclude=left_out, beside=beside)
    except (ValueError, KeyError, TypeError) as error:
        raise changed from error
    if sample.hash != written:
        raise changed
    return sample


def _check(content: Mapping[str, Any]) -> Check:
    return Check(Item(**content["item"]), content["kind"], tuple(content["sources"]))
