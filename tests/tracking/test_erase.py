"""What a person asked to have removed goes from MLflow and from what waits for it; everything else stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracking.test_traces import found, item, recorded, said
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.tracking import About, Artifact, _traces, erase_artifacts, erase_traces, erase_waiting, open_run
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._store import connect

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")


def quotes(text: str) -> bool:
    return "Made" in text


@pytest.fixture
def config(workdir: Path) -> Config:
    return Config()


def kept(config: Config, run_id: str) -> set[str]:
    client = connect(config.tracking, Layout(config).mlruns)
    return {found.path for found in client.list_artifacts(run_id, "pages")}


def test_artifacts_go_that_the_caller_wants_gone(config: Config, workdir: Path) -> None:
    seen: list[Artifact] = []

    def goes(artifact: Artifact) -> bool:
        seen.append(artifact)
        return quotes(artifact.text)

    with open_run(config.tracking, Layout(config), About("report")) as run:
        for name, text in (("a.html", "Made asks"), ("b.html", "nobody"), ("c.bin", "Made")):
            (workdir / name).write_text(text)
            run.artifact(workdir / name, "pages")
    counted = erase_artifacts(config.tracking, Layout(config), (".html",), goes, dry=True)
    assert (counted, kept(config, run.run_id)) == ({run.run_id[:8]: 1}, {"pages/a.html", "pages/b.html", "pages/c.bin"})
    assert {one.path for one in seen} == {"pages/a.html", "pages/b.html"}
    assert all(one.run_started.tzinfo for one in seen)
    assert erase_artifacts(config.tracking, Layout(config), (".html",), goes, dry=False) == counted
    assert kept(config, run.run_id) == {"pages/b.html", "pages/c.bin"}


def test_traces_go_by_group_and_key(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_traces, "_MOST", 1)  # on whatever page of a search they are
    recorded(config, item(said("verdict", "worse")), {**item(), "key": "2"})
    for keys in ({"review:abc": [7]}, {"review:other": [1]}):
        assert erase_traces(config.tracking, Layout(config), keys, dry=False) == 0
    assert erase_traces(config.tracking, Layout(config), {"review:abc": [1]}, dry=True) == 1
    assert len(found(config)) == 2
    assert erase_traces(config.tracking, Layout(config), {"review:abc": [1]}, dry=False) == 1
    assert [trace.info.tags["zantara.key"] for trace in found(config)] == ["2"]


def test_a_store_without_the_experiment_has_nothing(config: Config) -> None:
    assert not erase_artifacts(config.tracking, Layout(config), (".html",), lambda _: True, dry=False)
    assert erase_traces(config.tracking, Layout(config), {"review:abc": [1]}, dry=False) == 0


def test_what_waits_is_blanked_and_keeps_its_number(config: Config) -> None:
    layout = Layout(config)
    journal = Journal.new(layout.state / "pending" / "local")
    for value in ("Made", "nobody"):
        journal.append({"op": "tags", "values": {"asked": value}})
    page = journal.folder / "artifacts" / "0" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text("Made asks")
    assert erase_waiting(layout, quotes, dry=False) == 0  # its writer is alive
    journal.close(delete=False)
    assert erase_waiting(layout, quotes, dry=True) == 2
    assert page.exists()
    assert erase_waiting(layout, quotes, dry=False) == 2
    assert not page.exists()
    again = Journal(journal.folder)
    assert [operation["values"] for operation in again.operations()] == [{}, {"asked": "nobody"}]
    again.close(delete=True)
