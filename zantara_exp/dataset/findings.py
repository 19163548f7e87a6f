"""Findings of `analyze` across conversations: turns, users, repeated answers, oddities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.dataset.duplicates import words_of_turn
from zantara_exp.dataset.filters import Sifted
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.same_answers import Same, same_answers
from zantara_exp.dataset.selection import Selection
from zantara_exp.dataset.turns import turns_of

FEWEST_USERS = 3
"""One for each split."""
_MOST = 0.5
"""A user who wrote more than this share of the conversations is likely many."""
_ENOUGH = 20
"""Conversations from which on a share of them says something."""
_SHOWN, _CHARACTERS = 5, 200


def across(conversations: Sequence[Record], sifted: Sequence[Sifted], dataset: Dataset) -> dict[str, Any]:
    """`turns`: how many, how many pass, why the others do not, and how many stand in chats of several users, where a
    split by user would let them leak if stage=prepare did not see to it; `same_answers`: the commonest over the cap."""
    selection = Selection(conversations)
    selection.sift(dict(zip((record["conversation_id"] for record in conversations), sifted, strict=True)))
    turns = selection.turns()
    found, most = same_answers(selection.kept, dataset)
    return {
        "turns": turns | {"in chats of several users": _of_several(selection.kept)},
        "same_answers": [_shown(each, turns["kept"], most) for each in found[:_SHOWN]],
    }


def _of_several(conversations: Sequence[Record]) -> int:
    """How many turns stand, word for word, in chats of several users."""
    users: dict[frozenset[str], set[str]] = defaultdict(set)
    count: Counter[frozenset[str]] = Counter()
    for record in conversations:
        for turn in turns_of(record["messages"]):
            words = words_of_turn(turn)
            users[words].add(record["user"])
            count[words] += 1
    return sum(count[words] for words, who in users.items() if len(who) > 1)


def _shown(same: Same, turns: int, most: int) -> dict[str, Any]:
    questions = len(same.places)
    return {
        "answer": same.answer[:_CHARACTERS],
        "questions": questions,
        "share": questions / turns,
        "kept": most,
    }


def findings(conversations: Sequence[Record], facts: Mapping[str, Any]) -> list[str]:
    """What somebody should look at, each in one sentence; no chat is quoted."""
    return list(_findings(conversations, facts))


def _findings(conversations: Sequence[Record], facts: Mapping[str, Any]) -> Iterator[str]:
    total, users = len(conversations), Counter(record["user"] for record in conversations)
    (_, busiest), *_ = users.most_common(1)
    if len(users) < FEWEST_USERS:
        yield few_users(len(users), total)
    elif busiest > _MOST * total and total >= _ENOUGH:
        yield (
            f"one user wrote {busiest / total:.0%} of the conversations: does source.columns.user tell users apart, or "
            "name a guest?"
        )
    if rows := facts["continued"]:
        yield f"{rows} rows hold a part of another row's conversation, which counts once: by its longest row"
    if same := facts["same_answers"]:
        one = same[0]
        yield (
            f"one answer stands under {one['questions']} different questions ({one['share']:.0%} of the turns): "
            f"stage=prepare keeps {one['kept']} of them (dataset.same_answer_share); analysis.html shows it"
        )


def few_users(users: int, conversations: int) -> str:
    """What to say where there are too few users to split by."""
    are = "one user" if users == 1 else f"{users} users"
    return (
        f"all {conversations} conversations are of {are}: splits are by user, so that no one is tested on what he "
        f"trained, and need {FEWEST_USERS} at least"
    )
