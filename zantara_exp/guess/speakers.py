"""Who speaks in the chats of a column: the usual names of roles, or two of the product's own that take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from zantara_exp.dataset.chat_items import ASSISTANT, SYSTEM, USER, NotSaidError, names_of, said_by, speakers_of
from zantara_exp.dataset.messages import USUAL_KEYS, Keys, Malformed, Message, parse_json, parse_messages
from zantara_exp.dataset.request_response import NoChatError, items_of

TURNS = 0.7
"""Share of the neighbouring messages from which two names are said to take turns."""


class Turns(NamedTuple):
    """Two names that take turns."""

    user: str
    assistant: str
    share: float
    """Of the neighbouring messages, how many are by different ones."""

    @property
    def own(self) -> dict[str, str]:
        """Those of the names that only this product uses -> role."""
        named = {self.user: USER, self.assistant: ASSISTANT}
        return {name: role for name, role in named.items() if name not in names_of(role, {})}


def who_takes_turns(chats: Iterable[Sequence[str]]) -> Turns | None:
    """The two names that have the last words of most chats, and which of them asks; None where they take no turns.

    The one that more chats end with answers, because chats are kept for their answers.
    """
    chats = [chat for chat in chats if len(chat) > 1]
    last = Counter(frozenset(chat[-2:]) for chat in chats)
    two = max((pair for pair in last if len(pair) == 2), key=lambda pair: (last[pair], sorted(pair)), default=None)
    if two is None:
        return None
    pairs = [pair for chat in chats for pair in pairwise(name for name in chat if name in two)]
    share = sum(first != second for first, second in pairs) / len(pairs)
    if share < TURNS:
        return None
    ends = Counter(dict.fromkeys(two, 0))
    for chat in chats:
        if spoken := [name for name in chat if name in two]:
            ends[spoken[-1]] += 2  # who greets first, and ends as well, answers
            ends[spoken[0]] -= 1
    known = {name: role for role in (USER, ASSISTANT) for name in two if name in names_of(role, {})}
    assistant, user = sorted(two, key=lambda name: (_order(known.get(name, "")), ends[name], name), reverse=True)
    return Turns(user, assistant, share)


def _order(role: str) -> int:
    return {USER: -1, ASSISTANT: 1}.get(role, 0)


class Speech(NamedTuple):
    """How a column's chats name who speaks."""

    roles: Mapping[str, str]
    """The product's own names -> role; empty where all are known, or no two take turns."""
    keys: Keys = USUAL_KEYS
    """Names of its own for role and text within a message."""


def speech_of(values: Iterable[str | None]) -> Speech:
    """How the chats of a column name who speaks."""
    listed = [items for value in values if (items := _items(value))]
    chats = [list(_names(items)) for items in listed]
    keys = USUAL_KEYS
    if not any(chats):
        keys = _keys(listed)
        chats = [list(_names(map(keys.usual, items))) for items in listed] if keys != USUAL_KEYS else []
    known = {name for role in (USER, ASSISTANT, SYSTEM, "tool") for name in names_of(role, {})}
    if {name for chat in chats for name in chat} <= known:
        return Speech({}, keys)
    turns = who_takes_turns(chats)
    if turns is None or not turns.own:
        return Speech({}, keys)
    others = {name for chat in chats for name in chat} - known - {turns.user, turns.assistant}
    first = {name for name in others if all(name not in chat[1:] for chat in chats)}
    return Speech(turns.own | dict.fromkeys(first, SYSTEM), keys)  # what only ever stands first is a prompt


def chat_of(value: object, speech: Speech) -> list[Message]:
    """What both said; nothing where it is no chat of two."""
    try:
        found = parse_messages(value, speech.roles, keys=speech.keys)
    except Malformed:
        return []
    return found if {USER, ASSISTANT} <= {each["role"] for each in found} else []


def _items(value: str | None) -> list[Any]:
    """The messages of a text that may be a JSON list of them."""
    if not value or value.lstrip()[:1] not in ("[", "{", '"'):
        return []
    try:
        parsed: Any = parse_json(value)
        parsed = parse_json(parsed) if isinstance(parsed, str) and parsed else parsed
        return items_of(parsed)
    except (ValueError, RecursionError, NoChatError):
        return []


def _names(items: Iterable[object]) -> Iterator[str]:
    """Who speaks, message by message."""
    for item in items:
        try:
            names = speakers_of(item)
            if names and said_by(item, {names[0]: USER}).text:
                yield names[0]
        except NotSaidError:
            continue


def _keys(listed: Sequence[Sequence[Any]]) -> Keys:
    """The key of the longest texts, and one of two names that take turns; the usual ones where there are none."""
    chats = [[item for item in items if isinstance(item, Mapping)] for items in listed]
    total = sum(map(len, chats))
    words, names = Counter[str](), Counter[str]()
    for item in (item for chat in chats for item in chat):
        words.update({key: len(text.split()) for key, text in item.items() if isinstance(text, str)})
        names.update(key for key, name in item.items() if isinstance(name, str | bool | int))
    text = max(words, key=lambda key: words[key], default="")
    if not total or words[text] < 2 * total:
        return USUAL_KEYS
    found = {}
    for key in (key for key, count in names.items() if key != text and count == total):
        if turns := who_takes_turns([[str(item[key]).strip().casefold() for item in chat] for chat in chats]):
            found[key] = turns.share
    return Keys(max(found, key=lambda key: found[key]), text) if found else USUAL_KEYS
