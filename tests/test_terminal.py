"""What is printed is text, whatever it holds."""

from __future__ import annotations

import pytest

from zantara_exp import terminal
from zantara_exp.stage import Table


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
