"""A project folder that was moved or copied: what is recorded, listed and removed there is its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zantara_exp.config import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.tracking import About, erase_artifacts, open_run
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._run import waiting
from zantara_exp.tracking._store import connect

PAGE = "page.html"


@pytest.fixture
def one(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one run, whose artifact is a page."""
    folder = workdir / "one"
    folder.mkdir()
    monkeypatch.chdir(folder)
    recorded()
    return folder


def recorded() -> str:
    config = Config()
    Path(PAGE).write_text("Made")
    with open_run(config.tracking, Layout(config), About("report")) as run:
        run.artifact(Path(PAGE))
    return run.run_id


def erased() -> int:
    config = Config()
    return erase_artifacts(config.tracking, Layout(config), (".html",), lambda _: True, dry=False).total()


def pages(folder: Path) -> int:
    return len(list((folder / "mlruns").rglob(PAGE)))


def test_after_a_move_all_is_recorded_and_found_in_the_new_place(
    one: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal.new(waiting(Config().tracking, Layout(Config())))  # of a run that MLflow did not take yet
    journal.append({"op": "start", "name": "gate", "time": 0, "tags": {}, "parent": None, "parent_run": None})
    journal.append({"op": "artifact", "path": str(journal.keep(Path(PAGE))), "folder": ""})
    journal.close(delete=False)
    two = one.rename(one.with_name("two"))
    one.write_text("where the folder was, nothing can be written")
    monkeypatch.chdir(two)
    run = recorded()
    said = capsys.readouterr().out.replace("\n", "")
    assert f"noted artifacts in {one / 'mlruns/artifacts'}; this folder was moved or copied" in said
    assert pages(two) == 3
    assert not list((two / ".zantara/pending/local").iterdir())
    client = connect(Config().tracking, two / "mlruns")
    assert [found.path for found in client.list_artifacts(run)] == [PAGE]
    assert "moved" not in capsys.readouterr().out  # once is enough
    assert erased() == 3
    assert pages(two) == 0


def test_what_is_removed_in_a_copy_stays_in_the_other(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Path(shutil.copytree(one, one.with_name("two")))
    monkeypatch.chdir(two)
    assert erased() == 1
    assert (pages(two), pages(one)) == (0, 1)
    recorded()
    assert (pages(two), pages(one)) == (1, 1)
    monkeypatch.chdir(one)
    assert erased() == 1
    assert (pages(two), pages(one)) == (1, 0)


def test_a_copy_without_its_artifacts_removes_nothing_of_the_other(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Path(shutil.copytree(one, one.with_name("a copy"), ignore=shutil.ignore_patterns("artifacts")))
    monkeypatch.chdir(two)
    with pytest.raises(ZantaraError) as refused:
        erased()
    theirs, ours = one / "mlruns/artifacts", two / "mlruns/artifacts"
    assert f"keep their artifacts in {theirs}, and this folder's are in {ours}" in refused.value.message
    assert refused.value.hint.startswith(f"mkdir -p '{ours}' && cp -R {theirs}/. '{ours}'   (then the same command")
    assert pages(one) == 1
    shutil.copytree(theirs, ours)  # as it says
    assert erased() == 1
    assert (pages(two), pages(one)) == (0, 1)


def test_another_name_of_the_same_folder_is_no_move(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = one.with_name("link")
    link.symlink_to(one)
    config = Config()
    config.paths.mlruns = str(link / "mlruns")
    before = connect(Config().tracking, one / "mlruns").search_runs(["1"])[0].info.artifact_uri
    assert connect(config.tracking, Layout(config).mlruns).search_runs(["1"])[0].info.artifact_uri == before
    assert erase_artifacts(config.tracking, Layout(config), (".html",), lambda _: True, dry=False).total() == 1
