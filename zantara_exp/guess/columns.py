"""Which column, or key of a JSON column, holds which fact: by usual names, by types, and by what stands in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import NamedTuple

import orjson

from zantara_exp.dataset.exports import moment_of
from zantara_exp.guess.speakers import Turns, who_takes_turns

_TIMES = ("timestamp with time zone", "timestamp without time zone")
_WHOLE = ("integer", "bigint", "smallint")
_NAMES: Mapping[str, Sequence[str]] = {
    "id": ("id", "conversation_id", "chat_id", "uuid"),
    "user": ("user_id", "user", "customer_id", "customer", "account_id", "uid", "member_id", "owner_id"),
    "session": ("session_id", "session", "thread_id"),
    "created_at": ("created_at", "timestamp", "created", "at", "time", "started_at", "date"),
    "model": ("ai_model_used", "model", "model_name", "llm", "engine"),
    "rating": ("rating", "stars", "score", "feedback"),
    "language": ("language", "lang", "locale"),
    "tokens_input": ("tokens_input", "input_tokens", "prompt_tokens", "tokens_in"),
    "tokens_output": ("tokens_output", "output_tokens", "completion_tokens", "tokens_out"),
    "latency_ms": ("latency_ms", "latency", "duration_ms"),
    "position": ("position", "turn", "turn_no", "seq", "sequence", "message_no"),
}
"""What columns and keys of JSON are usually called, the likeliest first."""
_MODEL = re.compile(r"claude|haiku|sonnet|opus|gpt|gemini|llama|mistral|mixtral|qwen|deepseek|command-r", re.IGNORECASE)
_NAMES_SOMEBODY = re.compile(
    r"(?:^|_)(?:id|nr|no|num|number|code|ref|uid|uuid|key|hash)$|[a-z](?:Id|Nr|No)$", re.IGNORECASE
)
_DELETED = re.compile(
    r"delet|remov|trash|verwijder|gewist|usuni|skasowan|gel(?:ö|oe)scht|supprim|effac|borrad|elimin|cancellat|excluid"
    r"|apagad|dihapus|terhapus|slettet|raderad|borttagen|poistettu|smazan|törölt|torolt|sters|удал|видал",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"[a-z]{2}")
_STARS = {"1", "2", "3", "4", "5"}
_FEWEST_USERS = 3
_MOST_REPEATED = 0.95
"""A column that names users repeats values: beyond this share of different ones it names rows."""


@dataclass
class Rows:
    """The newest rows of a table, as text, with a column of their own for each key of a JSON column."""

    types: Mapping[str, str]
    """Of the table's columns."""
    values: Mapping[str, Sequence[str | None]]
    """By column, and by JSON path such as `metadata.model`."""
    indexed: frozenset[str] = frozenset()
    """Columns of a foreign key or of an index, other than the primary key."""
    taken: set[str] = field(default_factory=set)
    """What holds a fact already."""

    @classmethod
    def of(cls, types: Mapping[str, str], rows: Sequence[Sequence[str | None]], indexed: Iterable[str] = ()) -> Rows:
        """`rows` hold the columns in the order of `types`."""
        values: dict[str, Sequence[str | None]] = {
            column: [row[place] for row in rows] for place, column in enumerate(types)
        }
        for column in [name for name, kind in types.items() if kind in ("json", "jsonb")]:
            values |= _keys(column, values[column])
        return cls(types, values, frozenset(indexed))

    @property
    def count(self) -> int:
        """How many rows."""
        return len(next(iter(self.values.values()), ()))

    def left(self, *kinds: str) -> list[str]:
        """Columns that hold no fact yet; of these types, where some are named."""
        return [name for name in self.types if name not in self.taken and (not kinds or self.types[name] in kinds)]

    def everywhere(self) -> list[str]:
        """Columns and JSON paths that hold no fact yet, of no list of messages."""
        free = (name for name in self.values if self.types.get(name) not in ("json", "jsonb"))
        return [name for name in free if name not in self.taken and name.partition(".")[0] not in self.taken]

    def said(self, name: str) -> list[str]:
        """The values that there are."""
        return [value for value in self.values[name] if value not in (None, "")]

    def named(self, fact: str, names: Iterable[str]) -> str:
        """The one whose name, or last part of it, is usual for a fact; empty where none is."""
        wanted = _NAMES.get(fact, ())
        last = {name: name.rpartition(".")[2].lower() for name in names}
        fitting = [name for name, part in last.items() if part in wanted]
        return min(fitting, key=lambda name: ("." in name, wanted.index(last[name]), name), default="")


