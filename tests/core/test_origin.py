"""Data of another source or experiment are refused, and never replaced without being asked."""

from __future__ import annotations

import copy
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.composing import composed
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import Given, of_this_command
from zantara_exp.core.origin import difference, noted, to_note
from zantara_exp.core.ownership import OtherDataError, refusal, refuse_others
from zantara_exp.core.source_identity import identity, in_words
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.core.stage_table import StageSpec
from zantara_exp.dataset.evidence import evidence
from zantara_exp.gates.evidence import EvidenceRequest, Missing

URL = "postgresql://reader:hunter2@db.example.org:5433/app?sslmode=require"


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("DATABASE_URL", URL)
    return composed("source=postgres")


def changed(config: Config, **values: object) -> Config:
    """The config with other keys of `source`."""
    other = copy.deepcopy(config)
    for key, value in values.items():
        setattr(other.source, key, value)
    return other


def lies(config: Config, layout: Layout, **given: Any) -> None:
    """Raw conversations and splits that a command with `config` wrote."""
    with of_this_command(Given(**given)):
        origin = to_note("extract", config, layout)
    for path in (layout.raw_conversations, layout.train, layout.val, layout.test, layout.splits):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    for path in (layout.extract_summary, layout.prepare_summary):
        path.write_text(json.dumps({"origin": origin}))


def trained(config: Config, layout: Layout, **given: Any) -> None:
    """A model that a command with `config` wrote, of the splits that lie there."""
    with of_this_command(Given(**given)):
        origin = to_note("train", config, layout)
    layout.model.mkdir(parents=True, exist_ok=True)
    layout.train_summary.write_text(json.dumps({"origin": origin}))


def team(folder: Path, experiment: str) -> str:
    """A config folder with an experiment of the name that `zantara-exp init` gives it."""
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "ours.yaml").write_text(f"# @package _global_\n{experiment}\n")
    return str(folder)


def refused(what: Callable[[], object]) -> OtherDataError:
    with pytest.raises(OtherDataError) as told:
        what()
    return told.value


def followed(told: str) -> Config:
    """The config of the command that a hint begins with, as a shell and the command line read it."""
    words = shlex.split(told.splitlines()[0].removeprefix("python -m zantara_exp "), comments=True)
    folders = [word.removeprefix("--config-dir=") for word in words if word.startswith("--config-dir=")]
    return compose([word for word in words if not word.startswith("--")], *folders)


def test_a_source_is_told_without_a_secret(production: Config, workdir: Path) -> None:
    known = identity(production, Layout(production))
    assert known == {
        "kind": "postgres",
        "domain": "Bali Zero",
        "host": "db.example.org",
        "port": "5433",
        "database": "app",
        "table": "conversations",
        "columns": {name: path for name, path in asdict(production.source.columns).items() if path},
    }
    assert in_words(known) == "source=postgres: db.example.org:5433/app, table conversations"


