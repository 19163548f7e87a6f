"""Makes redacted and labelled conversations of a source's rows, or says why it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.dataset import records
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.language import UNKNOWN, detector
from zantara_exp.dataset.messages import Keys, Malformed, Message, Unreadable, parse_messages
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.dataset.usage import number
from zantara_exp.dataset.user_hash import hash_user, user_of, written_id


class _Chat(NamedTuple):
    """A redacted conversation."""

    messages: list[Message]
    model: str

    @property
    def questions(self) -> list[str]:
        return [each["content"] for each in self.messages if each["role"] == "user"]

    @property
    def whole(self) -> str:
        return "\n".join(each["content"] for each in self.messages)


class RowReader:
    """Turns rows of a database into records of `raw_conversations.jsonl`."""

    def __init__(self, config: Config, key: bytes) -> None:
        self.key = key
        self._detector = detector(config)
        self._classifier = classifier(config)
        self._languages = set(config.dataset.languages)
        self.foreign = Counter[str]()
        """Conversations in a language that is none of these."""
        self.redactor = redactor_of(config.dataset)
        roles = config.source.roles
        keys = Keys(roles.key, roles.text_key)
        self._chat = partial(parse_messages, roles=roles.meant, join=config.dataset.join_turns, keys=keys)

    def read(self, rows: Sequence[dict[str, Any]]) -> list[records.Record | Malformed]:
        """The redacted, labelled conversations; Malformed stands where a row is no chat.

        Many rows at once are labelled in a fraction of the time that they take one by one.
        """
        read = [(row, self._redacted(row)) for row in rows]
        chats = [(row, chat) for row, chat in read if not isinstance(chat, Malformed)]
        languages = self._languages_of([chat for _, chat in chats], [row["language"] for row, _ in chats])
        return [chat if isinstance(chat, Malformed) else self._record(row, chat, next(languages)) for row, chat in read]

    def _redacted(self, row: dict[str, Any]) -> _Chat | Malformed:
        try:
            if isinstance(row["messages"], Unreadable):
                raise Malformed(row["messages"].reason)
            if not row["id"] or not row["user"]:
                raise Malformed("no_id")
            messages = self._chat(row["messages"])
            if not messages:
                raise Malformed("no_messages")
        except Malformed as refused:
            return refused
        redactor = self.redactor.conversation()
        clean: list[Message] = [{"role": each["role"], "content": redactor.text(each["content"])} for each in messages]
        return _Chat(clean, redactor.text(row["model"] or "unknown"))

    def _record(self, row: dict[str, Any], chat: _Chat, language: str) -> records.Record:
        about = self._classifier.conversation(chat.questions)
        metadata = {
            "language": language,
            "category": about.category,
            "sure": about.sure,
            "model": chat.model,
            "rating": number(row["rating"]),
            "tokens_input": _whole(row["tokens_input"]),
            "tokens_output": _whole(row["tokens_output"]),
            "latency_ms": number(row["latency_ms"]),
        }
        moment = datetime.fromisoformat(row["created_at"]).astimezone(UTC)
        return {
            "conversation_id": self.id(row),
            "user": self.user(row),
            "session": hash_user(row["session"], self.key) if row["session"] else None,
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "messages": chat.messages,
            "metadata": metadata,
        }

    def refused(self, row: Mapping[str, Any], reason: str) -> records.Record:
        """The line of the quarantine: what is needed to find the row again, and nothing that it says."""
        named = {"conversation_id": self.id(row), "user": self.user(row)}
        place = {"place": row["place"]} if row.get("place") else {}
        return {**named, "timestamp": row["created_at"], "reason": reason, **place}

    def id(self, row: Mapping[str, Any]) -> str:
        """The conversation's id, hashed where it may tell who it is with; "" where there is none."""
        return written_id(str(row["id"]), str(row["user"] or ""), self.key) if row["id"] else ""

    def user(self, row: Mapping[str, Any]) -> str:
        """See `user_of`."""
        return user_of(row, self.key)

    def _languages_of(self, chats: Sequence[_Chat], noted: Sequence[str | None]) -> Iterator[str]:
        """Of what the user wrote; where that says too little, of the whole chat; at last what the product noted.

        A chat that is as a whole in another language is in none of the product's.
        """
        texts = [text for chat in chats for text in ("\n".join(chat.questions), chat.whole)]
        heard = self._detector.heard(texts)
        for asked, whole, said in zip(heard[::2], heard[1::2], noted, strict=True):
            if whole.foreign:
                self.foreign[whole.foreign] += 1
                yield UNKNOWN
            elif asked.language != UNKNOWN:
                yield asked.language
            elif whole.language != UNKNOWN:
                yield whole.language
            else:
                yield said if said in self._languages else UNKNOWN


def _whole(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else round(value)
