"""A user who is forgotten is nowhere any more, what he proved stays counted, and he does not come back."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.dataset.support import context_of, rows_of
from tests.privacy.world import CANARY, GONE, KEY, USERS, build, chats, dataset, hashed, settings, traces
from tests.shadow.examples import read_folder
from zantara_exp.cli.main import run_overrides
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.forgotten import save
from zantara_exp.dataset.prepare import prepare
from zantara_exp.privacy.record import earlier, note, proof
from zantara_exp.privacy.stage import forget
from zantara_exp.review import labels as labelled
from zantara_exp.review.adjudication import usable
from zantara_exp.review.sample import load
from zantara_exp.review.sheet import read
from zantara_exp.tracking import About, open_run


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)


def test_a_forgotten_user_is_nowhere_and_stays_away(workdir: Path) -> None:
    config = settings("privacy.users_file=ids.txt", "privacy.reason=request 41")
    layout = Layout(config)
    sample, _ = build(config)
    Path("ids.txt").write_text(f"{GONE}\n")
    chat = [{"role": "user", "content": CANARY}]
    turn = {"reason": "empty", "conversation_id": "c", "user": hashed(GONE), "messages": chat}
    layout.rejected_turns.write_text(json.dumps(turn) + "\n")
    judged = {"user": hashed(GONE), "timestamp": "2025-11-01", "judge": {"reason": CANARY}}
    layout.judged.write_text(json.dumps(judged) + "\n" + json.dumps({**judged, "user": "other", "judge": None}) + "\n")
    (layout.state / "judge.jsonl").write_text(json.dumps({"key": "k", "reason": CANARY}) + "\n")
    words = ("Quetzalcoatlus", GONE, hashed(GONE))
    before = traces(workdir, *words)
    for name in ("raw_conversations", "rejected_turns", "shadow_comparison", "served", "complaints", "sample.json",
                 "review_sheet.csv", "review.jsonl", "incidents", "report.html", "splits.json", "mlruns/",
                 "judged.jsonl", "judge.jsonl",
                 "dataset_dict", "operations.jsonl"):  # fmt: skip
        assert [line for line in before if name in line], name

    looked = forget(settings("privacy.users_file=ids.txt", "privacy.dry_run=true"), context_of(config))
    assert traces(workdir, *words) == before
    result = forget(config, context_of(config))

    assert looked.tables[0].rows == result.tables[0].rows  # the dry run had said so
    assert traces(workdir, *words) == []
    record = rows_of(layout.removals)[-1]
    assert (record["what"], record["users"], record["reason"]) == ("removed", 1, "request 41")
    assert record["counts"]["comparisons"] == 5
    assert "removed before" not in result.summary
    assert list(record["samples"]) == [sample.hash]
    assert not [line for line in record["left"] if "cannot be read" in line]  # the torn one named him

    # what was his stays counted: a mirror that lost requests has lost them, a torn line is one
    lines = [json.loads(line) for path in layout.logs.glob("shadow_*") for line in path.read_bytes().splitlines()]
    assert [line["dropped"] for line in lines if line.get("record") == "drops"] == [{"queue_full": 4}]
    assert lines.count({"schema_version": "removed"}) == 1
    kept = read_folder(layout.logs, hashed)
    assert len({item.user for item in kept if hasattr(item, "user")}) == len(USERS) - 1

    # every verdict stays, and the critical bug; only the texts went
    fresh = load(layout.review_sample)
    assert fresh.hash != sample.hash
    marks = usable(labelled.load(layout.review_labels), fresh)
    assert [(mark.pair, mark.verdict) for mark in marks] == [(number, "worse") for number in range(1, 11)]
    assert [mark.pair for mark in marks if mark.critical_bug] == [8]
    assert list(read(layout.review_sheet, fresh)) == []  # not "another sample", not "changed"

    # the same again finds nothing, and a later extract does not bring him back
    again = forget(config, context_of(config))
    assert not again.tables
    assert again.summary["removed before"] == f"1 of them on {record['at']} (request 41)"
    extract(config, context_of(config))
    assert json.loads(layout.extract_summary.read_bytes())["forgotten"] == 3
    prepare(config, context_of(config))
    assert traces(workdir, *words) == []


@pytest.mark.slow
def test_prepare_refuses_what_a_backup_brought_back(workdir: Path) -> None:
    config = settings(f"privacy.users=[{hashed(GONE)}]")
    dataset(config)
    layout = Layout(config)
    backup = layout.raw_conversations.read_bytes()
    forget(config, context_of(config))
    layout.raw_conversations.write_bytes(backup)
    prepare(config, context_of(config))
    made = [layout.train, layout.val, layout.test, layout.rejected, layout.rejected_turns, layout.splits]
    assert not [path.name for path in made if hashed(GONE) in path.read_text()]


def test_another_key_is_refused_instead_of_letting_users_back(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings()
    chats(Path("chats.jsonl"))
    save(Layout(config), KEY.encode(), [hashed(GONE)])
    monkeypatch.setenv("ZANTARA_HASH_KEY", "another-key-of-32-characters-....")
    with pytest.raises(ZantaraError, match="another hash key"):
        extract(config, context_of(config))


@pytest.mark.slow
def test_retention_removes_what_is_old_and_keeps_the_rest(workdir: Path) -> None:
    config = settings("privacy.retention_days=2", "as_of=2025-10-23", "privacy.unreadable=blank")
    build(config)
    layout = Layout(config)
    forget(config, context_of(config))
    times = {row["timestamp"][:10] for row in rows_of(layout.raw_conversations)}
    assert times == {"2025-10-21", "2025-10-22"}
    kept = {row["conversation_id"] for row in rows_of(layout.raw_conversations)}
    examples = [*rows_of(layout.train), *rows_of(layout.val), *rows_of(layout.test)]
    assert examples
    assert {row["metadata"]["conversation_id"] for row in examples} <= kept
    assert {item.timestamp.date().isoformat() for item in read_folder(layout.logs, hashed)} == {
        "2025-10-21",
        "2025-10-22",
    }
    assert not list(layout.logs.glob("served_2025-10-20.jsonl"))
    assert not layout.forgotten.exists() or json.loads(layout.forgotten.read_bytes())["users"] == []


def test_nothing_named_is_a_mistake(workdir: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is named"):
        forget(settings(), context_of(settings()))
    with pytest.raises(ConfigError, match="keyed hashes"):
        settings(f"privacy.users=[{GONE}]")


def test_canary_is_long_enough_to_be_told_from_others() -> None:
    assert len(CANARY) > 40


def test_a_packed_log_is_reached_too(workdir: Path) -> None:
    config = settings("privacy.users_file=ids.txt")
    layout = Layout(config)
    build(config)
    Path("ids.txt").write_text(f"{GONE}\n")
    kinds = ("shadow_comparison", "served", "complaints")
    for path in [each for kind in kinds for each in layout.logs.glob(f"{kind}_*.jsonl")]:
        path.with_name(f"{path.name}.1.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = sorted(layout.logs.glob("*.gz"))

    def says_of_him() -> list[str]:
        left = [path for path in packed if path.is_file()]
        texts = {path.name: gzip.decompress(path.read_bytes()).decode() for path in left}
        return [name for name, text in texts.items() if hashed(GONE) in text or GONE in text]

    assert {name.partition("_2")[0] for name in says_of_him()} == {*kinds}
    forget(config, context_of(config))
    assert says_of_him() == []
    assert [path for path in packed if path.is_file()]


def test_in_a_copy_of_the_folder_the_copy_forgets(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = workdir / "one"
    one.mkdir()
    monkeypatch.chdir(one)
    config = settings(f"privacy.users=[{hashed(GONE)}]")
    page = Layout(config).reports / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>{hashed(GONE)} asked</p>")
    with open_run(config.tracking, Layout(config), About("report")) as run:
        run.artifact(page)
    two = Path(shutil.copytree(one, workdir / "two"))
    before = traces(one, hashed(GONE))
    monkeypatch.chdir(two)
    result = forget(config, context_of(config))
    assert dict(result.tables[1].rows) == {run.run_id[:8]: "1"}
    assert traces(two, hashed(GONE)) == []
    assert traces(one, hashed(GONE)) == before


def test_that_somebody_was_removed_can_be_shown_and_is_told_to_nobody_else(workdir: Path) -> None:
    layout, key = Layout(settings()), KEY.encode()
    for reason in ("request 41", "request 42"):
        note(layout, "removed", {"reason": reason, "proof": proof([hashed(GONE), hashed(USERS[0])], key)})
    with layout.removals.open("a") as file:
        file.write('{"torn": \n[1]\n')
    note(layout, "removed", {"reason": "retention"})
    lines = layout.removals.read_text()
    assert hashed(GONE) not in lines
    digests = [set(line["proof"]["users"]) for line in map(json.loads, lines.splitlines()[:2])]
    assert not digests[0] & digests[1]  # nobody sees that both are about the same users
    found = [(each.reason, each.users) for each in earlier(layout, [hashed(GONE), hashed("a stranger")], key)]
    assert found == [("request 41", 1), ("request 42", 1)]
    assert not list(earlier(layout, [hashed("a stranger")], key))
    assert not list(earlier(layout, [hashed(GONE)], b"another key of 32 characters ...."))


def test_a_command_leaves_nothing_of_whom_it_was_about(workdir: Path) -> None:
    assert run_overrides(["stage=forget", f"privacy.users=[{hashed(GONE)}]", "privacy.reason=request 41"]) == 0
    assert traces(workdir, hashed(GONE)) == []  # the list that keeps him away is not among these
    (folder,) = Path("outputs/forget").glob("*/*")
    assert "privacy.users=[not kept]" in (folder / ".hydra/overrides.yaml").read_text()
    assert "reason: request 41" in (folder / "forget-config.yaml").read_text()
