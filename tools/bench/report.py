"""What a benchmark found: tables, and goals with the number measured beside each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.core.stage import Table
from zantara_exp.io.whole_files import write_whole


@dataclass(frozen=True)
class Goal:
    """One number to reach."""

    what: str
    measured: float
    error: float | None
    """Standard error; None where nothing was simulated."""
    limit: float
    """The measured number must not exceed it."""
    unit: str = ""
    """`%` where the numbers are shares."""

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.measured <= self.limit

    def row(self) -> list[str]:
        """For a table."""
        error = "" if self.error is None else f" +- {self._shown(self.error)}"
        return [self.what, self._shown(self.measured) + error, f"<= {self._shown(self.limit)}", self.verdict]

    @property
    def verdict(self) -> str:
        """In a word."""
        return "met" if self.met else "MISSED"

    def _shown(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:g}"


@dataclass(frozen=True)
class Report:
    """A benchmark's outcome."""

    name: str
    command: str
    """What measures it again."""
    intro: str
    tables: Sequence[Table]
    goals: Sequence[Goal]
    seconds: float

    @property
    def missed(self) -> list[Goal]:
        """Goals not reached."""
        return [goal for goal in self.goals if not goal.met]

    @property
    def goal_table(self) -> Table:
        """The goals side by side with what was measured."""
        return Table("goals", ["goal", "measured", "wanted", ""], [goal.row() for goal in self.goals])

    def summary(self) -> str:
        """One line."""
        met = len(self.goals) - len(self.missed)
        return f"bench {self.name}: {met} of {len(self.goals)} goals met, in {self.seconds:.0f} s"


def markdown(report: Report) -> str:
    """The report as a section of docs/benchmarks.md. Of shares that are one kind of goal the worst stands there."""
    lines = [f"## {report.name}", "", report.intro, "", f"    {report.command}", ""]
    for table in [*report.tables, Table("goals", report.goal_table.columns, _worst(report.goals))]:
        lines += [f"**{table.title}**", "", _row(table.columns), _row(["---"] * len(table.columns))]
        lines += [*(_row(row) for row in table.rows), ""]
    return "\n".join([*lines, report.summary() + ".", ""])


def _worst(goals: Sequence[Goal]) -> list[list[str]]:
    """Rows of goals. What stands before a colon is the kind of a goal."""
    groups: dict[object, list[Goal]] = {}
    for number, goal in enumerate(goals):
        kind, colon, _ = goal.what.partition(": ")
        groups.setdefault((kind, goal.limit) if colon and goal.unit else number, []).append(goal)
    rows = []
    for group in groups.values():
        worst = max(group, key=lambda goal: goal.measured)
        kind, _, which = worst.what.partition(": ")
        several = f"{kind}: the worst of {len(group)} ({which})"
        rows.append([several if len(group) > 1 else worst.what, *worst.row()[1:]])
    return rows


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def write_section(report: Report, path: Path) -> None:
    """Put the report into its own section of a Markdown file, leaving the others as they are."""
    start, end = f"<!-- bench {report.name} -->", f"<!-- end of bench {report.name} -->"
    section = f"{start}\n{markdown(report)}{end}"
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    found = re.search(re.escape(start) + ".*?" + re.escape(end), text, re.DOTALL)
    before, after = (text[: found.start()], text[found.end() :]) if found else (text.rstrip("\n") + "\n\n", "\n")
    text = before + section + after
    write_whole(path, text.encode())
