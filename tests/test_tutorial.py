"""The tutorial, run as a reader runs it: each command of docs/tutorial.md that begins with `$`, in order.

It starts in an empty folder. What the page prints below a command must stand in the command's output, line after line;
`...` stands for what the page leaves out. Numbers may differ only where `FREE` and `MEASURED` say so.
`SHOW_TUTORIAL=yes` and `-s` print what each command says.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from zantara_exp.config import compose
from zantara_exp.dataset import embedded
from zantara_exp.dataset.demo.fill import ensure_demo
from zantara_exp.dataset.demo.phrases import product_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"
KEY = "0123456789abcdef0123456789abcdef"
FREE = (
    (r"\d[\d,.]* s\b", r"\d[\d,.]* s\b"),  # how long it took
    (r"\d[\d,.]* ms\b", r"\d[\d,.]* ms\b"),
    (r"\d[\d,.]* tokens/s", r"\d[\d,.]* tokens/s"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{16}\b", r"[0-9a-f]{16}"),  # an epoch, a sample: hashes of weights
    (r"\brun [0-9a-f]{8}\b", r"run [0-9a-f]{8}"),
)
"""What differs from run to run: as the page has it, and what may stand in its place."""
MEASURED = (
    "loss",
    "accuracy",
    "steps,",
    "chrF",
    "language of the question",
    "word for word",
    "equivalent or better",
    "cannot judge",
    "similar",
    "savings",
)
"""A line with one of these words tells what a model learnt, which differs between machines: its numbers are free."""
EARLY = ("init", "sed -i", "source.stats_only=true")
"""Commands that need none before them but these: `make test` runs them."""


@dataclass(frozen=True)
class Command:
    """A command of the page, and what the page prints below it."""

    line: str
    said: Sequence[str]

    def found_in(self, output: str) -> bool:
        """Whether the output has these lines, one after the other."""
        return re.search(self.pattern(), _plain(output.splitlines()), re.MULTILINE) is not None

    def pattern(self) -> str:
        """The lines as a regular expression."""
        lines = [_any_numbers(line) for line in _plain(self.said).splitlines()]
        return "\n".join(lines).replace("\n<more>\n", r"\n(?:.*\n)*?").replace("<more>", "")


def _plain(lines: Sequence[str]) -> str:
    """Without blank lines, and with single blanks: how wide a table is says nothing."""
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def _any_numbers(line: str) -> str:
    if line == "...":
        return "<more>"
    parts = [_free(part, any(word in line for word in MEASURED)) for part in line.split("...")]
    return "^" + ".*".join(parts) + ("" if line.endswith("...") else "$")


def _free(part: str, measured: bool) -> str:
    """The text as a pattern, in which what may differ is free."""
    rules = (*FREE, (r"\d[\d,.]*", r"\d[\d,.]*")) if measured else FREE
    found = re.compile("|".join(f"({shown})" for shown, _ in rules))
    pieces, at = [], 0
    for match in found.finditer(part):
        pieces += [re.escape(part[at : match.start()]), rules[(match.lastindex or 1) - 1][1]]
        at = match.end()
    return "".join([*pieces, re.escape(part[at:])])


def commands() -> list[Command]:
    """Those of the page, in order."""
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("    $ "):
            found.append((line.removeprefix("    $ "), []))
            inside = True
        elif inside and line.startswith("    "):
            found[-1][1].append(line)
        elif line.strip():
            inside = False
    return [Command(line, said) for line, said in found]


class Reader:
    """Somebody at a shell in an empty folder, with a database of their own that may only be read."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder, self._status = folder, 0
        settings = {"DATABASE_URL": url, "ZANTARA_HASH_KEY": KEY, "COLUMNS": "1000", "ZANTARA_CONFIG_DIR": "conf-ours"}
        path = {"PYTHONPATH": str(PAGE.parents[1]), "PYTHONWARNINGS": "ignore"}
        self._environment = {**settings, **path}

    def follows(self, command: Command) -> None:
        """Run it, and hold what it says against the page."""
        environment = {**os.environ, **self._environment}
        if command.line.startswith("zantara-exp init"):
            del environment["ZANTARA_CONFIG_DIR"]  # the page sets it afterwards
        if "review.labels=" in command.line:
            self._label()
        done = subprocess.run(
            self._words(command.line), cwd=self._folder, env=environment, capture_output=True, text=True, timeout=1800
        )
        self._status, output = done.returncode, done.stdout + done.stderr
        if os.environ.get("SHOW_TUTORIAL"):
            print(f"$ {command.line}\n{output}\n")
        assert command.found_in(output), f"$ {command.line}\n{output}\n--- the page has\n" + "\n".join(command.said)
        assert "Traceback" not in output

    def _words(self, line: str) -> list[str]:
        """What is run: a shell, or for a command of ours the program itself, which starts faster."""
        for short, value in _SHORT.items():
            line = line.replace(f"${short}", value)
        words = shlex.split(line)
        if words[:3] == ["python", "-m", "zantara_exp"]:
            return [sys.executable, *words[1:]]
        return ["bash", "-c", f"(exit {self._status}); {line}"]

    def _label(self) -> None:
        """Fill in the worksheet without reading it, which the hidden checks find out."""
        with (self._folder / "reports/review_sheet.csv").open(encoding="utf-8", newline="") as sheet:
            rows = list(csv.DictReader(sheet))
        for number, row in enumerate(rows):
            row["better"] = ("A", "same", "B", "cannot")[number % 4]
        with (self._folder / "reports/filled.csv").open("w", encoding="utf-8", newline="") as filled:
            writer = csv.DictWriter(filled, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


_SHORT = dict(re.findall(r"^    ([A-Z]+)='([^']*)'$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
"""The page's own shell variables, such as `TRY`."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("app")
        config = compose([])
        with psycopg.connect(server.conninfo("app"), autocommit=True) as writer:
            ensure_demo(writer, product_of(config.domain), config.demo, config.seed)
            writer.execute("create role reader login; grant select on conversations to reader")
        url = re.sub(r"user=\S+", "user=reader", server.conninfo("app"))
        yield Reader(tmp_path_factory.mktemp("tutorial"), url)


def test_the_first_commands_say_what_the_page_prints(reader: Reader) -> None:
    early = [each for each in commands() if any(word in each.line for word in EARLY)]
    assert len(early) == 4
    for command in early:
        reader.follows(command)


@pytest.mark.slow
def test_every_command_in_order_says_what_the_page_prints(reader: Reader, tmp_path: Path) -> None:
    another = Reader(tmp_path, reader.url)
    for command in commands():
        another.follows(command)


@pytest.mark.parametrize(
    ("said", "output", "found"),
    [
        (["extract (2.5 s, run 6bfb6609)"], "extract (12.0 s, run 0bfb6600)", True),
        (["  written   2,837 conversations"], "written 2,836 conversations", False),
        (["a", "...", "d"], "a\nb\nc\nd", True),
        (["a", "d"], "a\nb\nd", False),
        (["why  loss: above 0.5: measured 5.1 ..."], "why loss: above 0.5: measured 4.9, at least 4.8", True),
    ],
)
def test_what_may_differ(said: list[str], output: str, found: bool) -> None:
    assert Command("", said).found_in(output) is found
