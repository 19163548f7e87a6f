"""Files are written whole or not at all, and a killed run leaves nothing behind for long."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dataset.support import rows_of
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
