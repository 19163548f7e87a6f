"""`scripts/bench NAME [--strict] [--write] [--seed N] [--simulations N | --rows N]`; without a NAME it lists them.

Exit status 0 when it ran; with --strict 1 when a goal was missed. The last line is a summary.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tools.bench.report import Report, write_section
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table

NAMES = {
    "gates": "error rates and days to a decision of the gate's statistics, beside other rules",
    "redact": "megabytes of chat redacted in a second, beside the redactor before; what it finds of marked texts",
    "dataset": "conversations of a kilobyte from the database to splits: time and memory, drawn out to a million",
    "extract": "rows a second and memory of reading conversations, beside a bare COPY",
    "analysis": "the comparison log's numbers beside a hand-written query and a Python loop; compaction; Spark",
    "gateway": "what the gateway costs the traffic through it: requests a second, added latency, streams, a rollout",
    "shadow": "what mirror and gateway cost the traffic beside them; kill -9 and a candidate that is away",
    "startup": "what a user waits for before anything happens: wall time and imports of the usual commands",
    "rollout": "the router's microseconds, a rollback on four replicas, and simulated ramps under the guardrails",
    "train": "tokens a second and memory of stage=train, beside a bare TRL script",
    "smollm2": "the same with a real base by LoRA, and memory at 4,096 tokens with the loss in chunks",
}
"""Each is a module of this package with `run(size, seed) -> Report`; None is its own size."""
DOCS = Path("docs") / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or list them; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure again what the project claims.")
    parser.add_argument("name", nargs="?", choices=list(NAMES), help="which one; without it they are listed")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--write", action="store_true", help=f"update the benchmark's section of {DOCS}")
    parser.add_argument("--seed", type=int, default=7, help="seed of everything random (default 7)")
    size = "rollouts per rate, or rows to read (default: the benchmark's own)"
    parser.add_argument("--simulations", "--rows", type=int, dest="size", help=size)
    given = parser.parse_args(arguments)
    if given.size is not None and given.size < 100:
        parser.error(f"--simulations {given.size}: at least 100, or a rate says nothing")
    if given.list or given.name is None:
        terminal.show(Table("benchmarks", [], [[name, what] for name, what in NAMES.items()]))
        terminal.say("next: scripts/bench NAME")
        return 0
    report: Report = import_module(f"tools.bench.{given.name}").run(given.size, given.seed)
    for table in [*report.tables, report.goal_table]:
        terminal.show(table)
    if given.write:
        write_section(report, DOCS)
        terminal.say(f"wrote {DOCS}")
    for goal in report.missed:
        terminal.say("missed: " + ", ".join(goal.row()[:3]))
    terminal.say(report.summary())
    return 1 if given.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
