"""Reading the splits: what is wrong is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.training.data import read_split

GOOD = {
    "messages": [{"role": "user", "content": "Halo"}, {"role": "assistant", "content": "Halo!"}],
    "metadata": {"language": "id"},
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def test_reads_what_prepare_writes(tmp_path: Path):
    (example,) = read_split(write(tmp_path / "train.jsonl", GOOD))
    assert (example.language, example.category, example.answer, example.question) == ("id", "unknown", "Halo!", "Halo")


def test_an_absent_split_says_which_stage_writes_it(tmp_path: Path):
    with pytest.raises(MissingInputError) as caught:
        read_split(tmp_path / "train.jsonl")
    assert caught.value.hint == "python -m zantara_exp stage=prepare"


def test_an_empty_split_is_an_error(tmp_path: Path):
    with pytest.raises(MissingInputError, match="the split is empty"):
        read_split(write(tmp_path / "val.jsonl", "\n"))


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("{broken\n", "is not JSON"),
        ({"metadata": {}}, "`messages` is not a list"),
        ([1], "`messages` is not a list"),
        ({"messages": ["hi"]}, "is not {role, content}"),
        ({"messages": [{"role": "user", "content": 3}]}, "is not {role, content}"),
        ({"messages": GOOD["messages"][:1]}, "the last message is not an answer"),
        ({"messages": [{"role": "assistant", "content": "  "}]}, "the last message is not an answer"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: object, what: str):
    with pytest.raises(ZantaraError, match=what) as caught:
        read_split(write(tmp_path / "train.jsonl", GOOD, row))
    assert "line 2" in str(caught.value)