def _keys(column: str, values: Sequence[str | None]) -> dict[str, list[str | None]]:
    """The values of each key of the objects in a JSON column, by path."""
    found: dict[str, list[str | None]] = {}
    for place, value in enumerate(values):
        if not value or not value.lstrip().startswith("{"):
            continue
        try:
            parsed = orjson.loads(value)
        except ValueError:
            continue
        for key, each in parsed.items():
            if isinstance(each, str | int | float) and "." not in key:
                path = found.setdefault(f"{column}.{key}", [None] * len(values))
                path[place] = str(each)
    return found


def time_of(rows: Rows) -> str:
    """When a row was written: of several times the one that every row has, and the earliest of these."""
    times = rows.left(*_TIMES)
    whole = [name for name in times if len(rows.said(name)) == rows.count]
    found = rows.named("created_at", whole) or min(whole, key=lambda name: sorted(rows.said(name))[:1], default="")
    if found or times:
        return found or rows.named("created_at", times) or times[0]
    return next(
        (name for name in rows.left("text", "character varying", "bigint", "date") if _are_times(rows, name)), ""
    )


def _are_times(rows: Rows, name: str) -> bool:
    said = rows.said(name)
    return len(said) == rows.count and all((at := moment_of(each)) is not None and at.year > 2000 for each in said)


def id_of(rows: Rows) -> str:
    """A column with another value in every row."""
    different = [name for name in rows.left() if rows.types[name] not in _TIMES and _differs(rows, name)]
    return rows.named("id", rows.left()) or next(iter(different), "")


def _differs(rows: Rows, name: str) -> bool:
    said = rows.said(name)
    return len(said) == rows.count == len(set(said)) and not any(" " in each for each in said[:20])


def user_of(rows: Rows) -> str:
    """A column whose values repeat over rows and name somebody; a session is finer than its user, and not taken."""
    if found := rows.named("user", rows.everywhere()):
        return found
    likely = [name for name in rows.everywhere() if _may_name_somebody(rows, name)]
    return max(likely, key=lambda name: (name in rows.indexed, "." not in name, len(set(rows.said(name)))), default="")


def _may_name_somebody(rows: Rows, name: str) -> bool:
    kind, said = rows.types.get(name, "json"), rows.said(name)
    different = len(set(said))
    if not _FEWEST_USERS <= different <= _MOST_REPEATED * len(said) or len(said) < rows.count / 2:
        return False
    if kind in _WHOLE:
        return name in rows.indexed or _NAMES_SOMEBODY.search(name) is not None
    if kind == "json" and (all(map(_is_number, said)) and not _NAMES_SOMEBODY.search(name)):
        return False
    if kind not in ("text", "character varying", "character", "uuid", "json"):
        return False
    return (
        not any(" " in each or len(each) > 80 for each in said) and not _are_languages(said) and not _are_models(said)
    )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).lstrip("-").isdecimal()


def _are_languages(said: Sequence[str]) -> bool:
    different = set(said)
    return 0 < len(different) <= 25 and all(map(_LANGUAGE.fullmatch, different)) and different <= _languages()


@cache
def _languages() -> frozenset[str]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return frozenset(LanguageIdentifier.from_model_file(MODEL_FILE).labels)


