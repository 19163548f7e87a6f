"""Joins records of an export that make a conversation only together.

These are the request of a batch and its answer (`custom_id`), a generation and its trace (Langfuse), and messages of a
conversation that are one record each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from zantara_exp.config.data import Columns
from zantara_exp.dataset.chat_items import USER, names_of
from zantara_exp.dataset.exports import CONVERSATION, Line, at, holds_chat, line_of, moment_of, read, said_of
from zantara_exp.dataset.messages import Unreadable
from zantara_exp.dataset.request_response import LISTS

_NEVER = datetime.min.replace(tzinfo=UTC)
_ROLE = ("role", "sender", "from", "author", "speaker")
_CONTENT = ("content", "text", "message", "body", "value", "parts")
_TRACE = ("traceId", "trace_id")
_REQUEST, _ANSWER = ("body", "params"), ("response", "result", "error")
_USER = names_of(USER, {})


class _Message(NamedTuple):
    """One message of a conversation that stands in a record of its own."""

    order: tuple[Any, ...]
    role: Any
    item: Any
    """What is read as the message."""
    facts: Mapping[str, Any]
    trace: str = ""


class Joined:
    """Learns all records of an export, then says what conversation each of them is."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._requests: dict[str, Mapping[str, Any]] = {}
        self._answered: set[str] = set()
        self._traces: dict[str, Mapping[str, Any]] = {}
        self._last: dict[str, tuple[datetime, str]] = {}
        """Trace -> when its last generation began, and where that stands."""
        self._chats: dict[str, list[_Message]] = defaultdict(list)
        self.left: Counter[str] = Counter()
        """Records that are no conversations of their own, by what they are."""

    def learn(self, record: object, place: str) -> None:
        """Remember what other records need of this one."""
        if not isinstance(record, Mapping):
            return
        if _is_trace(record):
            self._traces[str(record["id"])] = {key: record[key] for key in record if key not in ("input", "output")}
        if messages := self._messages(record):
            for name, message in messages:
                self._chats[name].append(message)
        elif asked := str(record.get("custom_id") or ""):
            if any(key in record for key in _ANSWER):
                self._answered.add(asked)
            else:
                self._requests[asked] = record
        elif trace := _trace_of(record):
            if _is_generation(record):
                begun = moment_of(said_of(record)["created_at"]) or _NEVER
                self._last[trace] = max(self._last.get(trace, (_NEVER, "")), (begun, place))
            else:
                self.left["observations other than generations"] += 1

    def ready(self) -> None:
        """To be called when all was learnt."""
        for name, messages in list(self._chats.items()):  # a trace says no more than its generations
            self._chats[name] = [message for message in messages if message.trace not in self._last]
            if not self._chats[name]:
                del self._chats[name]
        self.left["requests without an answer"] += len(self._requests.keys() - self._answered)
        self.left = +self.left

    @property
    def any(self) -> bool:
        """Whether a record that was learnt is a part of a conversation, rather than a whole one."""
        return bool(self._requests or self._answered or self._last or self._chats or self.left)

    def line(self, record: object, place: str) -> Line | None:
        """The conversation that a record is; None where it is part of another one's."""
        if not isinstance(record, Mapping):
            reason = record if isinstance(record, Unreadable) else Unreadable("not_a_message")
            return Line(reason, place=place)
        if self._messages(record):
            return None
        if name := str(record.get("custom_id") or ""):
            return self._answer(record, name, place)
        if trace := _trace_of(record):
            if not _is_generation(record) or self._last[trace][1] != place:
                return None
            record = {**self._traces.get(trace, {}), **_given(record)}
        elif _is_trace(record):
            if str(record["id"]) in self._last:
                return None
            record = _with_generation(record)
        if not holds_chat(record, self._columns):
            return Line(Unreadable("no_messages"), said_of(record, self._columns), place=place)
        return line_of(record, self._columns, place)

    def chats(self) -> Iterator[Line]:
        """The conversations whose messages stood in records of their own."""
        for name, found in self._chats.items():
            messages = sorted(found, key=lambda message: message.order)
            chat = [message.item for message in messages]
            facts = dict.fromkeys(messages[0].facts)
            for message in messages:
                facts |= {key: value for key, value in message.facts.items() if value is not None}
            users = [message.facts["user_id"] for message in messages if str(message.role).casefold() in _USER]
            named = next(filter(None, users), facts["user_id"])
            yield Line(chat, facts | {"id": name, "session_id": name, "user_id": named})

    def _answer(self, record: Mapping[str, Any], name: str, place: str) -> Line | None:
        """The answer of a batch with its request."""
        if not any(key in record for key in _ANSWER):
            return None
        request = self._requests.get(name)
        if request is None:
            return Line(Unreadable("no_question"), said_of(record, self._columns), place=place)
        asked: Any = next((request[key] for key in _REQUEST if key in request), {})
        said = next((record[key] for key in _ANSWER if record.get(key)), None)
        return line_of({**record, "request": asked, "response": said}, self._columns, place)

    def _messages(self, record: Mapping[str, Any]) -> list[tuple[str, _Message]]:
        """The messages that a record is, each with the conversation it is of; none where it is something else."""
        columns = self._columns
        if columns.by_message:
            name, role, content = (at(record, path) for path in (columns.session, columns.role, columns.content))
        elif any(key in record for key in LISTS):
            return []
        else:
            name, role, content = (_first(record, names) for names in (CONVERSATION, _ROLE, _CONTENT))
        if name is None:
            return []
        facts = said_of(record, columns)
        position = at(record, columns.position) if columns.position else 0
        order = _sortable(position), moment_of(facts["created_at"]) or _NEVER, len(self._chats.get(str(name), ()))
        content = read(content) if role is None else content
        if role is None and isinstance(content, Mapping) and {"role", "type"} & content.keys():
            return [(str(name), _Message((*order, 0), content.get("role") or content.get("type"), content, facts))]
        if role is not None and (content is not None or columns.by_message):
            return [(str(name), _Message((*order, 0), role, {"role": role, "content": content}, facts))]
        said = [read(record.get(side)) for side in ("input", "output")]
        if _is_trace(record) and all(isinstance(text, str) for text in said):
            trace, both = str(record["id"]), enumerate(zip(("user", "assistant"), said, strict=True))
            return [
                (str(name), _Message((*order, at), role, {"role": role, "content": text}, facts, trace))
                for at, (role, text) in both
            ]
        return []