@pytest.mark.parametrize(
    ("url", "differs"),
    [
        ("postgresql://writer:other@DB.example.org:5433/app", False),
        ("host=db.example.org port=5433 dbname=app user=reader", False),
        ("", False),  # a machine that trains need not know the database
        ("postgresql://reader@db.example.org:5432/app", True),
        ("postgresql://reader@staging.example.org:5433/app", True),
        ("postgresql://reader@db.example.org:5433/copy", True),
    ],
)
def test_which_databases_are_one(
    url: str, differs: bool, production: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(production)
    lies(production, layout)
    monkeypatch.setenv("DATABASE_URL", url)
    assert bool(difference(layout.extract_summary, production, layout)) == differs


@pytest.mark.parametrize("source", ["source=embedded", "source=postgres"])
def test_two_products_do_not_mix_in_one_folder(source: str, production: Config, workdir: Path) -> None:
    """The demo of one, or one's own database, read by the languages and categories of another."""
    first, second = composed(source), composed(source, "domain=helpdesk")
    layout = Layout(first)
    lies(first, layout, overrides=(source,))
    trained(first, layout, overrides=(source,))
    given = Given(overrides=("domain=helpdesk", source), choices={"domain": "helpdesk"})
    for stage, reads, told in (
        ("extract", [], "holds conversations of another domain, which this would replace"),
        ("prepare", [layout.raw_conversations], "raw_conversations.jsonl is of another domain"),
        ("train", [layout.train], "train.jsonl is of another domain"),
        ("train", [], "holds a model of another domain"),
    ):
        with of_this_command(given):
            error = refused(lambda reads=reads, stage=stage: refuse_others(stage, reads, second, layout))  # type: ignore[misc]
        assert told in error.message
        assert re.search(r"written by  no experiment, .*, for Bali Zero\n", error.message)
        assert error.message.endswith(", for Feldlicht")
        go_on, other = (line.strip().removeprefix("or:   ") for line in error.hint.splitlines())
        if reads or stage == "extract":
            assert followed(go_on).domain.name == "Bali Zero"
            assert followed(other).domain.name == "Feldlicht"
        else:
            assert followed(other).model.output == "zantara-tiny-helpdesk"
    assert "is of another domain" in refusal(layout.prepare_summary, second, layout)


def test_a_product_that_was_renamed_meanwhile_says_so(workdir: Path) -> None:
    named = composed("domain.name=Ours")
    layout = Layout(named)
    lies(named, layout)
    error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], composed(), layout))
    assert error.hint.startswith("the data are for Ours, what wrote them is now for Bali Zero: set domain.name back")


def test_another_table_or_mapping(production: Config, workdir: Path) -> None:
    layout = Layout(production)
    lies(production, layout)
    scope = changed(production, days=90, limit=10, models=[], min_rating=2.0)
    assert difference(layout.extract_summary, scope, layout) == ""
    assert difference(layout.extract_summary, changed(production, table="public.conversations"), layout) == ""
    table = changed(production, table="app.chats")
    assert difference(layout.extract_summary, table, layout) == "source"
    with pytest.raises(OtherDataError):
        refuse_others("extract", [], table, layout)
    mapped = changed(production)
    mapped.source.columns.model = "ai_model_used"
    assert "source.columns" in difference(layout.extract_summary, mapped, layout)
    refuse_others("extract", [], mapped, layout)  # the same conversations, read better
    with pytest.raises(OtherDataError, match="another mapping"):
        refuse_others("prepare", [layout.raw_conversations], mapped, layout)


def test_the_demo_is_one_source_and_imported_chats_another(workdir: Path) -> None:
    demo = composed()
    layout = Layout(demo)
    lies(demo, layout)
    other = copy.deepcopy(demo)
    other.seed, other.demo.conversations = 8, 100
    assert difference(layout.extract_summary, other, layout) == ""
    assert difference(layout.extract_summary, changed(demo, database="imported"), layout) == "source"
    one, two = (changed(demo, kind="jsonl", path=f"{name}.jsonl") for name in ("one", "two"))
    lies(one, layout)
    assert difference(layout.extract_summary, one, layout) == ""
    assert difference(layout.extract_summary, changed(demo, kind="jsonl", path=None), layout) == ""
    assert difference(layout.extract_summary, two, layout) == "source"


def test_experiments_that_would_write_the_same_share_their_data(workdir: Path) -> None:
    config = composed()
    layout = Layout(config)
    folder = team(workdir / "conf-ours", "")
    lies(config, layout, config_dir=folder, overrides=("experiment=ours",))
    other = copy.deepcopy(config)
    other.dataset.system_prompt = "Another product."
    for named in ("experiment=theirs", "seed=7"):
        with of_this_command(Given(overrides=(named,))):
            assert difference(layout.prepare_summary, config, layout) == ""
            assert difference(layout.prepare_summary, other, layout) == "experiment (other settings of dataset)"
            error = refused(lambda: refuse_others("train", [layout.train], other, layout))
    assert "written by  experiment=ours (--config-dir=conf-ours), the demo" in error.message
    assert "configured  no experiment, the demo" in error.message
    go_on = "python -m zantara_exp stage=train experiment=ours --config-dir=conf-ours"
    assert error.hint.splitlines()[0] == f"{go_on}   # go on with what is there"
    with of_this_command(Given(folder, ("experiment=ours",))):  # a key given to one command, as ever
        assert difference(layout.prepare_summary, other, layout) == ""


