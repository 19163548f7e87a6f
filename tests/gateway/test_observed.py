"""`POST /observe`: a product in another language shows what it asked and got."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at
from tests.shadow.examples import read_folder
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.gateway import observed
from zantara_exp.gateway.observed import UnobservableError, read_observed
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer
from zantara_exp.shadow.record import Comparison

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
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
            b'{"message": "Ciao", "user_id": "u", "unshowable": "what Anna said", "answer": {"text": "x"}}',
            "unshowable is to be one of not_text, unreadable, stored_chat",
        ),
        (b'{"message": "Ciao", "user_id": " ", "answer": {"text": "x"}}', "user_id is missing"),
        (
            b'{"message": "Ciao", "user_id": "u", "attempt": 1000000000, "answer": {"text": "x"}}',
            "attempt is to be a c",
        ),
        (
            b'{"message": "Ciao", "user_id": "u", "answer": {"error": "my own\\nweird"}}',
            "error is to be one of timeout",
        ),
        (b'{"message": "Ciao", "user_id": "u", "answer": {"text": "x", "latency_ms": -5}}', "latency_ms is to be a"),
        (b'{"message": "Ciao", "user_id": "u", "answer": {"text": "x", "ttft_ms": 1e308}}', "ttft_ms is to be a"),
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


def test_an_answer_that_was_broken_off_is_no_answer() -> None:
    cut = read_observed(
        b'{"message": "Ciao", "user_id": "u", "answer": {"text": "x", "finish_reason": "content_filter"}}'
    )
    assert cut[1].error == "cut"


def test_no_field_of_the_library_is_forgotten() -> None:
    assert set(observed._ASKED) == set(ChatRequest.__dataclass_fields__)
    assert set(observed._ANSWERED) == set(PrimaryAnswer.__dataclass_fields__)


def compared() -> list[Comparison]:
    return [item for item in read_folder(Path("logs/shadow_mode")) if isinstance(item, Comparison)]


@pytest.mark.usefixtures("workdir")
def test_what_is_shown_is_compared_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "s3same")
    settings = ["gateway.token_env=GATEWAY_TOKEN", "gateway.mirrored_bytes=5000"]
    shown = WHOLE.replace(b"null", f'"00-{TRACE}-00f067aa0ba902b7-01"'.encode()).replace(b'{"tools": []}', b"{}")

    with (
        raw_server(Candidate("Salve!")) as answers,
        primary_at(Primary()) as url,
        gateway_at(url, answers, *settings) as (at, _),
    ):

        def post(body: bytes, **headers: str) -> httpx.Response:
            return httpx.post(f"{at}/observe", content=body, headers=headers)

        own = {"x-zantara-token": "s3same"}
        assert post(WHOLE).status_code == 401
        assert post(b"x" * 6000, **own).status_code == 413
        wrong = post(b"{}", **own)
        assert (wrong.status_code, wrong.text.startswith("answer is to be an object")) == (400, True)
        assert post(shown, **own).status_code == 202
        wait_for(lambda: len(compared()) == 1)
        assert "zantara_gateway_observed_total 1.0" in httpx.get(f"{at}/metrics").text
    (row,) = compared()
    assert (row.primary.response, row.candidate.response, row.attempt) == ("Ciao!", "Salve!", 2)
    assert row.trace_id == TRACE
