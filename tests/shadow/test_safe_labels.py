"""What an app says of its requests, as it may stand in the log."""

import pytest

from zantara_exp.dataset.user_hash import hash_user, written_id
from zantara_exp.shadow.safe_labels import fit_id, trace_id_of

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


KEY = b"0123456789abcdef0123456789abcdef"
IDS = ("whatsapp:+39333123456", "42", "chat-1042", "5f0c6a1b-9d3e-4f77-88aa-0c1d2e3f4a5b", "anna", "user-77-3", "c-1:2")


@pytest.mark.parametrize("said", IDS)
@pytest.mark.parametrize("user", ["user-77", "7"])
def test_the_log_names_a_chat_as_the_dataset_does(said: str, user: str) -> None:
    written = written_id(said, user, KEY)
    assert fit_id(said, user, KEY) == written
    # Recorded chats are replayed under what the dataset wrote, their users as hashes; each turn is a request.
    for known in (written, f"{written}:3"):
        assert fit_id(known, hash_user(user, KEY), KEY) == known
