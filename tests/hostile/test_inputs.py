"""Files and configs that somebody wrote to do harm: they are refused or counted, never run, never endless."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zantara_exp.config import compose, folders
from zantara_exp.config.data import Columns, Source
from zantara_exp.config.diagnostics import _file_problems
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.dataset import embedded, query
from zantara_exp.dataset.messages import Malformed, parse_messages
from zantara_exp.dataset.reading import json_lines
from zantara_exp.review.sample import Item, Sample
from zantara_exp.review.sheet import sheet
from zantara_exp.shadow.reader import BadLine, parse_line

ROOT = Path(__file__).resolve().parents[2]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = ("schema_version", "record", "comparison_id", "request_id", "epoch", "arm", "timestamp", "messages", "user",
        "user_id", "query", "primary", "candidate", "claude", "llama", "comparison", "sampling", "dropped")  # fmt: skip
SIDE = {"response": "a", "latency_ms": 1.0, "tokens_input": 1}
WHOLE: dict[str, Any] = {
    "schema_version": 2, "comparison_id": "c", "request_id": "r", "epoch": "e", "arm": "candidate", "user": "u",
    "timestamp": "2025-10-20T10:00:00Z", "messages": [{"role": "user", "content": "hi"}], "primary": SIDE,
    "candidate": SIDE, "user_id": 7, "claude": SIDE, "llama": SIDE,
}  # fmt: skip


@settings(max_examples=120)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4), st.sampled_from([1, 2]), st.binary(max_size=30))
def test_no_line_makes_the_log_reader_fail(wrong: dict[str, Any], version: int, noise: bytes) -> None:
    line = json.dumps({**WHOLE, "schema_version": version, **wrong}).encode()
    for sent in (line, noise, line[: len(line) // 2] + noise, line.replace(b"1.0", b"1e999"), b"[" * 100_000):
        with contextlib.suppress(BadLine):
            parse_line(sent, str)


@settings(max_examples=120)
@given(
    st.one_of(
        values,
        st.lists(st.fixed_dictionaries({"role": values, "content": values}), max_size=3),
        st.text(max_size=30),
        st.just("[" * 200_000),
        values.map(lambda value: {"messages": value}),
    )
)
def test_no_chat_makes_the_message_parser_fail(value: object) -> None:
    with contextlib.suppress(Malformed):
        for message in parse_messages(value):
            orjson.dumps(message)  # what was taken can be written


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cut.gz", gzip.compress(b'{"messages":[]}\n' * 5000)[:60], "cannot be unpacked"),
        ("none.gz", b"plain text\n", "cannot be unpacked"),
        ("none.zst", b"plain text\n", "cannot be unpacked"),
        ("crc.gz", gzip.compress(b'{"messages":[]}\n')[:-8] + bytes(8), "cannot be unpacked"),
        ("bomb.gz", gzip.compress(bytes(80_000_000), 1), "line 1 is too long"),
        ("deep.jsonl", b"[" * 200_000 + b"\n", "line 1 is no JSON"),
    ],
)
def test_an_exported_file_that_is_none_is_refused_with_its_line(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ZantaraError, match=says):
        list(json_lines(tmp_path / name))


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "# a bomb\n" + "\n".join(lines) + "\n"


def test_a_yaml_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "bomb.yaml").write_text(bomb(9))
    command = [sys.executable, "-m", "zantara_exp", "--config-dir", str(tmp_path), "stage=doctor"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2
    assert "its anchors unfold to 4" in done.stderr
    (tmp_path / "model" / "bomb.yaml").write_text("# anchors as people use them\nshape: &s {hidden: 64}\nother: *s\n")
    assert compose([], str(tmp_path)).model.name == "tiny"


@pytest.mark.parametrize("key", ["_target_", "'_target_'", '"\\x5ftarget_"'])
def test_a_folder_of_configs_names_no_code_also_below_hydra(tmp_path: Path, key: str) -> None:
    """Hydra calls what its own part of a config names, before the schema sees anything."""
    (tmp_path / "experiment").mkdir()
    callback = f"hydra:\n  callbacks:\n    evil:\n      {key}: zantara_exp.cli.main.main\n"
    (tmp_path / "experiment" / "evil.yaml").write_text("# @package _global_\n" + callback)
    with pytest.raises(ConfigError, match="names no code"):
        compose(["experiment=evil"], str(tmp_path))


def test_no_value_leads_out_of_its_place() -> None:
    overrides = [
        "+trainer._target_=os.system",
        "+source.columns._target_=subprocess.run",
        "model.output=../../etc",
        "source.database='demo; drop'",
        "source.table=a.b.c",
        "gate.name=../../x",
        "endpoint.base_url=file:///etc/passwd",
        "gateway.openai_url=gopher://127.0.0.1",
    ]
    with pytest.raises(ConfigError) as refused:
        compose(["endpoint.kind=openai", "endpoint.model=m", *overrides[:2]])
    assert refused.value.message.count("names no code") == 2
    with pytest.raises(ConfigError) as refused:
        compose(["endpoint.kind=openai", "endpoint.model=m", *overrides[2:]])
    for override in overrides[2:]:
        assert override.split("=")[0] in refused.value.message
    for override in ("model.output=..", "source.database=../demo", "trainer.epochs=" + "9" * 400):
        with pytest.raises(ConfigError, match=override.split("=")[0]):
            compose([override])


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.sampled_from(
        ["seed", "model.output", "source.days", "trainer.learning_rate", "dataset.languages", "stage", "x"]
    ),
    st.text(max_size=12) | values.map(str),
)
def test_any_override_is_taken_or_explained(key: str, value: str) -> None:
    with contextlib.suppress(ConfigError):
        compose([f"{key}={value}"])


BARE = dict.fromkeys(("model", "rating", "language", "tokens_input", "tokens_output", "latency_ms", "session"), "")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with embedded.server(tmp_path_factory.mktemp("postgres")) as server:
        server.create_database("hostile")
        with psycopg.connect(server.conninfo("hostile"), autocommit=True) as connection:
            connection.execute(
                "create table conversations (id text, user_id text, messages jsonb, created_at timestamptz)"
            )
            connection.execute('create table "odd""; drop table conversations; --" (like conversations)')
            yield connection


EVIL = [
    'x"; drop table conversations; --',
    "x'; drop table conversations; --",
    "id) from conversations; --",
    "messages.'||pg_sleep(9)||'",
]


@pytest.mark.parametrize("evil", EVIL)
def test_sql_in_a_config_value_is_a_name_that_is_not_there(database: psycopg.Connection, evil: str) -> None:
    with pytest.raises(ZantaraError):
        query.find_table(database, Source(table=evil.replace(".", " "), columns=Columns(**BARE)))
    for fact in ("model", "user"):
        columns = Columns(**{**BARE, fact: evil})
        with contextlib.suppress(ZantaraError):  # a path into JSON may have any name; it finds nothing
            table = query.find_table(database, Source(columns=columns))
            database.execute(table.select())
    scope, given = query.scope(
        Source(models=[evil], columns=Columns(**{**BARE, "model": "messages.model"})), "-infinity", "infinity"
    )
    table = query.find_table(database, Source(columns=Columns(**{**BARE, "model": "messages.model"})))
    database.execute(psycopg.sql.SQL("select * from ({}) r where {}").format(table.select(), scope), given)
    assert database.execute("select to_regclass('conversations')").fetchone() != (None,)


def test_a_table_with_a_hostile_name_is_quoted(database: psycopg.Connection) -> None:
    name = 'odd"; drop table conversations; --'
    table = query.find_table(database, Source(table=name, columns=Columns(**BARE)))
    assert database.execute(table.select()).fetchall() == []
    assert database.execute("select to_regclass('conversations')").fetchone() != (None,)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "＝1+1"])
def test_no_cell_of_the_worksheet_is_a_formula(text: str) -> None:
    item = Item(1, "c", text, text, text, text, text, text, "A")
    rows = list(csv.reader(io.StringIO(sheet(Sample("e", "2025-10-22", 7, 1, (item,)), ["natural"]), newline="")))
    assert not [cell for cell in rows[1] if re.match(r"\s*[=+\-@＝＋－＠]", cell)]


def test_weights_are_read_from_safetensors_only() -> None:
    """A pickle runs code when it is loaded: every loader is told not to."""
    loaders = []
    ours = {ROOT / "zantara_exp" / name for name in ("spark/__init__.py", "dataset/on_spark/ranges.py")}
    for path in {*(ROOT / "zantara_exp").rglob("*.py")} - ours:  # what Spark's workers of this very run made
        source = path.read_text()
        assert not re.search(
            r"\b(pickle|joblib|cloudpickle|dill)\.loads?\(|torch\.load\(|np\.load\((?!.*allow_pickle=False)|trust_remote_code=True",
            source,
        )
        loaders += re.findall(r"AutoModel\w*\.from_pretrained\((.*?)\n\s*(?:\)|return|model)", source, re.DOTALL)
    assert len(loaders) == 4
    assert all("use_safetensors=True" in call or "gguf_file=" in call for call in loaders)  # neither is a pickle


@pytest.mark.slow
def test_a_model_that_is_a_pickle_is_refused(tmp_path: Path) -> None:
    import pickle

    from zantara_exp.training.export import load_saved

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "pwned").touch, ())

    (tmp_path / "config.json").write_text(
        '{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 8}'
    )
    (tmp_path / "tokenizer.json").write_text('{"version":"1.0","model":{"type":"BPE","vocab":{},"merges":[]}}')
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ZantaraError, match="cannot be loaded"):
        load_saved(tmp_path)
    assert not (tmp_path / "pwned").exists()


YAML_BITS = ["name: ", "base: ", "&a ", "*a", "[", "]", "{", "}", "!!python/object/apply:os.system ", "!!binary ",
             "? ", "- ", "<<: ", "\n", "\n  ", "\t", '"\\u0000"', "2025-13-45", "0o9", "1e999", ".nan", "${model}",
             "${oc.env:X}", "${", "%YAML 9.9\n", "---\n", "...", "~", "'", "#", "x", "shape: ", "hidden_size: ",
             "1:60:60", "!!timestamp x", "!!bool x", "!!int x"]  # fmt: skip


@settings(max_examples=100)
@given(
    st.one_of(
        st.lists(st.sampled_from(YAML_BITS), max_size=12).map("".join).map(str.encode),
        st.binary(max_size=60),
        values.map(json.dumps).map(str.encode),
        st.dictionaries(st.sampled_from(["name", "kind", "shape", "base", "output"]), values, max_size=3)
        .map(json.dumps)
        .map(str.encode),
    )
)
@example(b"a: " + b"9" * 5000)
@example(b"name: " + b"[" * 20_000)
@example(b"name: 2025-13-45")
@example("name: ours\n_target_: os.system".encode("utf-16"))
def test_no_file_makes_the_config_loader_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    own = tmp_path_factory.getbasetemp() / "own-configs"
    (own / "model").mkdir(parents=True, exist_ok=True)
    (own / "model" / "ours.yaml").write_bytes(content)
    with contextlib.suppress(ConfigError):
        found = list(_file_problems(folders(own), "model", "ours"))
        assert all(str(problem) for problem in found)


@pytest.mark.parametrize("content", [b"a: " + b"9" * 5000, b"name: " + b"[" * 20_000, b"name: !!timestamp 2025-13-45"])
def test_a_file_that_yaml_cannot_hold_is_named_like_any_other(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "ours.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"model/ours\.yaml"):
        compose(["model=ours"], str(tmp_path))
