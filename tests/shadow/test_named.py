"""What an app says of its requests, as it may stand in the log."""

import pytest

from zantara_exp.shadow.named import trace_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f" 00-{TRACE}-00f067aa0ba902b7-00 ", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-a-later-version-says", TRACE),
        (TRACE, TRACE),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE[:-1]}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-00f067aa0ba902b7", None),
        ("anna@example.org", None),
        ("", None),
        (None, None),
    ],
)
def test_a_trace_is_named_by_its_id_and_nothing_else_is_kept(said: str | None, found: str | None) -> None:
    assert trace_id_of(said) == found
