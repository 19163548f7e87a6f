"""What a user waits for: wall time of the commands that are typed most, and what they import until they answer."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.bench import analysis_log
from tools.bench.checkout import environment
from tools.bench.report import Goal, Report
from zantara_exp.core.stage import Table

_HEAVY = ("torch", "transformers", "mlflow", "datasets", "scipy.stats", "pandas", "duckdb", "ibis", "matplotlib")
_PROGRAM = """
import atexit, json, os, sys, time
def answered():
    with open({out!r}, "x") as file:
        heavy = [name for name in {heavy!r} if name in sys.modules]
        json.dump(dict(at=time.time(), cpu=sum(os.times()[:4]), modules=len(sys.modules), heavy=heavy), file)
def shown(table):
    show(table)
    if not os.path.exists({out!r}):
        answered()
atexit.register(lambda: os.path.exists({out!r}) or answered())
from zantara_exp.core import terminal
from zantara_exp.cli.main import run_overrides
show, terminal.show = terminal.show, shown
sys.exit(run_overrides({arguments!r}))
"""
_COMMANDS: dict[str, list[str]] = {
    "--help": ["--help"],
    "--cfg job": ["--cfg", "job"],
    "a wrong key": ["trainer.learning_rat=1"],
    "rollout.action=rollback": ["stage=rollout", "rollout.action=rollback"],
    "rollout.action=status": ["stage=rollout"],
    "stage=gate": ["stage=gate"],
    "stage=check, every shipped gate": ["stage=check"],
}
_LIMITS = {
    "--help": 0.7,
    "rollout.action=rollback": 1.0,
    "rollout.action=status": 1.0,
    "stage=gate": 3.0,
    "stage=check, every shipped gate": 60.0,
}
_LOG_ROWS = 600
"""Comparisons to judge, about as many as the demo's log has."""


class Answered(NamedTuple):
    """How a command answered, and ended."""

    seconds: float
    """Until its first table was shown; until its end, where it shows none."""
    cpu: float
    """Processor time until then."""
    ended: float
    modules: int
    heavy: Sequence[str]


def run(size: int | None, seed: int) -> Report:
    """Time each command in a directory of its own; `size` is of no meaning here, `seed` that of stage=check."""
    began = time.monotonic()
    bare = statistics.median(_seconds([sys.executable, "-c", "pass"], Path()) for _ in range(5))
    rows, goals = [["python -c pass", f"{bare:.2f}", "", "", "", "", ""]], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        analysis_log.write(folder / "logs" / "shadow_mode", _LOG_ROWS, seed)
        for name, arguments in _COMMANDS.items():
            found = timed(arguments, folder, repeats=1 if "check" in name else 5, seed=seed)
            seconds = [each.seconds for each in found]
            middle, last = statistics.median(seconds), found[-1]
            figures = middle, max(seconds), last.cpu, last.ended
            rows.append(
                [name, *(f"{value:.2f}" for value in figures), f"{last.modules:,}", ", ".join(last.heavy) or "none"]
            )
            if name in _LIMITS:
                goals.append(Goal(f"{name}: seconds", round(middle, 2), None, _LIMITS[name]))
    columns = ["command", "answers after (median)", "slowest", "processor", "ends after", "modules", "heavy among them"]
    intro = (
        "Seconds from the start of a process until it shows its first table (its end, where it shows none), the "
        "interpreter's own start included; processor seconds, modules and the heavy ones are those until then. A stage "
        "that is shown first is recorded in MLflow after that, and ends later. The first look at the log of "
        f"{_LOG_ROWS} comparisons, which compacts it, is among the runs of stage=gate: it is the slowest."
    )
    command = "scripts/bench startup"
    return Report("startup", command, intro, [Table("start-up", columns, rows)], goals, time.monotonic() - began)


def timed(arguments: list[str], folder: Path, repeats: int, seed: int) -> list[Answered]:
    """Run a command line in `folder`, a process of its own each time."""
    given = [*arguments, f"seed={seed}"] if arguments[0].startswith("stage=") else arguments
    out, found = folder / "answered.json", []
    for _ in range(repeats):
        out.unlink(missing_ok=True)
        program = _PROGRAM.format(heavy=_HEAVY, out=str(out), arguments=given)
        start = time.time()
        ended = _seconds([sys.executable, "-c", program], folder)
        said = json.loads(out.read_text())
        found.append(Answered(said["at"] - start, said["cpu"], ended, said["modules"], said["heavy"]))
    return found


def _seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 1:  # every command here answers, be it with NO_GO: a program that broke is soon done
        raise RuntimeError(done.stderr[-500:])
    return time.perf_counter() - began