def _are_models(said: Sequence[str]) -> bool:
    return bool(said) and sum(_MODEL.search(each) is not None for each in said) > len(said) / 2


def _are_stars(said: Sequence[str], rows: Rows) -> bool:
    """From 1 to 5, three of them at least, and not in every row: a mark that users may give."""
    different = {each.removesuffix(".0") for each in said}
    return different <= _STARS and len(different) > 2 and len(said) < rows.count


def others_of(rows: Rows) -> dict[str, str]:
    """Model, rating, language, tokens, latency and session; "" for what is not found."""
    found = {}
    for fact in ("model", "rating", "language", "tokens_input", "tokens_output", "latency_ms", "session"):
        found[fact] = rows.named(fact, rows.everywhere())
        rows.taken |= {found[fact]} - {""}
    for name in rows.everywhere():
        said = rows.said(name)
        told = {"language": _are_languages(said), "model": _are_models(said), "rating": _are_stars(said, rows)}
        fact = next((fact for fact, fits in told.items() if fits and not found[fact]), "")
        if fact:
            found[fact] = name
            rows.taken.add(name)
    return found


def where_of(rows: Rows) -> str:
    """The condition that leaves out rows which are marked as deleted; "" where no column is named like that."""
    conditions = []
    for name in rows.left("boolean", *_TIMES):
        if _DELETED.search(name):
            quoted = name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'
            conditions.append(f"{quoted} is not true" if rows.types[name] == "boolean" else f"{quoted} is null")
            rows.taken.add(name)
    return " and ".join(conditions)


class ByMessage(NamedTuple):
    """Where a table with one row per message keeps what."""

    session: str
    role: str
    content: str
    position: str
    """What orders the messages; "" where their times do."""
    turns: Turns


def by_message(rows: Rows) -> ByMessage | None:
    """What a table with one row per message keeps where; None where it seems to be none.

    Rows of one value of a column are a conversation where two names take turns in another.
    """
    texts = {name: _words_of(rows.said(name)) for name in rows.left("text", "character varying")}
    content = max(texts, key=lambda name: texts[name], default="")
    if not content or texts[content] < 2:
        return None
    kept = [name for name in rows.left() if name != content and rows.types[name] not in (*_TIMES, "json", "jsonb")]
    roles = [name for name in kept if 2 <= len(set(rows.said(name))) <= 6 and len(rows.said(name)) > 0.9 * rows.count]
    orders = ["", *(name for name in kept if rows.types[name] in _WHOLE)]
    best: tuple[tuple[float, int, bool], ByMessage] | None = None
    for session in kept:
        groups = Counter(rows.said(session))
        if len(groups) < 2 or sum(size > 1 for size in groups.values()) < 0.6 * len(groups):
            continue
        for role, order in product(roles, orders):
            turns = None if session in (role, order) else who_takes_turns(_spoken(rows, session, role, order))
            if turns is None:
                continue
            this = (round(turns.share, 1), len(groups), not order), ByMessage(session, role, content, order, turns)
            best = this if best is None or this[0] > best[0] else best
    return best[1] if best else None


def in_order(rows: Rows, session: str, order: str) -> list[list[int]]:
    """The places of the rows of each conversation, the first message first; `rows` hold the newest first."""
    chats: dict[str, list[int]] = {}
    for place in range(rows.count - 1, -1, -1):
        if (key := rows.values[session][place]) is not None:
            chats.setdefault(key, []).append(place)
    if order:
        for places in chats.values():
            places.sort(key=lambda place: int(rows.values[order][place] or 0))
    return list(chats.values())


def _spoken(rows: Rows, session: str, role: str, order: str) -> list[list[str]]:
    """Who spoke, conversation by conversation; names in small letters."""
    names = [(name or "").strip().casefold() for name in rows.values[role]]
    return [[names[place] for place in chat if names[place]] for chat in in_order(rows, session, order)]


def _words_of(said: Sequence[str]) -> float:
    return sum(len(each.split()) for each in said) / len(said) if said else 0
