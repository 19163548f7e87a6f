"""`stage=rekey`: what was hashed with the old key is hashed with the new one, as far as the ids can be had.

A hash cannot be turned back, so the ids are read from the source, hashed with both keys in memory, and every place that
names a user by the old hash gets the new one. The map is never written. Users whose ids the source does not hold any
more stay unmatched, and `privacy.unmatched` says what becomes of them.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.signature import VARIABLE as SIGNING_KEY
from zantara_exp.core.signature import VERDICT, derived, signed_anew
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset import splits
from zantara_exp.dataset.forgotten import forgotten_users, mark_of, save
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.sources import open_source
from zantara_exp.dataset.user_hash import KEY_VARIABLE, MIN_BYTES, hash_user
from zantara_exp.io.events import COMPARISONS, COMPLAINTS, SERVED, event_files
from zantara_exp.privacy import dataset, logs
from zantara_exp.privacy.copies import forget_caches
from zantara_exp.privacy.lines import edit_lines, locked, on_records
from zantara_exp.privacy.record import note
from zantara_exp.rollout.store import file_store
from zantara_exp.shadow.record import REKEYED

_LOSES = (
    "gateways that run verify with the old key and serve the primary until restarted; not with ZANTARA_SIGNING_KEY set",
    "sticky sampling and the rollout's groups are drawn by the hash: users are mirrored and moved anew",
    "copies in MLflow and on other machines stay under the old key: run this there, or stage=forget with a retention",
    "who was removed is shown by digests under the old key: keep it as long as that may be asked",
    "ids that the source does not hold any more cannot be rehashed: privacy.unmatched decides",
)


def rekey(config: Config, context: Context) -> StageResult:
    """Rehash. Raises MissingRequirementError without both keys, ZantaraError where users are unmatched and refused."""
    at, (old, new) = context.layout, _keys(config)
    if config.log.kind == "postgres" or config.rollout.state == "postgres":
        raise ConfigError(
            "stage=rekey rewrites files only; with log or rollout.state in postgres, tables would keep the old hashes",
            "begin new tables (another database in the variable), then run this with log=jsonl rollout.state=file",
        )
    users, sessions = _hashes(config, at, old, new)
    known = _named(at)
    refused = forgotten_users(at, None)
    unmatched = (known | refused) - users.keys() - set(users.values())
    if unmatched and config.privacy.unmatched == "refuse":
        raise ZantaraError(
            f"source={config.source.kind} lacks {len(unmatched)} of {len(known | refused)} users; nothing was changed",
            "privacy.unmatched=keep (they stay under the old hash) or privacy.unmatched=remove (what is theirs goes)",
        )
    if config.privacy.dry_run:
        return _result(config, Counter(), len(known), len(unmatched), len(unmatched & refused))
    goes = unmatched if config.privacy.unmatched == "remove" else set[str]()
    counts = _rewritten(at, users, sessions, goes)
    if refused:
        save(at, new, {users.get(user, user) for user in refused})
    _sign_anew(at, old, new, counts)
    forget_caches(logs.caches(at))
    at.slices.unlink(missing_ok=True)  # whoever searched and whoever confirmed cannot be told apart any more
    note(at, "rekeyed", {"from": mark_of(old), "to": mark_of(new), "counts": counts, "unmatched": len(unmatched)})
    return _result(config, counts, len(known), len(unmatched), len(unmatched & refused))


def _keys(config: Config) -> tuple[bytes, bytes]:
    keys = []
    for name in (config.privacy.old_key_env, KEY_VARIABLE):
        key = os.environ.get(name, "").encode()
        if len(key) < MIN_BYTES:
            raise MissingRequirementError(
                f"stage=rekey needs two keys, and {name} holds none of {MIN_BYTES} characters or more",
                f"export {config.privacy.old_key_env} with the key so far, and {KEY_VARIABLE} with the new one",
            )
        keys.append(key)
    if keys[0] == keys[1]:
        raise ConfigError(f"{config.privacy.old_key_env} and {KEY_VARIABLE} hold the same key", "make a new one")
    return keys[0], keys[1]


def _hashes(config: Config, at: Layout, old: bytes, new: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Old hash -> new hash of every user and session of the source."""
    users: dict[str, str] = {}
    sessions: dict[str, str] = {}
    everything = replace(config.source, days=36500, limit=2**31, models=[], min_rating=None)
    with open_source(replace(config, source=everything, as_of=None), at) as source:
        for row in source.rows():
            for found, name in ((users, row["user"]), (sessions, row["session"])):
                if name and not row.get("hashed"):
                    found[hash_user(str(name), old)] = hash_user(str(name), new)
    return users, sessions


