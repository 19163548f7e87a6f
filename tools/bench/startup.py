"""What a user waits for before anything happens: wall time and imports of the commands that are typed most."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.bench.checkout import environment
from tools.bench.report import Goal, Report
from zantara_exp.stage import Table

_HEAVY = ("torch", "transformers", "mlflow", "datasets", "scipy.stats", "pandas", "duckdb", "ibis", "matplotlib")
_PROGRAM = """
import atexit, json, sys
def seen():
    json.dump([len(sys.modules), [name for name in {heavy!r} if name in sys.modules]], open({out!r}, "w"))
atexit.register(seen)
from zantara_exp.runner import run_overrides
sys.exit(run_overrides({arguments!r}))
"""
_COMMANDS: dict[str, list[str]] = {
    "--help": ["--help"],
    "--cfg job": ["--cfg", "job"],
    "a wrong key": ["trainer.learning_rat=1"],
    "stage=gate, nothing to judge": ["stage=gate"],
    "stage=check, every shipped gate": ["stage=check"],
}
_LIMITS = {"--help": 0.7, "stage=check, every shipped gate": 60.0}


def run(size: int | None, seed: int) -> Report:
    """Time each command in a directory of its own; `size` is of no meaning here, `seed` that of stage=check."""
    began = time.monotonic()
    bare = statistics.median(_seconds([sys.executable, "-c", "pass"], Path()) for _ in range(5))
    rows, goals = [["python -c pass", f"{bare:.2f}", "", "", ""]], []
    with tempfile.TemporaryDirectory() as scratch:
        for name, arguments in _COMMANDS.items():
            times, modules, heavy = _timed(arguments, Path(scratch), repeats=1 if "check" in name else 5, seed=seed)
            middle = statistics.median(times)
            rows.append([name, f"{middle:.2f}", f"{max(times):.2f}", f"{modules:,}", ", ".join(heavy) or "none"])
            if name in _LIMITS:
                goals.append(Goal(f"{name}: seconds", round(middle, 2), None, _LIMITS[name]))
    columns = ["command", "seconds (median)", "slowest", "modules", "heavy ones among them"]
    intro = (
        "Wall time of whole processes, the interpreter's own start included. The first use of a directory, which makes "
        "MLflow's database, is among the runs of stage=gate: it is the slowest."
    )
    command = "scripts/bench startup"
    return Report("startup", command, intro, [Table("start-up", columns, rows)], goals, time.monotonic() - began)


def _timed(arguments: list[str], folder: Path, repeats: int, seed: int) -> tuple[list[float], int, list[str]]:
    out = folder / "modules.json"
    given = [*arguments, f"seed={seed}"] if arguments[0].startswith("stage=") else arguments
    program = _PROGRAM.format(heavy=_HEAVY, out=str(out), arguments=given)
    times = [_seconds([sys.executable, "-c", program], folder) for _ in range(repeats)]
    modules, heavy = json.loads(out.read_text())
    return times, modules, heavy


def _seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=False)  # noqa: S603
    return time.perf_counter() - began
