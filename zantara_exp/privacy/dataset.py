"""The dataset: conversations, examples, splits, what was rejected, and the embedded database."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import output, records, splits
from zantara_exp.dataset.card import NAME as CARD
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.privacy.lines import edit_lines, on_records
from zantara_exp.privacy.what_goes import Whose


def files(layout: Layout) -> list[Path]:
    """JSON lines that name a user: of the dataset, answers and scores of models, and what a judge said."""
    judged = [file for each in layout.family() for file in (each.judged, each.judged_moved)]
    ours = [layout.labelled, layout.to_label, *judged, layout.preferences, layout.reviewed]
    return [*_chats(layout), *ours, *sorted(layout.models.glob("*/evaluation.jsonl"))]


def _chats(layout: Layout) -> list[Path]:
    rejected = [layout.quarantine, layout.rejected, layout.rejected_turns]
    return [layout.raw_conversations, *rejected, layout.train, layout.val, layout.test]


def learn(layout: Layout, whose: Whose) -> None:
    """Note the conversations that go, before anything is gone."""
    for path in _chats(layout):
        if path.is_file():
            for line in path.read_bytes().splitlines():
                record = _object(line)
                if record is not None and whose.goes(record):
                    whose.learn({**record, **record.get("metadata", {})})


def _object(line: bytes) -> Record | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def trained_on(layout: Layout, whose: Whose) -> int:
    """How many training examples and pairs go: models that were trained on them remember them in their weights."""
    files = [path for path in (layout.train, layout.preferences) if path.is_file()]
    found = (_object(line) for path in files for line in path.read_bytes().splitlines())
    return sum(record is not None and whose.goes(record) for record in found)


def forget(layout: Layout, whose: Whose, dry: bool) -> Counter[str]:
    """Remove their lines, their place in the splits, and what was made of them; counts by file."""
    done: Counter[str] = Counter()
    edit = on_records(lambda record: None if whose.goes(record) else record)
    for path in files(layout):
        done[str(path.name)] += edit_lines(path, edit, dry=dry)
    placed = splits.known_users(layout)
    done["splits.json"] = len(whose.users & placed.keys())
    if done["splits.json"] and not dry:
        splits.save(layout, {user: split for user, split in placed.items() if user not in whose.users})
    if any(done.values()) and not dry:
        rebuilt(layout)
    # What was generated or judged for them is kept by a hash of the question, which does not say whose it is.
    for path in (layout.state / "judge.jsonl", *layout.models.glob(".*.answers.jsonl")):
        if path.is_file() and (whose.conversations or done[layout.judged.name] or done[layout.judged_moved.name]):
            done[path.name] += 1
            if not dry:
                path.unlink()
    return +done


def rebuilt(layout: Layout) -> None:
    """The DatasetDict from the splits as they are now; the card, whose hashes are no longer right, goes.

    A split in which nobody is left cannot be a part of one: then it goes as well, until stage=prepare has run.
    """
    folder = layout.dataset / output.FOLDER
    if folder.is_dir():
        paths = {name: layout.dataset / f"{name}.jsonl" for name in output.SPLITS}
        made = {name: list(records.read(path, "prepare")) for name, path in paths.items() if path.is_file()}
        if all(made.get(name) for name in output.SPLITS):
            output.write_dict(folder, made)
        else:
            shutil.rmtree(folder)
    (layout.dataset / CARD).unlink(missing_ok=True)


def forget_imported(config: Config, layout: Layout, whose: Whose, dry: bool) -> int:
    """Rows of the embedded database, a copy that somebody imported. Production's is not ours to change, and the people
    of the demo are made up."""
    if config.source.kind != "embedded" or config.source.database == "demo":
        return 0
    import psycopg
    from psycopg import sql

    from zantara_exp.dataset import embedded
    from zantara_exp.dataset.query import find_table

    with embedded.server(layout.state) as server:
        if not server.has_database(config.source.database):
            return 0
        with psycopg.connect(server.conninfo(config.source.database)) as connection:
            table = find_table(connection, config.source)
            user, moment = table.facts["user"], table.facts["created_at"]
            listed = sql.SQL("select distinct {} from {} t").format(user, table.name)
            known = [str(row[0]) for row in connection.execute(listed) if row[0] is not None]
            gone = [name for name in known if hash_user(name, whose.key) in whose.users]
            goes = sql.SQL("from {} t where {} = any(%s) or {} < %s").format(table.name, user, moment)
            verb = "select 1 " if dry else "delete "
            return connection.execute(sql.SQL(verb) + goes, [gone, whose.before]).rowcount
