"""Every message that a user can cause says what to do next."""

from __future__ import annotations

import ast
import copy
import shlex
import subprocess
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

import zantara_exp
from tests.rollout.support import act, config_of, write_verdict
from tests.training.support import Remembered
from zantara_exp.config import Config, compose
from zantara_exp.core import errors
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import Given, command, of_this_command
from zantara_exp.core.reuse import Fingerprint
from zantara_exp.core.stage import Context
from zantara_exp.core.stage_table import STAGES
from zantara_exp.training.publish import _next as after_publishing

PACKAGE = Path(zantara_exp.__file__).parent
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def error_names() -> set[str]:
    """ZantaraError and all that descend from it."""
    names = {name for name, found in vars(errors).items() if isinstance(found, type)}
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in range(3):  # as deep as they go
        names |= {node.name for node in classes if {getattr(base, "id", "") for base in node.bases} & names}
    return names


def sites() -> Iterator[tuple[str, ast.Call]]:
    names = error_names()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_message_comes_with_what_to_do_next() -> None:
    """The hint is an argument of its own, so that nobody forgets it; and it is no empty word."""
    found = dict(sites())
    assert len(found) > 150  # the search finds them
    bare, empty = [], []
    for where, call in found.items():
        unpacked = any(isinstance(argument, ast.Starred) for argument in call.args)
        hints = call.args[1:] + [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
        if not hints and not unpacked:
            bare.append(where)
        empty += [where for hint in hints if isinstance(hint, ast.Constant) and len(str(hint.value)) < 8]
    assert bare == []
    assert empty == []


# The mistakes people make most: what the message has to name. One compose finds all of a group.
TYPED = {
    "stge=train": "stge: no such key; did you mean stage? (valid: as_of,",
    "stage=trian": "stage=trian: no such option; did you mean train? (valid: analyze,",
    "model=lama8b": "model=lama8b: no such option; did you mean llama8b? (valid:",
    "source=postgre": "source=postgre: no such option; did you mean postgres? (valid: embedded,",
    "gate=gonogo": "gate=gonogo: no such option; did you mean go_no_go? (valid: daily,",
    "endpoint=tgi": "endpoint=tgi: no such option; (valid: anthropic,",
    "tracking=cloud": "tracking=cloud: no such option; (valid: local, server)",
    "log=s3": "log=s3: no such option; (valid: jsonl, postgres)",
    "trainer.epoch=3": "trainer.epoch: no such key; did you mean epochs? (valid:",
    "trainer.epochs=many": "trainer.epochs=many: is not a number",
    "seed=1.5": "seed=1.5: is not a whole number",
    "force=maybe": "force=maybe: is not true or false",
    "source.day=30": "source.day: no such key; did you mean days? (valid:",
    "source.columns.usr=user_id": "source.columns.usr: no such key; did you mean user? (valid:",
    "dataset.languages=it": "dataset.languages=it: is not a list, such as [a,b]",
    "paths=data": "paths=data: is a group of keys, not a single value",
    "shadow.trafic_percent=5": "did you mean traffic_percent? (valid:",
    "DATABASE_URL=x": "DATABASE_URL: no such key; (valid:",
    "trainer": "trainer: is not written as key=value; quote values",
    "model.name=[a": "model.name=[a: is not written as key=value; quote values",
    "--stage=train": "--stage=train: is not written as key=value",
    "~rollout": "~rollout: a part of the config is not taken away; choose an option instead: rollout=NAME",
    "+gate=daily": "gate has an option already; write it without +",
}
OUT_OF_RANGE = {
    "trainer.learning_rate=7": "must be above 0 and below 1",
    "shadow.traffic_percent=200": "must be at least 0 and at most 100",
    "gate.alpha=7": "must be above 0 and at most 0.25",
    "source.days=0": "must be at least 1",
    "rollout.action=begin": "must be one of status, start, advance, pause, resume, widen, rollback",
    "endpoint.kind=grpc": "must be one of local, openai,",
}
AGAINST_A_RULE = {
    "as_of=tomorrow": "is not a day, such as 2025-11-03",
    "gateway.host=0.0.0.0": "gateway.token_env=GATEWAY_TOKEN",
    "review.host=0.0.0.0": "review.token_env=REVIEW_TOKEN",
    "review.adjudicator=''": "name who settles",
    "model.output=../x": "names one folder under paths.models",
    "paths.logs=''": "paths.logs",
    "gateway.openai_url=ftp://host": "must begin with http:// or https://",
    "rollout.steps_percent=[50,10]": "rollout.steps_percent",
    "source.url_env=db": "names an environment variable, in capitals, such as DATABASE_URL",
}


@pytest.mark.parametrize("mistakes", [TYPED, OUT_OF_RANGE, AGAINST_A_RULE])
def test_each_usual_mistake_is_named_with_its_key_and_what_is_valid(mistakes: dict[str, str]) -> None:
    with pytest.raises(errors.ConfigError) as refused:
        compose(list(mistakes))
    lines = refused.value.message.splitlines()[1:]
    for override, words in mistakes.items():
        key = override.lstrip("+").partition("=")[0]
        assert [line for line in lines if key in line and words in line], (override, lines)
    assert refused.value.hint == "python -m zantara_exp --help"


# stage, what is set, words of the message, words of what to do next
IN_A_STAGE = [
    ("extract", {"source.kind": "postgres", "source.stats_only": True}, "DATABASE_URL", "export DATABASE_URL="),
    ("extract", {"source.kind": "postgres"}, "ZANTARA_HASH_KEY is not set", "export ZANTARA_HASH_KEY="),
    (
        "extract",
        {"source.kind": "jsonl", "source.path": "no.jsonl", "source.stats_only": True},
        "no.jsonl",
        "source.path",
    ),
    ("analyze", {}, "raw_conversations.jsonl is not there; stage=extract writes it", "stage=extract"),
    ("prepare", {}, "raw_conversations.jsonl is not there", "stage=extract"),
    ("train", {}, "train.jsonl is not there", "stage=prepare"),
    ("evaluate", {}, "train.json is not there", "stage=train"),
    ("publish", {}, "train.json is not there", "stage=train"),
    ("shadow", {}, "is not there", "stage="),
    ("report", {}, "logs", "stage=shadow"),
    ("review", {}, "logs", "stage=shadow"),
    ("rollout", {"rollout.action": "start"}, "no verdict.json", "stage=gate gate=go_no_go"),
    ("rollout", {"rollout.action": "advance"}, "", "stage="),
    ("rollout", {"rollout.notify.url_env": "HOOK_URL"}, "HOOK_URL: this environment variable", "export HOOK_URL="),
    ("forget", {}, "nothing is named to remove", "privacy.users_file=ids.txt"),
    ("rekey", {}, "ZANTARA_HASH_KEY", "ZANTARA_HASH_KEY"),
]


@pytest.fixture(scope="module")
def defaults() -> Config:
    return compose([])


@pytest.mark.parametrize(("stage", "changed", "words", "then"), IN_A_STAGE)
def test_what_a_stage_lacks_is_named_with_the_next_command(
    workdir: Path, defaults: Config, stage: str, changed: dict[str, object], words: str, then: str
) -> None:
    config = copy.deepcopy(defaults)
    for key, value in changed.items():
        *nodes, name = key.split(".")
        setattr(reduce(getattr, nodes, config), name, value)
    spec, layout = STAGES[stage], Layout(config)

    def run() -> None:
        Fingerprint.of(spec, config, layout)  # looks for the stage's inputs
        spec.load()(config, Context(config, Remembered(), workdir))

    with pytest.raises(errors.ZantaraError) as refused:
        run()
    assert words in refused.value.message
    assert then in refused.value.hint


def test_what_was_said_of_one_command_is_not_said_of_the_next() -> None:
    given = ("stage=rollout", "rollout.action=advance", "rollout.reason='week 1'", "experiment=ours", "review.labels=x")
    with of_this_command(Given(overrides=given)):
        said = command("stage=rollout", "rollout.action=status")
    assert shlex.split(said) == [
        "python",
        "-m",
        "zantara_exp",
        "stage=rollout",
        "rollout.action=status",
        "experiment=ours",
    ]


def test_next_commands_are_lines_of_a_shell() -> None:
    """No `   (or ...)` behind them: overrides are put there, and people copy them."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "next_command":
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        assert "(" not in part.value, f"{path.name}:{node.value.lineno}"


def test_a_published_model_is_reached_with_a_folder_of_ones_own(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Path("models/zantara tiny/conf/endpoint/candidate.yaml").absolute()
    endpoint.parent.mkdir(parents=True)
    endpoint.write_text("name: candidate\n")
    assert shlex.split(after_publishing(endpoint))[-1] == f"--config-dir={endpoint.parents[1].relative_to(workdir)}"
    Path("conf-ours").mkdir()
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", "conf-ours")
    copied, _, shadow = after_publishing(endpoint).rpartition(" && ")
    subprocess.run(["sh", "-c", copied], check=True)
    assert Path("conf-ours/endpoint/candidate.yaml").read_text() == endpoint.read_text()
    assert shadow == "python -m zantara_exp stage=shadow endpoint=candidate --config-dir=conf-ours"


def test_a_rollout_without_a_go_is_not_told_to_start(workdir: Path) -> None:
    told = act("status")
    assert "no verdict.json" in told.summary["a start is refused"]
    assert told.next_command == "python -m zantara_exp stage=gate gate=go_no_go"
    write_verdict(config_of())
    told = act("status")
    assert "a start is refused" not in told.summary
    assert told.next_command.endswith("rollout.action=start")