@pytest.mark.parametrize(
    ("summary", "kind", "refused"),
    [
        ({"source": "embedded", "table": "conversations"}, "embedded", False),
        ({"source": "embedded", "table": "conversations"}, "postgres", True),
        ({"source": "postgres", "table": "app.chats"}, "postgres", True),
        ({"origin": {"source": 3}}, "postgres", False),
        (None, "postgres", False),
    ],
)
def test_data_from_before_origins_were_noted(
    summary: dict[str, Any] | None, kind: str, refused: bool, workdir: Path
) -> None:
    config = changed(composed(), kind=kind)
    layout = Layout(config)
    lies(config, layout)
    layout.extract_summary.unlink()
    if summary is not None:
        layout.extract_summary.write_text(json.dumps(summary))
    reads = [layout.raw_conversations]
    if refused:
        with pytest.raises(OtherDataError, match="an experiment that was not noted, source|the demo|app.chats"):
            refuse_others("prepare", reads, config, layout)
    else:
        (said,) = refuse_others("prepare", reads, config, layout)
        assert "no extract.json says which experiment wrote it" in said
    known = {"kind": summary["source"], "table": summary["table"]} if summary and "source" in summary else {}
    assert to_note("prepare", config, layout)["source"] == known  # handed on, never guessed


def test_a_gate_takes_no_evidence_from_others(production: Config, workdir: Path) -> None:
    layout = Layout(production)
    lies(composed(), layout)
    for metric in ("conversations", "quality"):
        (found,) = evidence([EvidenceRequest(metric, None)], None, production, layout)
        assert isinstance(found, Missing)
        assert "of another source: no experiment, the demo" in found.reason
        assert "python -m zantara_exp stage=extract force=true" in found.reason


def stub(config: Config, context: Context) -> StageResult:
    """Extracts a file as it is, or copies it as splits; notes whose it is as the real stages do."""
    at = context.layout
    if config.stage.name == "extract":
        at.raw_conversations.parent.mkdir(parents=True)
        at.raw_conversations.write_bytes(Path(str(config.source.path)).read_bytes())
        at.extract_summary.write_text(json.dumps({"origin": context.origin}))
        return StageResult({"rows": "3"})
    for path in (at.train, at.val, at.test, at.splits, at.rejected, at.rejected_turns):
        path.write_bytes(at.raw_conversations.read_bytes())
    at.prepare_summary.write_text(json.dumps({"origin": context.origin}))
    return StageResult({"rows": "3"})


