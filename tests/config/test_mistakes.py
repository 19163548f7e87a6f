"""A wrong config ends with exit status 2 and names key, value, file, what is valid and the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest

from zantara_exp.cli.main import run_overrides
from zantara_exp.config import CONF, compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.endpoints.build import option


def refused(*overrides: str, config_dir: str | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        compose(list(overrides), config_dir)
    assert caught.value.exit_status == 2
    return caught.value.message


def test_wrong_key_names_the_nearest() -> None:
    message = refused("trainer.learning_rat=1e-4")
    assert "command line: trainer.learning_rat: no such key; did you mean learning_rate?" in message


def test_wrong_option_lists_the_valid_ones() -> None:
    message = refused("model=tiy")
    assert "model=tiy: no such option; did you mean tiny?" in message
    assert "llama8b" in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainer.epochs=-3", "trainer.epochs=-3: must be above 0 and at most 100"),
        ("trainer.epochs=many", "trainer.epochs=many: is not a number"),
        ("seed=1.5", "seed=1.5: is not a whole number"),
        ("force=perhaps", "force=perhaps: is not true or false"),
        ("trainer=3", "trainer=3: no such option"),
        ("paths=data", "paths=data: is a group of keys"),
        ("dataset.languages=it", "dataset.languages=it: is not a list"),
        ("dataset.countries=[IT,UK]", "no pack of personal data for UK; did you mean GB? (valid: DE Germany, ES Spain"),
        ("dataset.countries=[Italia]", "no pack of personal data for Italia; did you mean IT?"),
        ("dataset.countries=[XX]", "no pack of personal data for XX; (valid: DE Germany"),
        ("tracking.name=cloud", "tracking.name=cloud: must be one of local, server"),
        ("+trainer._target_=os.system", "trainer._target_=os.system: a config names no code here"),
        ("trainer", "is not written as key=value"),
        ("~rollout", "~rollout: a part of the config is not taken away; choose an option instead: rollout=NAME"),
        ("~model", "~model: a part of the config is not taken away"),
        ("~source=embedded", "~source: a part of the config is not taken away"),
        ("~seed", "~seed: a part of the config is not taken away; give another value"),
        ("gate=null", "gate=null: no such option"),
        ("+model=tiny", "model has an option already; write it without +"),
    ],
)
def test_each_kind_of_mistake(override: str, expected: str) -> None:
    assert expected in refused(override)


@pytest.mark.parametrize(
    "override",
    ["source.url_env='postgresql://ada:hunter2@db/chats'", "endpoint.api_key_env=sk-ant-hunter2",
     "endpoint.base_url='https://ada:hunter2@host/v1'", "endpoint.base_url='https://host/v1?key=hunter2'"],
)  # fmt: skip
def test_a_secret_in_the_place_of_its_variables_name_is_refused_unseen(
    override: str, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, _, value = override.partition("=")
    assert run_overrides(["stage=extract", override]) == 2
    printed = "".join(capsys.readouterr())
    assert f"command line: {key}: " in printed
    assert "hunter2" not in printed
    assert list(workdir.iterdir()) == []  # also nothing of Hydra's
    group, _, name = key.partition(".")
    (workdir / "own" / group).mkdir(parents=True)
    (workdir / "own" / group / "ours.yaml").write_text(
        f"kind: {'openai' if group == 'endpoint' else 'postgres'}\n{name}: {value}\n"
    )
    message = refused(f"{group}=ours", config_dir=str(workdir / "own"))
    assert f"{key}: " in message
    assert "hunter2" not in message


def test_one_entry_of_a_mapping_may_be_taken_away() -> None:
    assert "quality" not in compose(["~gate.criteria.quality"]).gate.criteria


def test_all_mistakes_are_named_at_once() -> None:
    message = refused("trainer.epoch=2", "model=tiy", "trainer.learning_rate=7", "nonsense=1")
    assert "4 mistakes" in message


def test_a_value_out_of_range_is_found_when_everything_composes() -> None:
    assert "command line: trainer.learning_rate=7: must be above 0" in refused("trainer.learning_rate=7")
    assert "command line: rollout.exclude[0]: knows no langage" in refused("rollout.exclude=[{langage: it}]")


def test_the_users_own_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "ours.yaml").write_text("nam: ours\n")
    message = refused("model=ours", config_dir=str(tmp_path))
    assert "model/ours.yaml: model.nam: no such key; did you mean name?" in message


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("gate/go_no_go.yaml", "name: go_no_go\nalpha: 7\n", "gate.alpha=7: must be above 0"),
        ("source/postgres.yaml", "kind: postgres\ndais: 3\n", "source.dais: no such key; did you mean days?"),
        ("source/postgres.yaml", "kind: postgres\ndays: 0\n", "source.days=0: must be at least 1"),
        ("dataset/base.yaml", "dais: 3\n", "dataset.dais: no such key"),
        ("domain/bali.yaml", "languages: {no: {name: Norsk}}\n", "domain.languages.False: YAML reads this key as bool"),
        ("domain/bali.yaml", "categories: {Small-Talk: {}}\n", "domain.categories.Small-Talk: no name of a category"),
        (
            "domain/bali.yaml",
            "languages: {pt-BR: {}}\n",
            "domain.languages.pt-BR: no such language: pt-BR; did you mean pt?",
        ),
        ("domain/bali.yaml", "languages: {NL: {}}\n", "domain.languages.NL: no such language: NL; did you mean nl?"),
        (
            "domain/bali.yaml",
            "categories: {yes: {}}\n",
            'domain.categories.True: YAML reads this key as bool, no text; quote it: "yes":',
        ),
        ("experiment/ours.yaml", "seed: 3\ncost: {monthly_requests: -1}\n", "cost.monthly_requests=-1: must be"),
        ("experiment/ours.yaml", "defaults: [{override /source: postgrs}]\n", "source=postgrs: no such option"),
    ],
)
def test_a_mistake_in_a_file_of_ones_own_is_said_of_that_file(
    file: str, text: str, expected: str, workdir: Path
) -> None:
    chosen = "defaults: [{override /source: postgres}, {override /dataset: mine}]"
    files = {"dataset/base.yaml": "{}", "dataset/mine.yaml": "defaults: [default, base, _self_]", file: text}
    if not file.startswith("experiment"):
        files["experiment/ours.yaml"] = chosen
    for name, content in files.items():
        (workdir / "conf-ours" / name).parent.mkdir(parents=True, exist_ok=True)
        head = "# @package _global_\n" if name.startswith("experiment") else ""
        (workdir / "conf-ours" / name).write_text(head + content)
    assert f"conf-ours/{file}: {expected}" in refused("experiment=ours", config_dir="conf-ours")


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_mistake_of_ones_own_on_the_command_line(
    by_variable: bool, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workdir / "conf-ours" / "gate").mkdir(parents=True)
    (workdir / "conf-ours" / "gate" / "go_no_go.yaml").write_text("name: go_no_go\nalpha: 7\n")
    if by_variable:
        monkeypatch.setenv("ZANTARA_CONFIG_DIR", "conf-ours")
    assert run_overrides(["stage=gate", *([] if by_variable else ["--config-dir=conf-ours"])]) == 2
    assert "conf-ours/gate/go_no_go.yaml: gate.alpha=7: must be above 0" in capsys.readouterr().err


def test_yaml_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "ours.yaml").write_text("name: [tiny\n")
    assert "model/ours.yaml" in refused("model=ours", config_dir=str(tmp_path))


def test_exit_status_and_no_traceback(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["trainer.learning_rat=1"]) == 2
    error = capsys.readouterr().err
    assert "did you mean learning_rate?" in error
    assert "Traceback" not in error


def test_a_sweep_over_a_wrong_option_is_refused_before_it_starts(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_overrides(["-m", "stage=train", "model=tiny,tiy"]) == 2
    assert "did you mean tiny?" in capsys.readouterr().err


def test_a_file_that_is_not_text_is_refused(tmp_path: Path, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "ours.yaml").write_bytes(b"\xff\xfe\x00")
    assert run_overrides(["--config-dir", str(tmp_path), "stage=train", "model=ours"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("name: [tiny\n", "line 2"), ("name: a\nname: b\n", "duplicate key name"), ("a:\n\t- b\n", "line 2")],
)
def test_broken_yaml_says_which_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "ours.yaml").write_text(text)
    assert expected in refused("model=ours", config_dir=str(tmp_path))


def test_a_trainer_of_ones_own_wins_over_what_the_model_likes(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "ours.yaml").write_text("name: trl\nlearning_rate: 7e-4\n")
    trainer = compose(["trainer=ours"], str(tmp_path)).trainer
    assert (trainer.learning_rate, trainer.epochs) == (7e-4, compose([]).trainer.epochs)
    assert compose(["model=llama8b"]).trainer.epochs == 3
    assert compose(["model=llama8b"]).trainer.learning_rate == 2e-4


@pytest.mark.parametrize("override", ["paths.dataset=''", "paths.models=' '", "as_of=2025-13-40", "as_of=tomorrow"])
def test_empty_paths_and_days_that_are_none(override: str) -> None:
    assert override.split("=")[0] in refused(override)


def test_a_file_of_ones_own_stands_for_the_shipped_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "gate"
    own.mkdir()
    shipped = (CONF / "gate" / "go_no_go.yaml").read_text()
    (own / "go_no_go.yaml").write_text(shipped.replace("\nalpha: 0.05", "\nalpha: 0.01"))
    assert compose([], str(tmp_path)).gate.alpha == 0.01
    for given in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"], ["-cd", str(tmp_path)]):
        assert run_overrides([*given, "--cfg", "job", "--package", "gate"]) == 0
        assert "\nalpha: 0.01" in capsys.readouterr().out
    (own / "go_no_go.yaml").write_text(shipped.replace("\nalpha: 0.05", "\nalpha: 7"))
    message = refused(config_dir=str(tmp_path))
    assert "gate.alpha=7: must be above 0" in message


def test_a_folder_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["stage=gate"], ["--help"]):
        assert run_overrides(["--config-dir=nowhere", *command]) == 2
        assert "--config-dir=nowhere: is no folder" in capsys.readouterr().err


def test_ones_own_folder_is_searched_for_what_is_named_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endpoint").mkdir()
    shipped = (CONF / "endpoint" / "openai.yaml").read_text()
    (tmp_path / "endpoint" / "openai.yaml").write_text(shipped.replace("8000", "9000"))
    assert option("openai").base_url == "http://127.0.0.1:8000/v1"
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", str(tmp_path))
    assert option("openai").base_url == "http://127.0.0.1:9000/v1"
    assert compose(["endpoint=openai"]).endpoint.base_url == "http://127.0.0.1:9000/v1"
    assert run_overrides(["--config-dir", str(tmp_path / "nowhere"), "--cfg", "job"]) == 2


@pytest.mark.parametrize(
    "override",
    ["source.models=[[1,1]]", "dataset.filters=[{a:1}]", "domain.languages.it.words=[[1]]", "stage.steps=[[1]]"],
)
def test_a_list_within_a_list_of_names_is_named(override: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compose([override])
    assert f"{override.split('=')[0]}=" in refused.value.message
    assert "holds a list or a group of keys where" in refused.value.message


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("+dataset.patterns={casual: [a]}", "dataset.patterns: is domain.categories.NAME.patterns now"),
        ("+cost.moved_categories=[a]", "cost.moved_categories: is domain.moves now"),
        ("+dataset.leak_patterns=[a]", "dataset.leak_patterns: is domain.leak_patterns now"),
        ("domain.moves=[busines]", "domain.moves=['busines']: no such category: busines (valid: greeting, casual, "),
        ("shadow.categories=[greting]", "not among domain.categories: greting; did you mean greeting?"),
        ("domain.categories.casual.patterns=['(']", "domain.categories.casual.patterns="),
        ("domain.categories.casual.patterns=['hoi|']", "'hoi|' matches where nothing stands"),
        ("domain.moves=[]", "domain.moves=[]: is empty: name what a rollout may move"),
        ("domain.neighbours=[zh-TW]", "no such language: zh-TW; did you mean zh?"),
    ],
)
def test_what_names_a_domains_words_is_held_against_it(override: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compose([override])
    assert says in refused.value.message


def test_a_mistake_in_an_option_of_ones_own_is_its_files(workdir: Path) -> None:
    assert run_overrides(["init", "conf-x"]) == 0
    domain = Path("conf-x/domain/ours.yaml")
    domain.write_text(domain.read_text().replace("otherwise: other", "otherwise: smalltalk"))
    for chosen in (["domain=ours"], ["experiment=ours"]):
        message = refused(*chosen, config_dir="conf-x")
        assert "domain/ours.yaml: domain.otherwise" in message
    assert "command line: domain.otherwise" in refused("domain=ours", "domain.otherwise=smalltalk", config_dir="conf-x")


@pytest.mark.parametrize("key", ["domain.categories", "dataset.targets", "domain.moves", "endpoints", "gate.criteria"])
def test_another_part_of_the_config_in_a_place_is_told(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: holds another part of the config"):
        compose([f"++{key}=${{model}}"])
