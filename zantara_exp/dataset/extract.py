"""Stage `extract`: conversations from the database to `raw_conversations.jsonl`, redacted, hashed and labelled.

Every row that is read is written or quarantined with its reason. Nothing personal reaches the disk: texts are
redacted and user ids hashed before the first write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from zantara_exp.config.data import FILES
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset import records
from zantara_exp.dataset.batches import Batch, batches
from zantara_exp.dataset.forgotten import forgotten_users
from zantara_exp.dataset.forgotten_users import Refusal
from zantara_exp.dataset.personal.spoken_in import left_in
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.dataset.row_reader import RowReader
from zantara_exp.dataset.sources import open_source
from zantara_exp.dataset.usage import Conversations, ModelUsage
from zantara_exp.dataset.user_hash import hash_key
from zantara_exp.text.wording import counted

NO_TIME = "no_time"
GO_ON, EXTEND = 500, 200
"""The plan's advice: this many conversations are enough; this many are worth waiting a little longer."""


def extract(config: Config, context: Context) -> StageResult:
    """Read the configured period from the database.

    Raises ZantaraError where the database cannot be read or nothing is in scope.
    """
    key = b"" if config.source.stats_only else hash_key(config)
    redactor = redactor_of(config.dataset)
    with open_source(config, context.layout) as source:
        for note in filter(None, (source.note, left_in(config.dataset))):
            context.say(note)
        usage = [replace(each, model=redactor.text(each.model)) for each in source.usage()]
        found = sum(each.conversations for each in usage)
        facts = _facts(source, usage, found)
        if not found:
            raise ZantaraError(*_nothing(source))
        if config.source.stats_only:
            return replace(_result(config, facts, usage), not_reusable=True)
        wanted = min(found, config.source.limit)
        facts |= _written(config, source, key, context, wanted) | {"interruptions": source.interruptions}
    records.write_json(context.layout.extract_summary, facts | {"origin": context.origin})
    return replace(_result(config, facts, usage), artifacts=[context.layout.extract_summary])


def _written(config: Config, source: Conversations, key: bytes, context: Context, total: int) -> dict[str, Any]:
    """Write both files; return the counts."""
    layout, read, reader = context.layout, Batch(), RowReader(config, key)
    refusal = Refusal(forgotten_users(layout, key), key)
    with (
        records.writer(layout.raw_conversations) as raw,
        records.writer(layout.quarantine) as quarantine,
        context.progress("extract", total) as progress,
    ):
        done = 0
        for batch in _batches(config, source, key, context, total, refusal):
            for line in batch.raw:
                raw.write_line(line)
            for line in batch.quarantine:
                quarantine.write_line(line)
            read.add(batch)
            before, done = done, raw.count + quarantine.count + refusal.count
            progress.advance(done - before)
        done = raw.count + quarantine.count + refusal.count
        if done != total and not source.interruptions:  # after a cut the snapshot is a newer one
            raise RuntimeError(f"{total} conversations in scope, {done} read")
        for undated in refusal.others(source.undated()):
            read.refused[NO_TIME] += 1
            quarantine.write(reader.refused(undated, NO_TIME))
        if read.refused and not raw.count:  # raised within the writers: the files of an earlier run stay
            raise ZantaraError(*_all_refused(source.config, read.refused))
        layout.extract_summary.unlink(missing_ok=True)  # no summary of older conversations beside the new ones
    return {
        "rows_read": raw.count + quarantine.count + refusal.count,
        "rows_written": raw.count,
        "quarantined": dict(read.refused.most_common()),
        "redacted": dict(read.redacted.most_common()),
        "forgotten": refusal.count,
        "users": len(read.users),
        **{name: dict(counts.most_common()) for name, counts in read.labels.items()},
        "foreign": dict(read.foreign.most_common()),
    }


def _batches(
    config: Config, source: Conversations, key: bytes, context: Context, total: int, refusal: Refusal
) -> Iterator[Batch]:
    if config.engine.name == "spark":
        from zantara_exp.dataset.on_spark.ranges import spark_batches

        return spark_batches(source, context.layout, key, refusal, total)
    return batches(config, key, refusal.others(source.rows()), total)


def _all_refused(config: Config, refused: Counter[str]) -> tuple[str, str]:
    """A mapping that is wrong, rather than a product that never had a chat."""
    source, columns = config.source, asdict(config.source.columns)
    chat = ("role", "content") if source.columns.by_message else ("messages",)
    looked = {"no_id": ("user", "id"), NO_TIME: ("created_at",)}
    names = dict.fromkeys(name for reason in refused for name in looked.get(reason, chat))
    keys = [f"source.columns.{name}={columns[name]}" for name in names]
    if source.kind in FILES:
        keys = [f"the records of {source.path}"]
    if "unknown_role" in refused:
        keys.append("source.roles, which takes names of your own")
    where = " and ".join(keys)
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
        "row_security": source.hidden,
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
    summary = {"period": days, "in scope": counted(facts["conversations"], "conversation"), "advice": facts["advice"]}
    metrics = {"extract/conversations": float(facts["conversations"])}
    if facts["row_security"]:
        summary["hidden"] = facts["row_security"]
    if not config.source.stats_only:
        quarantined, redacted = facts["quarantined"], facts["redacted"]
        summary |= {
            "written": f"{counted(facts['rows_written'], 'conversation')} of {counted(facts['users'], 'user')}",
            "quarantined": _listed(quarantined),
            "redacted": _listed(redacted),
        }
        if facts["forgotten"]:
            summary["refused"] = f"{counted(facts['forgotten'], 'conversation')} of users who asked to be forgotten"
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
