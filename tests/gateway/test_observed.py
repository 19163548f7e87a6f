"""`POST /observe`: a product in another language shows what it asked and got."""

from __future__ import annotations

import pytest

from zantara_exp.gateway.observed import UnobservableError, read_observed

WHOLE = b"""{"message": "Ciao", "user_id": "u-1", "category": "greeting",
 "history": [{"role": "user", "content": "Hi"}],
 "options": {"tools": []}, "attempt": 2, "traceparent": null,
 "answer": {"text": "Ciao!", "model": "claude-haiku-4-5", "usage": {"input_tokens": 9}, "latency_ms": 812}}"""


def test_all_that_the_library_takes_is_taken() -> None:
    request, answer = read_observed(WHOLE)
    assert (request.message, request.user_id, request.category, request.attempt) == ("Ciao", "u-1", "greeting", 2)
    assert list(request.history) == [{"role": "user", "content": "Hi"}]
    assert (answer.text, answer.model, answer.usage) == ("Ciao!", "claude-haiku-4-5", {"input_tokens": 9})
    failed = read_observed(b'{"message": "Ciao", "user_id": "u-1", "answer": {"error": "timeout"}}')[1]
    assert (failed.text, failed.error) == ("", "timeout")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"Ciao", "the body is no JSON"),
        (b"[]", "no JSON object"),
        (b'{"message": "Ciao", "user_id": "u"}', "answer is to be an object"),
        (b'{"message": "", "user_id": "u", "answer": {"text": "x"}}', "message is missing"),
        (b'{"message": "Ciao", "answer": {"text": "x"}}', "user_id is missing"),
        (b'{"message": "Ciao", "user_id": "u", "answer": {}}', "answer.text is missing"),
        (b'{"message": "Ciao", "user_id": "u", "mesage": 1, "answer": {"text": "x"}}', "mesage is no key; valid are"),
        (b'{"message": "Ciao", "user_id": 7, "answer": {"text": "x"}}', "user_id is to be text"),
        (b'{"message": "Ciao", "user_id": "u", "history": ["Hi"], "answer": {"text": "x"}}', "history is to be a list"),
        (b'{"message": "Ciao", "user_id": "u", "attempt": 0, "answer": {"text": "x"}}', "attempt is to be a c"),
        (
            b'{"message": "Ciao", "user_id": "u", "answer": {"text": "x", "latency_ms": "9"}}',
            "latency_ms is to be a",
        ),
        (
            b'{"message": "Ciao", "user_id": "u", "answer": {"text": "x", "usage": 5}}',
            "usage is to be an obj",
        ),
    ],
)
def test_what_is_wrong_is_named(body: bytes, why: str) -> None:
    with pytest.raises(UnobservableError, match=why):
        read_observed(body)
