"""Stage `extract`: conversations from the database to `raw_conversations.jsonl`, redacted, hashed and labelled.

Every row that is read is written or quarantined with its reason. Nothing personal reaches the disk: texts are
redacted and user ids hashed before the first write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.dataset import records
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.forgotten import forgotten_users
from zantara_exp.dataset.language import UNKNOWN, detector
from zantara_exp.dataset.messages import Malformed, Message, parse_messages
from zantara_exp.dataset.redact import Redactor
from zantara_exp.dataset.sources import open_source
from zantara_exp.dataset.usage import Conversations, ModelUsage, number
from zantara_exp.dataset.users import hash_key, hash_user, written_id
from zantara_exp.errors import ZantaraError
from zantara_exp.hints import command
from zantara_exp.stage import Context, StageResult, Table

GO_ON, EXTEND = 500, 200
"""The plan's advice: this many conversations are enough; this many are worth waiting a little longer."""


def extract(config: Config, context: Context) -> StageResult:
    """Read the configured period from the database.

    Raises ZantaraError where the database cannot be read or nothing is in scope.
    """
    key = b"" if config.source.stats_only else hash_key(config)
    with open_source(config, context.layout) as source:
        if source.note:
            context.say(source.note)
        usage = [replace(each, model=Redactor().text(each.model)) for each in source.usage()]
        found = sum(each.conversations for each in usage)
        facts = _facts(source, usage, found)
        if not found:
            raise ZantaraError(*_nothing(source))
        if config.source.stats_only:
            return replace(_result(config, facts, usage), not_reusable=True)
        reader = RowReader(config, key, forgotten_users(context.layout, key))
        wanted = min(found, config.source.limit)
        facts |= _written(source, reader, context, wanted) | {"interruptions": source.interruptions}
        if facts["rows_read"] != wanted and not source.interruptions:  # after a cut the snapshot is a newer one
            raise RuntimeError(f"{wanted} conversations in scope, {facts['rows_read']} read")
    records.write_json(context.layout.extract_summary, facts | {"origin": context.origin})
    return replace(_result(config, facts, usage), artifacts=[context.layout.extract_summary])


class RowReader:
    """Turns a database row into a record of `raw_conversations.jsonl`."""

    def __init__(self, config: Config, key: bytes, forgotten: frozenset[str] = frozenset()) -> None:
        self.key = key
        self._forgotten = forgotten
        self._detector = detector(config.dataset)
        self._classifier = classifier(config.dataset)
        self._languages = set(config.dataset.languages)
        self.redactor = Redactor()

    def record(self, row: dict[str, Any]) -> records.Record:
        """Return the redacted, labelled conversation.

        Raises Malformed where the row is no chat.
        """
        if not row["id"] or not row["user"]:
            raise Malformed("no_id")
        redactor = self.redactor.conversation()
        messages = parse_messages(row["messages"])
        if not messages:
            raise Malformed("no_messages")
        clean: list[Message] = [{"role": each["role"], "content": redactor.text(each["content"])} for each in messages]
        questions = [each["content"] for each in clean if each["role"] == "user"]
        metadata = {
            "language": self._language(questions, clean, row["language"]),
            "category": self._classifier.conversation(questions),
            "model": redactor.text(row["model"] or "unknown"),
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
            "messages": clean,
            "metadata": metadata,
        }

    def refuses(self, row: dict[str, Any]) -> bool:
        """Whether the user asked to be forgotten."""
        return bool(self._forgotten) and bool(row["user"]) and self.user(row) in self._forgotten

    def id(self, row: dict[str, Any]) -> str:
        """The conversation's id, hashed where it may tell who it is with; "" where there is none."""
        return written_id(str(row["id"]), str(row["user"] or ""), self.key) if row["id"] else ""

    def user(self, row: dict[str, Any]) -> str:
        """The user's keyed hash; sources that are hashed already say so by `hashed`."""
        return str(row["user"]) if row.get("hashed") else hash_user(str(row["user"]), self.key)

    def _language(self, questions: list[str], messages: list[Message], noted: str | None) -> str:
        """Of what the user wrote; where that says too little, of the whole chat; at last what the product noted."""
        asked = self._detector.detect("\n".join(questions))
        if asked != UNKNOWN:
            return asked
        whole = self._detector.detect("\n".join(each["content"] for each in messages))
        if whole != UNKNOWN:
            return whole
        return noted if noted in self._languages else UNKNOWN