def commands(error: str) -> list[list[str]]:
    """The two commands that a refusal names."""
    lines = re.findall(r"(?:next|or): +python -m zantara_exp (.*)", error)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_trap(workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a team went through: its data extracted, a command without its experiment, and the next stage went on."""
    monkeypatch.setenv("ZANTARA_HASH_KEY", "0123456789abcdef")
    monkeypatch.setattr("zantara_exp.dataset.connect.where", lambda *_: pytest.fail("the demo's database was opened"))
    monkeypatch.setattr(StageSpec, "load", lambda self: stub)
    chat = {"messages": [{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Ciao!"}]}
    (workdir / "chats.jsonl").write_text(3 * (json.dumps(chat) + "\n"))
    own = workdir / "conf-ours" / "experiment"
    own.mkdir(parents=True)
    defaults = "defaults:\n  - override /source: jsonl\n"
    (own / "ours.yaml").write_text(f"# @package _global_\n{defaults}source: {{path: chats.jsonl}}\n")
    ours, layout = ["--config-dir=conf-ours", "experiment=ours"], Layout(Config())
    assert run_overrides([*ours, "stage=extract", "as_of=null"]) == 0
    extracted = layout.raw_conversations.read_bytes()
    assert extracted.count(b"\n") == 3
    capsys.readouterr()

    for forgotten in (["stage=extract"], ["stage=prepare"]):
        assert run_overrides(forgotten) == 1
        error = capsys.readouterr().err
        assert "written by  experiment=ours (--config-dir=conf-ours), source=files: ../../chats.jsonl" in error
        assert "configured  no experiment, the demo (source=embedded)" in error
        assert layout.raw_conversations.read_bytes() == extracted
        go_on, anew = commands(error)
        assert {*go_on} == {*forgotten, *ours, "as_of=null"}
        assert anew == ["stage=extract", "force=true"]
    assert run_overrides(go_on) == 0  # followed to the letter: their data, by their experiment
    assert layout.train.read_bytes() == extracted
    assert run_overrides(["stage=train"]) == 1
    assert "train.jsonl is of another source" in capsys.readouterr().err


def test_force_replaces_and_counting_asks_nothing(production: Config, workdir: Path) -> None:
    layout = Layout(production)
    lies(production, layout)
    demo = composed()
    with pytest.raises(OtherDataError, match="which this would replace"):
        refuse_others("extract", [], demo, layout)
    for key, config in (("force", copy.deepcopy(demo)), ("stats", changed(demo, stats_only=True))):
        config.force = key == "force"
        refuse_others("extract", [], config, layout)
    layout.raw_conversations.unlink()
    refuse_others("extract", [], demo, layout)  # there is nothing to lose


def test_splits_left_over_from_before(production: Config, workdir: Path) -> None:
    """Extracted anew for this experiment, and not prepared yet: that is what is missing."""
    layout = Layout(production)
    lies(composed(), layout)
    layout.extract_summary.write_text(json.dumps({"origin": to_note("extract", production, layout)}))
    error = refused(lambda: refuse_others("train", [layout.train], production, layout))
    assert "or:   python -m zantara_exp stage=prepare" in error.hint


def test_the_plans_scripts_go_on_with_what_was_extracted(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "scripts"))
    import extract_dataset_from_postgres
    import prepare_llama_dataset

    assert prepare_llama_dataset.overrides([]) == ["stage=prepare"]
    told = extract_dataset_from_postgres.overrides(["--days", "30", "--", "source.table=app.chats", "as_of=2025-11-03"])
    config = composed(*told[1:])
    team(workdir / "conf-ours", "")
    lies(config, Layout(config), config_dir="conf-ours", overrides=tuple(told))
    made = prepare_llama_dataset.overrides(["--", "dataset.copies=2", "as_of=2025-11-01"])
    recorded = ["source=postgres", "source.days=30", "source.table=app.chats"]
    folder = f"--config-dir={workdir / 'conf-ours'}"
    assert made == ["stage=prepare", folder, *recorded, "dataset.copies=2", "as_of=2025-11-01"]
    shutil.rmtree(workdir / "conf-ours")
    with pytest.raises(SystemExit, match=r"conf-ours.*is not there any more(.|\n)*next: bring it back"):
        prepare_llama_dataset.overrides([])
    monkeypatch.setenv("ZANTARA_EXPERIMENT", "ours")
    assert prepare_llama_dataset.overrides([]) == ["stage=prepare"]
    assert extract_dataset_from_postgres.overrides([]) == ["stage=extract"]


def test_two_folders_with_an_experiment_of_one_name(workdir: Path) -> None:
    """`zantara-exp init` calls every team's experiment `ours`."""
    a = team(workdir / "A" / "conf-ours", "source: {days: 7}")
    b = team(workdir / "B" / "conf-ours", "source: {days: 99}")
    quote = team(workdir / "team'b", "source: {days: 99}")
    theirs = compose(["experiment=ours", "paths.dataset=A/data"], a)
    layout = Layout(theirs)
    lies(theirs, layout, config_dir=a, overrides=("experiment=ours", "paths.dataset=A/data"))
    for folder in (b, quote):
        mine = compose(["experiment=ours", "paths.dataset=A/data"], folder)
        with of_this_command(Given(folder, ("experiment=ours", "paths.dataset=A/data"))):
            error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], mine, layout))  # noqa: B023
            assert "of another experiment (other settings of source)" in error.message
            assert "written by  experiment=ours (--config-dir=A/conf-ours), the demo" in error.message
            assert f"configured  experiment=ours (--config-dir={Path(folder).relative_to(workdir)})" in error.message
            assert followed(error.hint).source.days == 7
            for path in (str(workdir), "A", "B"):
                assert f"{path}/" not in refusal(layout.extract_summary, mine, layout).partition(";")[0][1:]


