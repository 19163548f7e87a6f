"""`primary=replay`: the primary's recorded answers as requests for the candidate.

An assistant turn of a conversation is one request: the turns before it are the history, its text is the primary's
answer. A database row has tokens and latency once, and they are taken to be those of its last answer. So only the last
answer is a complete comparison and is replayed; `primary.every_turn` adds the others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Message
from zantara_exp.shadow.record import REPLAY, Scope, Side
from zantara_exp.traffic.movable import Asked, Movable

RECORDED_ERROR = "recorded_error"


@dataclass(frozen=True)
class Request:
    """One request that the primary has answered."""

    request_id: str
    conversation_id: str
    timestamp: datetime
    user: str
    messages: Sequence[Message]
    """System prompt, history and the question."""
    category: str | None
    language: str | None
    primary: Side
    scope: Scope = Scope()
    attempt: int = 1
    trace_id: str | None = None


class Replay:
    """Recorded conversations, read as requests."""

    def __init__(
        self,
        path: Path,
        users: Collection[str] | None,
        system_prompt: str,
        error_patterns: Sequence[str],
        movable: Movable,
        every_turn: bool = False,
    ) -> None:
        """`users`: whose conversations to replay, None for all; `every_turn`: all answers, not only the last."""
        self._movable = movable
        self._path, self._users, self._system, self._every_turn = path, users, system_prompt, every_turn
        self._errors = [re.compile(pattern, re.IGNORECASE) for pattern in error_patterns]
        self.skipped = 0
        """Assistant turns that answer no user turn, such as a welcome that opens a conversation."""

    def requests(self) -> list[Request]:
        """All requests, oldest first. Raises MissingInputError, or ZantaraError naming a line that is no chat."""
        self.skipped = 0
        found = [request for requests in self._by_row() for request in requests]
        return sorted(found, key=lambda request: (request.timestamp, request.request_id))

    def _by_row(self) -> Iterator[list[Request]]:
        if not self._path.is_file():
            raise MissingInputError(f"{self._path} is not there", hint=command("stage=extract"))
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = orjson.loads(line)
                    row["messages"], row["conversation_id"]
                    moment = _moment(row["timestamp"])
                    wanted = self._users is None or row["user"] in self._users
                    requests = list(self._requests_of(row, moment)) if wanted else []
                except (ValueError, OverflowError, KeyError, TypeError, AttributeError) as error:
                    raise ZantaraError(
                        f"{self._path}, line {number}: not a conversation as stage=extract writes them",
                        hint=command("stage=extract", "force=true"),
                    ) from error
                yield requests

    def _requests_of(self, row: Mapping[str, Any], moment: datetime) -> Iterator[Request]:
        facts = row.get("metadata") or {}
        turns: list[Message] = [{"role": turn["role"], "content": turn["content"]} for turn in row["messages"]]
        answered = [i for i, turn in enumerate(turns) if turn["role"] == "assistant"]
        for place, index in enumerate(answered):
            if not self._every_turn and index != answered[-1]:
                continue
            if index == 0 or turns[index - 1]["role"] != "user":
                self.skipped += 1
                continue
            system: Message = {"role": "system", "content": self._system}
            yield Request(
                request_id=f"{row['conversation_id']}:{place}",
                conversation_id=str(row["conversation_id"]),
                timestamp=moment,
                user=str(row["user"]),
                messages=[system, *turns[:index]],
                category=facts.get("category"),
                language=facts.get("language"),
                primary=self._recorded(turns[index]["content"], facts, last=index == answered[-1]),
                scope=self._scope(turns[:index], facts),
            )

    def _scope(self, turns: Sequence[Message], facts: Mapping[str, Any]) -> Scope:
        """The scope, from the chat alone: a database does not keep the request's other fields."""
        asked = Asked(characters=sum(len(turn["content"]) for turn in turns))
        why = self._movable.request(asked) or self._movable.segment(
            facts.get("category"), facts.get("language"), sure=facts.get("sure", True)
        )
        return Scope(not why, why or None)

    def _recorded(self, text: str, facts: Mapping[str, Any], last: bool) -> Side:
        failed = None if text.strip() else "empty_answer"
        if any(pattern.search(text) for pattern in self._errors):
            failed = RECORDED_ERROR
        return Side(
            response=text,
            model=facts.get("model"),
            provider=REPLAY,
            usage=Usage(facts.get("tokens_input"), output=facts.get("tokens_output")) if last else Usage(),
            latency_ms=facts.get("latency_ms") if last else None,
            error=failed,
        )


def _moment(raw: str) -> datetime:
    moment = datetime.fromisoformat(raw)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