def _named(at: Layout) -> set[str]:
    """Every user hash in the dataset and the logs."""
    found = set(splits.known_users(at))

    def seen(record: Record) -> Record:
        found.add(str(_user(record) or ""))
        return record

    for path in _files(at):
        edit_lines(path, on_records(seen), dry=True)
    return found - {""}


def _user(record: Record) -> object:
    about = record.get("metadata")
    return record.get("user") or (about.get("user") if isinstance(about, dict) else None)


def _files(at: Layout) -> list[Path]:
    events = (event_files(at.logs, kind) for kind in (COMPARISONS, SERVED, COMPLAINTS))
    return [*dataset.files(at), *chain.from_iterable(events)]


def _rewritten(at: Layout, users: dict[str, str], sessions: dict[str, str], goes: set[str]) -> Counter[str]:
    def change(record: Record) -> Record | None:
        user = _user(record)
        if user in goes:
            return None
        if user not in users:
            return record
        fresh = {**record, **({"user": users[str(user)]} if "user" in record else {})}
        if isinstance(record.get("metadata"), dict) and "user" in record["metadata"]:
            fresh["metadata"] = {**record["metadata"], "user": users[str(user)]}
        if isinstance(record.get("sampling"), dict):  # the hash that sampled is gone: nobody can compute it again
            fresh["sampling"] = {**record["sampling"], "reason": REKEYED}
        if "session" in record:
            fresh["session"] = sessions.get(str(record["session"]))
        return fresh

    edit, counts = on_records(change), Counter[str]()
    for path in _files(at):
        if path.parent == at.logs:
            with locked(path):
                counts[path.name] += edit_lines(path, edit)
        else:
            counts[path.name] += edit_lines(path, edit)
    placed = splits.known_users(at)
    moved = {users.get(user, user): split for user, split in placed.items() if user not in goes}
    if moved != placed:
        counts["splits.json"] = len(placed)
        splits.save(at, moved)
    if at.train.is_file():
        dataset.rebuilt(at)
    return +counts


def _sign_anew(at: Layout, old: bytes, new: bytes, counts: Counter[str]) -> None:
    """Verdicts and the rollout's state were signed with what is derived from the old key, where no other key signs."""
    if os.environ.get(SIGNING_KEY):
        return
    keys, reports = (derived(old), derived(new)), at.verdict.parent
    for path in sorted([*reports.glob("verdict*.json"), *reports.glob("candidates/*/verdict*.json")]):
        counts[path.name] += signed_anew(path, VERDICT, *keys)
    counts["state.json"] += file_store(at).signed_anew(*keys)


def _result(config: Config, counts: Counter[str], known: int, unmatched: int, forgotten: int) -> StageResult:
    rows = [[name, str(count)] for name, count in counts.items()]
    strangers = f"{forgotten} of them are not in the source: should they return, nobody would know them"
    return StageResult(
        summary={
            "users": f"{known} named in the dataset and the logs, {unmatched} of them not in the source",
            "rehashed": "nothing: privacy.dry_run=true" if config.privacy.dry_run else f"{counts.total()} lines",
            **({"forgotten": strangers} if forgotten else {}),
            **{f"stops matching {number}": line for number, line in enumerate(_LOSES, 1)},
        },
        tables=[Table("rehashed", ["file", "lines"], rows)] if rows else [],
        metrics={"rekey/lines": float(counts.total())},
        next_command="" if config.privacy.dry_run else command("stage=prepare"),
    )
