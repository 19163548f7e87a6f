import gzip
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from tests.dataset.support import config_of, context_of, rows_of
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset.exports import line_of
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.importing import import_file, row
from zantara_exp.dataset.prepare import prepare

CHAT = [{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Benvenuto a Bali!"}]
NOON = datetime(2025, 11, 3, 12, tzinfo=UTC)
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_what_is_not_said_is_assumed_and_marked() -> None:
    made = row(line_of({"messages": CHAT, "conv_id": "x1", "lang": "it"}), NOON)
    assert made.user_id == "of x1"
    assert made.created_at == NOON
    assert made.metadata == {
        "model": "haiku (assumed)",
        "language": "it",
        "tokens_input": 1,
        "tokens_output": 4,
        "assumed": ["created_at", "model", "tokens_input", "tokens_output", "user_id"],
    }


def test_what_is_said_is_kept() -> None:
    line = {
        "messages": CHAT,
        "user_id": "u",
        "timestamp": "2025-10-01T08:00:00",
        "metadata": {"model": "sonnet", "tokens_input": 5, "tokens_output": 6, "rating": 4},
    }
    made = row(line_of(line), NOON)
    assert (made.user_id, made.created_at) == ("u", datetime(2025, 10, 1, 8, tzinfo=UTC))
    assert made.metadata == {"model": "sonnet", "tokens_input": 5, "tokens_output": 6, "rating": 4, "assumed": []}


def test_importing_twice_adds_nothing(database: psycopg.Connection, tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl.gz"
    lines = [
        {"messages": CHAT},
        {"conversations": [*CHAT, *CHAT]},
        {"messages": [{"role": "user", "content": "\x00\ud800"}]},
    ]
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)
    assert import_file(file, database, date(2025, 11, 3), 30) == (3, 0)
    assert import_file(file, database, date(2025, 11, 3), 30) == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"), [("", "holds no conversation"), ("{", "line 1"), ('{"x": 1}', "no `messages`")]
)
def test_what_is_no_export_is_named(database: psycopg.Connection, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_text(text)
    with pytest.raises(ZantaraError, match=message):
        import_file(file, database, date(2025, 11, 3), 30)
    with pytest.raises(MissingInputError):
        import_file(tmp_path / "none", database, date(2025, 11, 3), 30)


@pytest.mark.slow
def test_real_chats_become_a_dataset(configured: Callable[..., Config], real_data: Path, state: Path) -> None:
    """Its Italian part is answered in English: refused as such."""
    script = [sys.executable, str(SCRIPTS / "import_conversations.py"), str(real_data / "conversations_dev.jsonl.gz")]
    done = subprocess.run([*script, "--state", str(state)], capture_output=True, text=True, check=True)
    assert "2975 conversations added" in done.stdout
    config = configured("source=imported")
    context = context_of(config)
    extract(config, context)
    prepare(config, context)
    reasons = [each["reason"] for each in rows_of(context.layout.rejected)]
    assert reasons.count("language_mismatch") > 500
    assert len(rows_of(context.layout.raw_conversations)) == 2975


def test_scripts_say_what_the_config_would() -> None:
    import extract_dataset_from_postgres
    import prepare_llama_dataset

    plan = "--days 30 --limit 5000 --models haiku sonnet --output ./data/llama_ft_dataset --min-quality 3 --stats-only"
    config = config_of(*extract_dataset_from_postgres.overrides([*plan.split(), "--", "source.table=a.b"]))
    assert (config.source.kind, config.source.days, config.source.limit) == ("postgres", 30, 5000)
    assert (config.source.models, config.source.min_rating) == (["haiku", "sonnet"], 3.0)
    assert (config.source.stats_only, config.source.table) == (True, "a.b")
    config = config_of(*prepare_llama_dataset.overrides(["--input", "some/raw_conversations.jsonl", "--no-balance"]))
    assert (config.paths.dataset, config.dataset.balance) == ("some", "none")


def a_python_without_the_project(folder: Path) -> Path:
    venv.create(folder / "bare", symlinks=True)
    return folder / "bare" / "bin" / "python"


SHIPPED = sorted(path.name for path in SCRIPTS.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_script_finds_the_projects_python(name: str, tmp_path: Path) -> None:
    """As it lies, by a Python that has no zantara_exp: with .venv beside it, and without."""
    scripts, bare = tmp_path / "checkout" / "scripts", a_python_without_the_project(tmp_path)
    shutil.copytree(SCRIPTS, scripts)
    command = [str(bare), str(scripts / name), "--help"]
    lacking = subprocess.run(command, capture_output=True, text=True)
    assert (lacking.returncode, lacking.stdout) == (1, "")
    assert "next: make setup" in lacking.stderr
    assert "Traceback" not in lacking.stderr
    own = tmp_path / "checkout" / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (own / "python").chmod(0o755)
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert f"usage: {name}" in found.stdout