def _whole(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else round(value)


def _written(source: Conversations, reader: RowReader, context: Context, total: int) -> dict[str, Any]:
    """Write both files; return the counts."""
    layout, refused = context.layout, Counter[str]()
    labels: dict[str, Counter[str]] = {"language": Counter(), "category": Counter()}
    users, forgotten = set(), 0
    with (
        records.writer(layout.raw_conversations) as raw,
        records.writer(layout.quarantine) as quarantine,
        context.progress("extract", total) as progress,
    ):
        for row in source.rows():
            progress.advance()
            if reader.refuses(row):  # leaves no trace but the count
                forgotten += 1
                continue
            try:
                record = reader.record(row)
            except Malformed as bad:
                refused[bad.reason] += 1
                quarantine.write(
                    {
                        "conversation_id": reader.id(row),
                        "user": reader.user(row),
                        "timestamp": row["created_at"],
                        "reason": bad.reason,
                    }
                )
                continue
            raw.write(record)
            users.add(record["user"])
            for name, counts in labels.items():
                counts[record["metadata"][name]] += 1
        if refused and not raw.count:  # raised within the writers: the files of an earlier run stay
            raise ZantaraError(*_all_refused(source.config, refused))
        layout.extract_summary.unlink(missing_ok=True)  # no summary of older conversations beside the new ones
    return {
        "rows_read": raw.count + quarantine.count + forgotten,
        "rows_written": raw.count,
        "quarantined": dict(refused.most_common()),
        "redacted": dict(reader.redactor.counts.most_common()),
        "forgotten": forgotten,
        "users": len(users),
        **{name: dict(counts.most_common()) for name, counts in labels.items()},
    }


def _all_refused(config: Config, refused: Counter[str]) -> tuple[str, str]:
    """A mapping that is wrong, rather than a product that never had a chat."""
    columns = config.source.columns
    keys = [f"source.columns.messages={columns.messages}"] if set(refused) - {"no_id"} else []
    if "no_id" in refused:
        keys += [f"source.columns.{name}={getattr(columns, name)}" for name in ("user", "id")]
    where = f"the lines of {config.source.path}" if config.source.kind == "jsonl" else " and ".join(keys)
    return (
        f"none of {refused.total()} conversations can be written: {_listed(dict(refused.most_common()))}; "
        "the files of an earlier run stay as they are",
        f"check {where}",
    )


def _facts(source: Conversations, usage: Sequence[ModelUsage], found: int) -> dict[str, Any]:
    models = Counter[str]()
    for each in usage:  # two may have become one by redaction
        models[each.model] += each.conversations
    return {
        "source": source.config.source.kind,
        "table": source.config.source.table,
        "first": source.first.date().isoformat(),
        "end": source.end.date().isoformat(),
        "conversations": found,
        "models": dict(models),
        "advice": advice(found),
    }


def advice(conversations: int) -> str:
    """What the plan says to do with so many conversations."""
    if conversations >= GO_ON:
        return f"go on: {conversations} conversations are enough to start (the plan asks for {GO_ON})"
    if conversations >= EXTEND:
        return f"extend the period: {conversations} conversations are few; raise source.days"
    return f"wait: {conversations} conversations are too few, the plan asks for {GO_ON}"


def _nothing(source: Conversations) -> tuple[str, str]:
    settings = source.config.source
    models = f" answered by {' or '.join(settings.models)}" if settings.models else ""
    return (
        f"no conversation{models} from {source.first.date()} to before {source.end.date()} in {settings.table}",
        "raise source.days, set as_of, or set source.models ([] takes every model)",
    )


def _result(config: Config, facts: dict[str, Any], usage: Sequence[ModelUsage]) -> StageResult:
    days = f"{facts['first']} to before {facts['end']}"
    summary = {"period": days, "in scope": f"{facts['conversations']} conversations", "advice": facts["advice"]}
    metrics = {"extract/conversations": float(facts["conversations"])}
    if not config.source.stats_only:
        quarantined, redacted = facts["quarantined"], facts["redacted"]
        summary |= {
            "written": f"{facts['rows_written']} conversations of {facts['users']} users",
            "quarantined": _listed(quarantined),
            "redacted": _listed(redacted),
        }
        if facts["forgotten"]:
            summary["refused"] = f"{facts['forgotten']} conversations of users who asked to be forgotten"
        if lost := facts["interruptions"]:
            summary["interrupted"] = f"{lost} time{'s' if lost > 1 else ''}; reading went on where it stopped"
        metrics |= {
            "extract/written": float(facts["rows_written"]),
            "extract/quarantined": float(sum(quarantined.values())),
        }
        metrics |= {f"extract/redacted/{kind}": float(count) for kind, count in redacted.items()}
    rows = [
        [each.model, str(each.conversations), str(each.users), _mean(each.tokens_input), _mean(each.tokens_output)]
        for each in usage
    ]
    return StageResult(
        summary=summary,
        metrics=metrics,
        tables=[
            Table("models in the period", ["model", "conversations", "users", "tokens in (mean)", "out (mean)"], rows)
        ],
        next_command=command("stage=extract", "source.stats_only=false")
        if config.source.stats_only
        else command("stage=analyze"),
    )


def _listed(counts: dict[str, int]) -> str:
    return (
        f"{sum(counts.values())} ({', '.join(f'{name} {count}' for name, count in counts.items())})"
        if counts
        else "none"
    )


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