def test_a_folder_that_moves_and_another_working_directory_are_no_difference(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, given = team(workdir / "conf-ours", "source: {days: 7}"), ("experiment=ours",)
    theirs = compose(given, folder)
    layout = Layout(theirs)
    lies(theirs, layout, config_dir="conf-ours", overrides=given)
    told = json.loads(layout.extract_summary.read_text())["origin"]
    assert told["config_dir"] == "../../conf-ours"  # no path of this machine
    (workdir / "elsewhere").mkdir()
    monkeypatch.chdir(workdir / "elsewhere")
    for named in ("../conf-ours", folder):
        with of_this_command(Given(named, given)):
            refuse_others("prepare", [layout.raw_conversations], theirs, layout)
    error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], composed("seed=3"), layout))
    assert f"--config-dir={folder}" in error.hint
    assert followed(error.hint).source.days == 7
    moved = str(Path(folder).rename(workdir / "conf-moved"))
    with of_this_command(Given(moved, given)):
        refuse_others("prepare", [layout.raw_conversations], theirs, layout)
    error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], composed("seed=3"), layout))
    assert error.hint.startswith(f"bring back what wrote it: --config-dir={folder}: is no folder   # to go on")
    assert "init" not in error.hint


def test_the_folder_of_a_published_model_is_no_other_experiment(workdir: Path) -> None:
    config = composed()
    layout = Layout(config)
    lies(composed("dataset.copies=2"), layout)
    (workdir / "model" / "conf" / "endpoint").mkdir(parents=True)
    with of_this_command(Given("model/conf", ("endpoint=candidate",))):
        refuse_others("shadow", [layout.raw_conversations], config, layout)


def test_a_database_that_moved_is_named_and_no_repeat_is_offered(
    production: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, given = Layout(production), Given(overrides=("source=postgres",))
    lies(production, layout, overrides=given.overrides)
    monkeypatch.setenv("DATABASE_URL", "postgresql://reader:hunter2@db2:5432/prod")
    said = "DATABASE_URL points to db2:5432/prod, the data came from db.example.org:5433/app: set it back"
    with of_this_command(given):
        for stage, reads in (("extract", []), ("prepare", [layout.raw_conversations])):
            error = refused(lambda: refuse_others(stage, reads, production, layout))  # noqa: B023
            first, anew = error.hint.splitlines()
            assert first.startswith(f"{said}   # to go on with")
            assert "stage=extract force=true" in anew
            assert "hunter2" not in str(error)
    monkeypatch.setenv("DATABASE_URL", URL)
    with of_this_command(given):
        refuse_others("prepare", [layout.raw_conversations], production, layout)


def test_a_file_named_from_another_working_directory(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("source=jsonl", "source.path='our chats.jsonl'")
    config = compose(given)
    layout = Layout(config)
    lies(config, layout, overrides=given)
    (workdir / "sub").mkdir()
    monkeypatch.chdir(workdir / "sub")
    again = compose([*given, "paths.dataset=../data/llama_ft_dataset"])
    with of_this_command(Given(overrides=(*given, "paths.dataset=../data/llama_ft_dataset"))):
        error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], again, layout))
    on = followed(error.hint)
    assert (on.source.path, on.paths.dataset) == ("../our chats.jsonl", "../data/llama_ft_dataset")
    refuse_others("prepare", [layout.raw_conversations], on, layout)


