"""What a person sees: lines, tables, progress. A bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table as RichTable

from zantara_exp.core import distributed

if TYPE_CHECKING:
    from zantara_exp.core.stage import Progress, Table

_PLAIN_LINE_SECONDS = 5.0
_PIPE_COLUMNS = 140
"""Where nothing says how wide the output is, as in a file: COLUMNS does."""
_CARDS_BELOW = 110
"""Columns. A table that does not fit into fewer is shown row by row."""
_COLOURS = {
    **dict.fromkeys(("GO", "PASS", "ok"), "green"),
    **dict.fromkeys(("NO_GO", "FAIL", "MISMATCH"), "bold red"),
    **dict.fromkeys(("INCONCLUSIVE", "UNDECIDED", "MISSING"), "yellow"),
}
"""Words that stand alone in a cell."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read the output is gone: the work goes on, and what it says goes nowhere."""
        forget_stdout()


def forget_stdout() -> None:
    """Let everything that is still said go nowhere, where nobody reads it any more (`| head`, a dead collector)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def console() -> Console:
    """A console on today's stdout; made anew because tests and Hydra swap it."""
    made = _Console(highlight=False, soft_wrap=False, quiet=distributed.helping())
    if not sys.stdout.isatty():
        told = os.environ.get("COLUMNS", "")
        made.width = int(told) if told.isdecimal() and int(told) else _PIPE_COLUMNS
    return made


_COMMAND = re.compile(r"next: |python -m |zantara-exp [^:]|`|^ *export ")
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control and direction characters: a log line could otherwise move the cursor or rename the window."""


def plain(text: str) -> str:
    """`text` as it can be printed, whatever a chat or a log holds: never markup, never a control sequence."""
    return escape(_UNSHOWN.sub("\ufffd", text))


def say(line: str) -> None:
    """Print one line, broken between words where its reader is narrower."""
    out = console()
    out.print(plain(_folded(line, out)), soft_wrap=True)


def complain(message: str) -> None:
    """Print a message about what went wrong on stderr."""
    out = Console(stderr=True, highlight=False)
    out.print(plain(_folded(f"zantara-exp: {message}", out)), soft_wrap=True)


def _folded(text: str, out: Console) -> str:
    """`text` for a terminal, or for the COLUMNS of a pipe; a line with a command in it is copied, so it stays whole."""
    told = os.environ.get("COLUMNS", "")
    width = out.width if out.is_terminal else int(told) if told.isdecimal() else 0
    if not width:
        return text
    fold = TextWrapper(width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False).fill
    return "\n".join(line if _COMMAND.search(line) else fold(line) for line in text.split("\n"))


def show(table: Table) -> None:
    """Print a small table; on a narrow terminal one that does not fit row by row."""
    out = console()
    out.print()
    out.print(plain(table.title), style="bold")
    drawn = _drawn(table)
    if len(table.columns) > 2 and out.width < _CARDS_BELOW and out.measure(drawn).maximum + 2 > out.width:
        for row in table.rows:
            out.print(Padding(_card(table.columns, row), (0, 0, 0, 2), expand=False))
        return
    out.print(Padding(drawn, (0, 0, 0, 2), expand=False))


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=bool(table.columns))
    for column in table.columns:
        drawn.add_column(plain(column), overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(_coloured, row))
    return drawn


def _card(columns: Sequence[str], row: Sequence[str]) -> RichTable:
    """One row: its first cell, and below it what the others say."""
    drawn = RichTable(box=None, show_header=False, pad_edge=False, title=plain(row[0]), title_justify="left")
    drawn.title_style = "bold"
    drawn.add_column(min_width=min(12, max(map(len, columns))))
    drawn.add_column(overflow="fold")
    for column, cell in zip(columns[1:], row[1:], strict=False):
        if cell:
            drawn.add_row(f"  {plain(column)}", _coloured(cell))
    return drawn


def _coloured(cell: str) -> str:
    """A verdict or a decision in its colour; `NO_COLOR` is rich's to respect."""
    colour = _COLOURS.get(cell)
    return f"[{colour}]{plain(cell)}[/]" if colour else plain(cell)


class _BarProgress:
    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._bar.update(self._task, advance=amount, note=plain(note))


class _PlainProgress:
    def __init__(self, title: str, total: float | None) -> None:
        self._title, self._total, self._done = title, total, 0.0
        self._last = time.monotonic()

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last < _PLAIN_LINE_SECONDS:
            return
        self._last = now
        of = f"/{self._total:.0f}" if self._total else ""
        say(f"{self._title}: {self._done:.0f}{of} {note}".rstrip())


@contextmanager
def progress(title: str, total: float | None = None) -> Iterator[Progress]:
    """Show progress of a long task; `total` in whatever unit `advance` is called with."""
    out = console()
    if not out.is_terminal:
        yield _PlainProgress(title, total)
        return
    left = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Bar(*left, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=out, transient=True) as bar:
        yield _BarProgress(bar, bar.add_task(plain(title), total=total, note=""))
