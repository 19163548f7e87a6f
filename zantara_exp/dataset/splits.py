"""Which user's examples are for training, validation or test.

`splits.json` holds `{"version": 1, "users": {"<hashed user>": "train" | "val" | "test"}}`. A user in it never
changes the split; a new user joins the split that lacks users most. Users whose chats a review or judge has looked at
(`reviewed.jsonl`) never join test: the model may learn from them, so they must not measure the next one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import orjson

from zantara_exp.config.data import Splits
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.dataset import records
from zantara_exp.dataset.duplicates import draw
from zantara_exp.dataset.selection import cell_of, name_of

NAMES = ("train", "val", "test")
VERSION = 1


def known_users(layout: Layout) -> dict[str, str]:
    """User -> split of all users placed so far; none where there is no file yet.

    Raises ZantaraError where the file cannot be read.
    """
    if not layout.splits.exists():
        return {}
    try:
        users = orjson.loads(layout.splits.read_bytes())["users"]
        wrong = {split for split in users.values() if split not in NAMES}
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ZantaraError(
            f"{layout.splits} is no record of splits: {broken}", "restore it, or remove it to place every user anew"
        ) from broken
    if wrong:
        raise ZantaraError(f"{layout.splits} names no such splits as {', '.join(map(str, wrong))}", "restore it")
    return dict(users)


def reviewed_users(layout: Layout) -> set[str]:
    """Users whose chats people or a judge looked at; none where nobody did. Raises ZantaraError at a broken line."""
    if not layout.reviewed.is_file():
        return set()
    try:
        return {str(orjson.loads(line)["user"]) for line in layout.reviewed.read_bytes().splitlines() if line.strip()}
    except (ValueError, KeyError, TypeError) as broken:
        raise ZantaraError(
            f"{layout.reviewed} is no list of users: {type(broken).__name__}: {broken}",
            command("stage=next", note="once that file is removed: it is written anew"),
        ) from broken


def held_out_users(layout: Layout) -> set[str]:
    """Users no example of whom was trained on: those of validation and test.

    Raises MissingInputError before stage `prepare` has run.
    """
    if not layout.splits.exists():
        raise MissingInputError(f"{layout.splits} is not there: stage=prepare writes it", command("stage=prepare"))
    return {user for user, split in known_users(layout).items() if split != "train"}


def save(layout: Layout, users: Mapping[str, str]) -> None:
    """Write who is where."""
    records.write_json(layout.splits, {"version": VERSION, "users": dict(sorted(users.items()))})


def place(
    examples: Sequence[records.Record],
    known: Mapping[str, str],
    splits: Splits,
    seed: int,
    never_test: Collection[str] = (),
) -> dict[str, str]:
    """Return user -> split for the users of `examples` and all known ones; of `never_test` nobody comes into test.

    Greedy: the users with most examples first, each to the split that lacks most of what he brings. What a split
    lacks is counted per language and category, so that all splits get the same mix. Users with as many examples are
    drawn by their first conversation, not by their name, which is a hash: another key gives the same splits.
    """
    brings: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, str] = {}
    for example in examples:
        user, name = example["user"], name_of(example)
        first[user] = min(name, first.get(user, name))
        brings[user]["/".join(cell_of(example))] += 1
    wanted = {"train": splits.train, "val": splits.val, "test": splits.test}
    total: Counter[str] = sum(brings.values(), Counter())
    have: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
    for user, mix in brings.items():
        if user in known:
            have[known[user]].update(mix)
    placed = dict(known)
    fresh = sorted(brings.keys() - known.keys(), key=lambda user: (-brings[user].total(), draw(seed, first[user])))
    for user in fresh:
        open_to = [name for name in NAMES if name != "test" or user not in never_test]
        placed[user] = max(open_to, key=lambda name: _lack(brings[user], have[name], total, wanted[name]))
        have[placed[user]].update(brings[user])
    return placed


def _lack(mix: Mapping[str, int], have: Mapping[str, int], total: Counter[str], share: float) -> float:
    """How much of what a user brings the split lacks, relative to the split's size; below zero where it is full."""
    size = share * total.total()
    overall = 1 - (sum(have.values()) + sum(mix.values())) / size
    strata = sum(
        count * (1 - (have.get(stratum, 0) + count) / (share * total[stratum])) for stratum, count in mix.items()
    ) / sum(mix.values())
    return 2 * overall + strata
