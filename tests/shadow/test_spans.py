"""The mirror in an app: the candidate's call is a span of the app's own trace, and the A/A arm's another."""

from __future__ import annotations

import asyncio

import pytest

from tests.endpoints.servers import raw_server
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import ANSWER, logged, opened
from tests.spans.collector import Collector, ask_for_spans, collecting
from zantara_exp.shadow.mirror import ChatRequest
from zantara_exp.shadow.safe_labels import traceparent_of

pytestmark = pytest.mark.usefixtures("workdir")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WHOLE = f"00-{TRACE}-{PARENT}-01"


def test_the_candidate_belongs_to_the_apps_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT_TEST_KEY", "k")
    collector = Collector()
    with collecting(collector) as address, raw_server(Candidate()) as url:
        ask_for_spans(monkeypatch, address)
        mirror = opened(url)
        for number, said in enumerate((WHOLE, TRACE, None, f"00-{TRACE}-{PARENT}-00", "garbage")):
            mirror.observe(ChatRequest("Ciao, come stai?", f"user-{number}", traceparent=said), ANSWER)
        asyncio.run(mirror.close())
        assert len(logged()) == 5
    assert len(collector.spans) == 4  # the client of one said that it is not traced
    whole, *others = sorted(collector.spans, key=lambda span: span.trace_id != TRACE)
    assert (whole.trace_id, whole.parent) == (TRACE, PARENT)
    assert all((span.trace_id != TRACE, span.parent) == (True, "") for span in others)
    assert {span.attributes["zantara.role"] for span in collector.spans} == {"mirrored"}
    assert {row.trace_id for row in logged()} == {TRACE, None}


def test_what_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    with collecting(collector) as address, raw_server(Candidate(status="429 Slow down")) as url:
        ask_for_spans(monkeypatch, address)
        mirror = opened(url)
        mirror.observe(ChatRequest("Ciao, come stai?", "user-1", traceparent=WHOLE), ANSWER)
        asyncio.run(mirror.close())
    (span,) = collector.spans
    assert span.failed
    assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == ("rate_limited", 429)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (WHOLE, WHOLE),
        (f" {WHOLE} ", WHOLE),
        (f"cc-{TRACE}-{PARENT}-01-what-will-be", f"cc-{TRACE}-{PARENT}-01"),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (TRACE, None),
        (None, None),
    ],
)
def test_what_is_a_traceparent(said: str | None, known: str | None) -> None:
    assert traceparent_of(said) == known
