"""The log's part of `scripts/bench shadow`: a writer of 1,000 comparisons a second, killed -9."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.bench.checkout import environment
from tools.bench.report import Goal
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.io.event_log import EventLog
from zantara_exp.io.events import COMPARISONS
from zantara_exp.shadow.reader import read_log

KILLS = 5
PER_SECOND = 1000

_WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from zantara_exp.io.daily_files import DailyFiles
from zantara_exp.io.events import COMPARISONS
from zantara_exp.shadow.log import ComparisonLog
from zantara_exp.shadow.record import Comparison, Side, comparison_id
folder, run = Path(sys.argv[1]), sys.argv[2]
log, began, number = ComparisonLog(DailyFiles(folder, COMPARISONS, 10**9), "e1", lambda: str), time.monotonic(), 0
while True:
    while number < (time.monotonic() - began) * int(sys.argv[3]):
        name, turns = f"{run}-{number}", [{"role": "user", "content": "Ciao, come stai? " * 30}]
        log.write(Comparison(comparison_id(name, "e1", "candidate"), name, None, "e1", "candidate", datetime.now(UTC),
                             turns, "u", "Ciao", "greeting", "it", Side("Ciao! " * 40), Side("Ciao! " * 40)))
        number += 1
    print(number, flush=True)
    time.sleep(0.005)
"""


def measure(folder: Path, goals: list[Goal]) -> Table:
    """Kill the writer several times; count torn lines and what it had said to have written."""
    terminal.say(f"the log's writer, killed {KILLS} times")
    logs, torn, lost, gone_on = folder / "killed", 0, 0, 0
    for run in range(KILLS):
        written = _killed(logs, run)
        kept = sum(
            getattr(row, "request_id", "").startswith(f"{run}-") for row in read_log(EventLog(COMPARISONS, logs), str)
        )
        lost = max(lost, written - kept)
        torn += sum(not path.read_bytes().endswith(b"\n") for path in logs.glob("shadow_comparison_*.jsonl"))
        gone_on += kept > 0
    goals.append(Goal(f"kill -9 at {PER_SECOND}/s: most comparisons lost", lost, None, PER_SECOND))
    goals.append(Goal("kill -9: starts that did not go on", KILLS - gone_on, None, 0))
    unreadable = (logs / "quarantine.jsonl").read_bytes().count(b"\n") if (logs / "quarantine.jsonl").exists() else 0
    goals.append(Goal("kill -9: torn lines", torn + unreadable, None, 0))
    rows = [["most lost by one kill", str(lost)], ["torn lines", str(torn)], ["lines set aside", str(unreadable)]]
    return Table(f"kill -9 at {PER_SECOND} comparisons/s, {KILLS} times", ["what", "measured"], rows)


def _killed(logs: Path, run: int) -> int:
    """Write for two seconds and be killed; the comparisons that it had given to the log."""
    command = [sys.executable, "-c", _WRITER, str(logs), str(run), str(PER_SECOND)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603
        assert writer.stdout is not None  # noqa: S101  asked for
        written, until = 0, 0.0
        for line in writer.stdout:
            written = int(line)
            until = until or time.monotonic() + 2.0
            if time.monotonic() > until:
                break
        writer.send_signal(signal.SIGKILL)
        return max([written, *(int(line) for line in writer.stdout if line.endswith("\n"))])
