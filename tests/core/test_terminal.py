"""What is printed is text, whatever it holds."""

from __future__ import annotations

import json
import re

import pytest

from tests.gates.recorded import FILE, every_kind, evidence_of
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.gates import judge_gate
from zantara_exp.gates.table import criteria_table, segments_table, sensitivity_table, summary

_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def test_what_a_log_holds_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b]0;pwned\x07\x1b[2Jit [red]\u202e\x00 à la carte"
    terminal.say(hostile)
    terminal.complain(hostile)
    terminal.show(Table(hostile, [hostile], [[hostile]]))
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not set("\x1b\x07\x00\u202e") & set(text)
        assert "]0;pwned" in text
        assert "[red]" in text
        assert "à la carte" in text


@pytest.mark.parametrize("columns", [60, 80, 110, 200])
def test_a_verdict_fits_and_nothing_of_it_is_cut_off(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pipe as on a terminal: COLUMNS says how wide it is."""
    monkeypatch.setenv("COLUMNS", str(columns))
    gate = every_kind()
    log = next(iter(json.loads(FILE.read_text())["logs"].values()))
    verdict = judge_gate(gate, evidence_of(log, gate))
    tables = [criteria_table(verdict), segments_table(verdict), sensitivity_table(verdict)]
    for table in [Table("gate", [], list(summary(verdict).items())), *filter(None, tables)]:
        terminal.show(table)
        said = capsys.readouterr().out
        assert max(map(len, said.splitlines())) <= columns
        words = said.split()
        for cell in (cell for row in table.rows for cell in row):
            assert all(word in words or len(word) > columns // 8 for word in cell.split()), cell


def test_sentences_are_broken_between_words_and_commands_stay_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, path = f"next: python -m zantara_exp stage=review {'key=value ' * 9}".strip(), "/a/path" * 12
    message = f"the log at {path} cannot be read, and nothing was written anywhere because of it"
    for columns in ("60", ""):
        monkeypatch.setenv("COLUMNS", columns)
        terminal.say(f"{message}\n{command}")
        terminal.complain(f"{message}\n{command}")
        said = capsys.readouterr()
        for text in (said.out, said.err.removeprefix("zantara-exp: ").replace("zantara-exp: ", "")):
            *lines, last = text.splitlines()
            assert last == command
            assert " ".join(" ".join(lines).split()) == message
            assert (len(lines) == 1) == (columns == "")
            assert all(len(line) <= 60 or path in line for line in lines) or not columns


def test_a_narrow_terminal_gets_a_row_at_a_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table("gate", ["criterion", "estimate", "why"], [["success", "99 %", "shown " * 20], ["bugs", "", "none"]])
    monkeypatch.setenv("COLUMNS", "80")
    terminal.show(table)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == "  success"
    assert lines[3].split() == ["estimate", "99", "%"]
    assert "  bugs" in lines
    assert sum("estimate" in line for line in lines) == 1  # what a row does not say has no line
    monkeypatch.setenv("COLUMNS", "200")
    terminal.show(table)
    assert "criterion" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_a_verdict_has_its_colour_where_colours_are_wanted(
    given: dict[str, str], coloured: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    terminal.show(Table("gate", [], [["verdict", "NO_GO"], ["why", "GO is a word here"]]))
    said = capsys.readouterr().out
    assert ("\x1b[1;31mNO_GO" in said) == coloured
    assert "GO is a word here" in _COLOUR.sub("", said)


def test_a_pipe_hears_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(now))
    with terminal.progress("judging", total=4) as task:
        for _ in range(4):
            task.advance()
    assert capsys.readouterr().out.splitlines() == ["judging: 2/4", "judging: 4/4"]