def _sortable(position: object) -> tuple[float, str]:
    """A position that sorts beside any other: numbers first, by size."""
    try:
        number = float(str(position))
    except ValueError:
        return float("inf"), str(position)
    return (number, "") if number == number else (float("inf"), "")


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def _trace_of(record: Mapping[str, Any]) -> str:
    return next((str(record[name]) for name in _TRACE if record.get(name)), "")


def _is_generation(record: Mapping[str, Any]) -> bool:
    """Whether an observation of Langfuse is a call of a model that was answered."""
    return str(record.get("type", "GENERATION")).upper() == "GENERATION" and bool(record.get("output"))


def _is_trace(record: Mapping[str, Any]) -> bool:
    named = "id" in record and ("input" in record or "observations" in record)
    return named and bool({"sessionId", "session_id", "userId", "user_id", "timestamp", "observations"} & record.keys())


def _with_generation(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    """A trace; where its observations stand in it, with what its last generation was asked and answered."""
    nested = trace.get("observations")
    each_of = nested if isinstance(nested, list) else []
    found = [each for each in each_of if isinstance(each, Mapping) and _is_generation(each)]
    if not found:
        return trace
    last = max(found, key=lambda each: moment_of(said_of(each)["created_at"]) or _NEVER)
    return {**last, **{key: value for key, value in _given(trace).items() if key not in ("input", "output")}}


def _given(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}
