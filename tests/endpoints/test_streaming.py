"""An answer that is heard as it comes, through all that stands around an endpoint."""

import asyncio
import json
from contextlib import ExitStack
from math import ceil

import pytest

from tests.endpoints.asking import CHAT
from tests.endpoints.servers import Handler, answering, events, raw_server, response
from tests.endpoints.streaming import Streaming
from zantara_exp.config.decision import Cost
from zantara_exp.config.traffic import Breaker as BreakerConfig
from zantara_exp.config.traffic import Endpoint
from zantara_exp.cost.billing import flat_usd_per_request
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.breaker import Breaker, Guarded, State
from zantara_exp.endpoints.build import build
from zantara_exp.endpoints.fallback import Fallback
from zantara_exp.endpoints.streaming import Hearer, Piece

SAID = ("\n ", "Ciao", "!", " \n")


def heard_of(
    *handlers: Handler,
    kind: str = "openai",
    seconds: float = 60.0,
    pause: float = 0.0,
    timeout: float = 60.0,
    model: str = "m",
    billing: str = "flat",
) -> tuple[Answer, list[Piece], Fallback]:
    """The answer of a chain of endpoints, what was heard of it, and the chain."""
    heard: list[Piece] = []

    async def take(piece: Piece) -> None:
        await asyncio.sleep(pause)
        heard.append(piece)

    async def go(urls: list[str]) -> Answer:
        ours = [
            Endpoint(name=kind, kind=kind, base_url=url, model=model, timeout_seconds=timeout, billing=billing)
            for url in urls
        ]
        chain.append(Fallback([Guarded(build(each, cost=Cost()), Breaker(BreakerConfig(failures=1))) for each in ours]))
        try:
            return await chain[0].chat(CHAT, Hearer(take, seconds))
        finally:
            await chain[0].close()

    chain: list[Fallback] = []
    with ExitStack() as servers:
        answer = asyncio.run(go([servers.enter_context(raw_server(each)) for each in handlers]))
    return answer, heard, chain[0]


def whole(*pieces: str, ending: str = "whole") -> Streaming:
    made = Streaming(*pieces, ending=ending)
    made.go.set()
    return made


def test_a_stream_is_heard_from_its_first_word_on() -> None:
    answer, heard, _ = heard_of(whole(*SAID))
    assert heard == [Piece("\n Ciao", "m"), Piece("!", "m"), Piece(" \n", "m")]
    assert (answer.text, answer.error, answer.usage.output) == ("".join(SAID), None, 4)
    assert answer.billed.usd is not None


def test_blanks_alone_are_heard_by_nobody() -> None:
    answer, heard, _ = heard_of(whole(" ", "\n"))
    assert (answer.error, heard) == (Reason.EMPTY_ANSWER, [])


def test_anthropics_stream_is_heard() -> None:
    deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}} for t in SAID]
    thought = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}
    stream = [json.dumps(each) for each in [thought, *deltas, {"type": "message_stop"}]]
    answer, heard, _ = heard_of(answering(events(*stream)), kind="anthropic")
    assert "".join(piece.text for piece in heard) == answer.text == "".join(SAID)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("runpod", {"id": "j", "status": "COMPLETED", "output": "Ciao!"}),
        ("bedrock", {"output": {"message": {"content": [{"text": "Ciao!"}]}}, "stopReason": "end_turn"}),
    ],
)
def test_what_does_not_stream_is_heard_by_nobody_before_it_is_whole(
    kind: str, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    answer, heard, _ = heard_of(answering(response(json.dumps(body).encode())), kind=kind)
    assert (answer.text, heard) == ("Ciao!", [])


@pytest.mark.parametrize("ending", ["cut", "error"])
def test_where_the_first_breaks_off_nobody_else_is_asked_once_it_was_heard(ending: str) -> None:
    second = whole("Salve!")
    answer, heard, chain = heard_of(whole("Ciao", ending=ending), second)
    assert (answer.error, second.calls) == (Reason.BAD_ANSWER if ending == "cut" else Reason.SERVER_ERROR, 0)
    assert [piece.text for piece in heard] == ["Ciao"]
    assert chain.breaker.state is State.OPEN
    answer, heard, chain = heard_of(whole(ending=ending), second)
    assert (answer.text, answer.error, [piece.text for piece in heard]) == ("Salve!", None, ["Salve!"])
    assert chain.breaker.state is State.OPEN


def test_what_broke_off_says_what_it_took_by_then_as_an_estimate() -> None:
    answer, _, _ = heard_of(whole("Ciao a tutti", ending="cut"))
    assert answer.usage == Usage(input=ceil(sum(len(turn["content"]) for turn in CHAT) / 3.3), output=4, estimated=True)
    assert answer.billed.usd == pytest.approx(flat_usd_per_request(Cost()))
    began = {"type": "message_start", "message": {"usage": {"input_tokens": 1200, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ciao a tutti"}}
    cut = answering(events(json.dumps(began), json.dumps(delta)))
    answer, _, _ = heard_of(cut, kind="anthropic", model="claude-haiku-4-5", billing="tokens")
    assert answer.usage == Usage(input=1200, output=4, estimated=True)
    assert answer.billed.usd == pytest.approx((1200 * 1.0 + 4 * 5.0) / 1e6)


def test_of_what_was_filtered_once_it_was_whole_the_tokens_are_known() -> None:
    answer, _, _ = heard_of(whole("Ciao", ending="content_filter"))
    assert (answer.error, answer.usage) == (Reason.CUT, Usage(input=9, output=4))


def test_of_a_failure_that_nobody_heard_nothing_is_known() -> None:
    answer, heard, _ = heard_of(whole(" ", ending="cut"))
    assert (answer.usage, answer.billed.usd, heard) == (Usage(), None, [])


def test_a_begun_answer_has_the_hearers_time_and_not_the_calls() -> None:
    answer, heard, chain = heard_of(whole("Ciao", ending="hang"), timeout=60, seconds=0.5)
    assert (answer.error, len(heard), chain.breaker.state) == (Reason.TIMEOUT, 1, State.OPEN)
    assert 500 <= answer.latency_ms < 30_000


def test_a_slow_hearer_is_not_the_endpoints_time() -> None:
    answer, heard, _ = heard_of(whole("Ciao", "!", " Come", " va?"), seconds=3, pause=1)
    assert (answer.text, answer.error, len(heard)) == ("Ciao! Come va?", None, 4)
    assert answer.latency_ms > 4000
