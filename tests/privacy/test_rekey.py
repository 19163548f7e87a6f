"""The hash key changes: whoever the source still knows keeps his place under the new key, the others are said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.dataset.support import context_of, rows_of
from tests.privacy.world import GONE, KEY, USERS, dataset, hashed, logs, settings, traces
from tests.rollout.test_store import RUN
from tests.shadow.examples import read_folder
from zantara_exp.core.errors import ConfigError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.signature import VERDICT, Keys
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.forgotten import forgotten_users, save
from zantara_exp.dataset.prepare import prepare
from zantara_exp.dataset.splits import known_users
from zantara_exp.privacy.rekey import rekey
from zantara_exp.rollout.state import State, UnreadableStateError
from zantara_exp.rollout.store import file_store
from zantara_exp.shadow.record import Comparison

NEW = "a-new-key-of-at-least-sixteen-characters"


@pytest.fixture
def layout(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A dataset and logs under the old key; the environment holds both."""
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    config = settings()
    dataset(config)
    logs(Layout(config))
    monkeypatch.setenv("ZANTARA_HASH_KEY_OLD", KEY)
    monkeypatch.setenv("ZANTARA_HASH_KEY", NEW)
    return Layout(config)


def test_what_the_old_key_signed_the_new_one_signs(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    layout.verdict.parent.mkdir(exist_ok=True)
    layout.verdict.write_text(json.dumps(Keys(None).sign(VERDICT, {"verdict": "GO"}, "ours")))
    layout.verdict.with_name("verdict-edited.json").write_text('{"verdict": "GO", "signed": {}}')
    running = file_store(layout).swap(State(), RUN)
    monkeypatch.setenv("ZANTARA_HASH_KEY", NEW)
    with pytest.raises(UnreadableStateError):
        file_store(layout).read()
    rekey(settings(), context_of(settings()))
    assert file_store(layout).read() == running
    said = json.loads(layout.verdict.read_text())
    assert Keys(None).trouble(VERDICT, said) == ""
    assert said["signed"]["experiment"] == "ours"
    assert layout.verdict.with_name("verdict-edited.json").read_text() == '{"verdict": "GO", "signed": {}}'


@pytest.mark.parametrize("packed", [False, True])
def test_everything_is_under_the_new_key(layout: Layout, workdir: Path, packed: bool) -> None:
    if packed:  # as logrotate leaves them
        for path in list(layout.logs.glob("*_2025-*.jsonl")):
            path.with_name(f"{path.name}.1.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    layout.reports.mkdir(exist_ok=True)
    layout.judged.write_text(json.dumps({"user": hashed(USERS[0]), "verdict": "worse"}) + "\n")
    layout.preferences.write_text(json.dumps({"metadata": {"user": hashed(USERS[0])}}) + "\n")
    save(layout, KEY.encode(), [hashed(USERS[3])])
    before = known_users(layout)
    rekey(settings(), context_of(settings()))

    assert known_users(layout) == {hashed(u, NEW): before[hashed(u)] for u in USERS}
    assert {row["user"] for row in rows_of(layout.raw_conversations)} == {hashed(user, NEW) for user in USERS}
    compared = [
        item for item in read_folder(layout.logs, lambda user: hashed(user, NEW)) if isinstance(item, Comparison)
    ]
    assert {item.user for item in compared} == {hashed(user, NEW) for user in USERS}
    # version 1 says nothing; of the others nobody can compute the places again
    assert {item.sampling.reason for item in compared} == {None, "rekeyed"}
    assert forgotten_users(layout, NEW.encode()) == {hashed(USERS[3], NEW)}
    assert [row["user"] for row in rows_of(layout.judged)] == [hashed(USERS[0], NEW)]
    assert [row["metadata"]["user"] for row in rows_of(layout.preferences)] == [hashed(USERS[0], NEW)]
    assert traces(workdir, *(f'"{hashed(user)}"' for user in USERS)) == []
    # a new extract finds everybody where he was
    extract(settings(), context_of(settings()))
    prepare(settings(), context_of(settings()))
    placed = known_users(layout)
    assert all(placed[hashed(user, NEW)] == before[hashed(user)] for user in USERS if user != USERS[3])


@pytest.mark.slow
def test_users_the_source_lost_are_not_passed_over(layout: Layout) -> None:
    lines = Path("chats.jsonl").read_text().splitlines()
    Path("chats.jsonl").write_text("".join(f"{line}\n" for line in lines if GONE not in line))
    before = layout.raw_conversations.read_bytes()
    with pytest.raises(ZantaraError, match="lacks 1 of 30 users; nothing was changed"):
        rekey(settings(), context_of(settings()))
    assert layout.raw_conversations.read_bytes() == before

    rekey(settings("privacy.unmatched=keep"), context_of(settings()))
    assert hashed(GONE) in known_users(layout)
    rekey(settings("privacy.unmatched=remove"), context_of(settings()))
    assert hashed(GONE) not in known_users(layout)
    assert len(known_users(layout)) == len(USERS) - 1


def test_it_needs_two_keys(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY_OLD", KEY)
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    with pytest.raises(ConfigError, match="the same key"):
        rekey(settings(), context_of(settings()))
    monkeypatch.delenv("ZANTARA_HASH_KEY_OLD")
    with pytest.raises(MissingRequirementError, match="needs two keys"):
        rekey(settings(), context_of(settings()))