def test_a_config_that_changed_since_says_what_to_set_back(workdir: Path) -> None:
    own = team(workdir / "conf-ours", "defaults:\n  - override /source: postgres\nsource: {table: chats}")
    theirs = compose(["experiment=ours"], own)
    layout = Layout(theirs)
    lies(theirs, layout, config_dir=own, overrides=("experiment=ours",))
    file = Path(own) / "experiment" / "ours.yaml"
    file.write_text(file.read_text().replace("table: chats", "table: copies"))
    with of_this_command(Given(own, ("experiment=ours",))):
        mine = compose(["experiment=ours"], own)
        error = refused(lambda: refuse_others("prepare", [layout.raw_conversations], mine, layout))
    assert re.match(r"the data came from .*, table chats, what wrote them now names .*, table copies: ", error.hint)
    assert "set source.table back   # to go on" in error.hint


@pytest.mark.parametrize(("note", "told"), [(None, "is not there"), ('{"origin": {"sou', "cannot be read"), ("3", "")])
def test_data_that_nothing_says_whose_they_are(note: str | None, told: str, workdir: Path) -> None:
    config = composed()
    layout = Layout(config)
    lies(config, layout)
    layout.extract_summary.unlink()
    if note is not None:
        layout.extract_summary.write_text(note)
    error = refused(lambda: refuse_others("extract", [], config, layout))
    assert f"nothing says whose it is: extract.json {told}" in error.message
    assert followed(error.hint).force
    config.force = True
    refuse_others("extract", [], config, layout)


def test_a_model_of_another_source_or_experiment_is_not_replaced_unasked(production: Config, workdir: Path) -> None:
    demo = composed()
    layout = Layout(demo)
    lies(production, layout)
    trained(production, layout)
    lies(demo, layout)
    error = refused(lambda: refuse_others("train", [layout.train, layout.val], demo, layout))
    assert "models/zantara-tiny holds a model of another source, which this would replace" in error.message
    replace, beside = error.hint.splitlines()
    assert followed(replace).force
    other = followed(beside.removeprefix("  or:   "))
    for asked in (followed(replace), other):
        refuse_others("train", [layout.train, layout.val], asked, Layout(asked))
    assert Layout(other).model != layout.model
    trained(demo, layout, overrides=("experiment=theirs",))
    demo.dataset.copies = 2
    lies(demo, layout)
    error = refused(lambda: refuse_others("train", [layout.train], demo, layout))
    assert "model of another experiment (other settings of dataset)" in error.message
    with of_this_command(Given(overrides=("experiment=theirs",))):  # its own, with another key
        refuse_others("train", [], demo, layout)


def test_a_better_mapping_trains_anew_without_being_asked(production: Config, workdir: Path) -> None:
    layout = Layout(production)
    trained(production, layout)
    lies(production, layout)
    trained(production, layout)
    mapped = changed(production)
    mapped.source.columns.model = "ai_model_used"
    lies(mapped, layout)
    refuse_others("train", [layout.train], mapped, layout)


def test_what_to_do_first_is_what_is_missing(production: Config, workdir: Path) -> None:
    """A model of another source, and of what is configured nothing, or some of it."""
    demo = composed()
    layout = Layout(demo)
    lies(production, layout)
    trained(production, layout)

    def first() -> str:
        return refused(lambda: refuse_others("evaluate", [layout.train_summary], demo, layout)).hint.splitlines()[1]

    assert "stage=extract force=true   # replace it" in first()
    layout.raw_conversations.unlink()
    layout.extract_summary.unlink()
    assert first().endswith("stage=extract   # extract what is configured")
    layout.raw_conversations.touch()  # nobody knows whose
    assert "stage=extract force=true" in first()
    lies(demo, layout)
    layout.prepare_summary.unlink()
    assert first().endswith("stage=prepare   # what is configured is extracted already")
    lies(demo, layout)
    assert first().endswith("stage=train force=true   # what is configured is prepared already")


def test_what_cannot_be_read_says_nothing(workdir: Path) -> None:
    file = workdir / "extract.json"
    for text in ("", "{", "[]", "3"):
        file.write_text(text)
        assert noted(file) is None
