"""Files are written whole or not at all, and a killed run leaves nothing behind for long."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dataset.support import record, rows_of
from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset import records

KILLED = """
import os, signal, sys
from pathlib import Path
from zantara_exp.dataset import records
with records.writer(Path(sys.argv[1])) as out:
    out.write({"messages": "of somebody"})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    file = tmp_path / "raw.jsonl"
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    of_a_living = tmp_path / ".raw.jsonl.1"
    of_a_living.write_text("being written")
    with records.writer(file) as out:
        out.write({"number": 1})
    assert rows_of(file) == [{"number": 1}]
    assert set(tmp_path.iterdir()) == {file, of_a_living}


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "raw.jsonl"
    file.write_text("old\n")
    with pytest.raises(ZeroDivisionError), records.writer(file) as out:
        out.write({"share": 1 / 0})
    assert file.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_cut_off_names_the_next_command(tmp_path: Path) -> None:
    file = tmp_path / "extract.json"
    for text in ('{"rows_read": 3', "[]", "\udcff"):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(ZantaraError, match=r"extract\.json") as told:
            records.read_json(file, "extract")
        assert told.value.hint == "python -m zantara_exp stage=extract force=true"


@pytest.mark.parametrize(
    "line", [{}, [], None, {**record("Ciao"), "metadata": {}}, {**record("Ciao"), "messages": [1]}]
)
def test_a_line_that_is_no_conversation_is_named(tmp_path: Path, line: object) -> None:
    file = tmp_path / "raw_conversations.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (record("Ciao", "Benvenuto"), line)))
    with pytest.raises(ZantaraError, match=r"raw_conversations\.jsonl, line 2 is no conversation"):
        list(records.read_conversations(file))
