"""The mirror in Celery and in Jupyter. `scripts/extras apps` installs them and runs these tests."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shadow.documented import COUNT, asked, assert_all_compared, block, module, started
from tests.shadow.waiting import wait_for

MISSING = [name for name in ("celery", "nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.usefixtures("workdir"),
    pytest.mark.interpreter,
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed here; next: scripts/extras apps"),
]

_SENDS = """
from tasks import chat
for number in range({count}):
    chat.delay(f"user-{{number}}", "Ciao, come stai?")
"""
_NOTEBOOK = """
import nbformat, pathlib
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(text) for text in pathlib.Path("cells.txt").read_text().split("# ---")]
book = nbformat.v4.new_notebook(cells=cells)
NotebookClient(book, timeout=120, kernel_name="python3").execute()
print(book.cells[-1].outputs)
"""


@pytest.mark.parametrize(
    "pool",
    [
        ("--concurrency", "2", "--max-tasks-per-child", "10"),
        pytest.param(("--concurrency", "2"), marks=pytest.mark.slow),
        pytest.param(("--pool", "threads", "--concurrency", "4"), marks=pytest.mark.slow),
        pytest.param(("--pool", "solo"), marks=pytest.mark.slow),
    ],
    ids=["ten tasks a child", "prefork", "threads", "solo"],
)
def test_celery(pool: tuple[str, ...]) -> None:
    for folder in ("queue", "control"):
        Path(folder).mkdir()
    words = ("-A", "tasks", "worker", "--loglevel", "warning", "--without-gossip", "--without-mingle")
    with started(*module("celery", *words, *pool), tasks=block("tasks.py, Celery")) as worker:
        environment = {**os.environ, "PYTHONPATH": f"{Path.cwd()}{os.pathsep}{os.environ['PYTHONPATH']}"}
        sends = [sys.executable, "-c", _SENDS.format(count=COUNT)]
        subprocess.run(sends, env=environment, check=True, timeout=120)
        wait_for(lambda: asked() == COUNT)
        worker.send_signal(signal.SIGTERM)  # which lets tasks end
        assert worker.wait(120) == 0
    assert_all_compared()


@pytest.mark.parametrize("again", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["once", "a cell again"])
def test_jupyter(again: bool) -> None:
    cell = block("a cell")
    cells = [cell.replace("range(20)", "range(10)"), cell.replace("range(20)", "range(10, 20)")] if again else [cell]
    Path("cells.txt").write_text("# ---\n".join([*cells, "shadow.stats"]), encoding="utf-8")
    with started(sys.executable, "-c", _NOTEBOOK) as notebook:
        assert notebook.wait(120) == 0, Path("said.txt").read_text(encoding="utf-8")
    assert_all_compared()
    seen = 10 if again else COUNT
    assert f"observed={seen}, sampled={seen}" in Path("said.txt").read_text(encoding="utf-8")
