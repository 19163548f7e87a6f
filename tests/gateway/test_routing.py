"""The gateway while a rollout runs: who answers, in whose shape, and what is noted of it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.composing import composed
from tests.dataset.conftest import open_folder
from tests.endpoints.servers import Handler, answering, raw_server, response
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import CHAT, SECRET
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import dropped, logged, wait_for
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.gateway.app import Gateway
from zantara_exp.gateway.exchange import Exchange
from zantara_exp.rollout.served import CANDIDATE, PRIMARY, Served
from zantara_exp.rollout.served_store import read_served
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import open_store
from zantara_exp.routing import certificate
from zantara_exp.routing.score import BUCKETS, Known, Score, features
from zantara_exp.shadow.sampling import in_reverse

pytestmark = pytest.mark.usefixtures("workdir")

PLAIN = features(Known("", "it", "casual", 1, 0)).keys()
"""What is found in any request."""
ANSWERED = "x-zantara-answered-by"
FALLBACK = "endpoint.fallback=[runpod]"
QUICK = "rollout.refresh_seconds=0.05"


@pytest.fixture
def primary() -> Primary:
    return Primary()


@pytest.fixture
def candidate() -> Candidate:
    return Candidate("Ciao dal candidato!")


@contextmanager
def rolled_out(primary: Primary, candidate: Any, *overrides: str) -> Iterator[tuple[str, Gateway]]:
    """A gateway whose greeting and casual chats are all the candidate's."""
    with (
        raw_server(candidate) as answers,
        primary_at(primary) as url,
        gateway_at(url, answers, QUICK, *overrides) as gate,
    ):
        set_share(gate[1], 100.0)
        yield gate


@pytest.fixture
def served(primary: Primary, candidate: Candidate) -> Iterator[tuple[str, Gateway]]:
    with rolled_out(primary, candidate) as gate:
        yield gate


def set_share(gateway: Gateway, percent: float, *overrides: str, languages: tuple[str, ...] = ()) -> None:
    """As stage=rollout writes it, whose own tests say when it may; of some languages only, where they are named."""
    config = composed(*overrides)
    covers = {"language": languages} if languages else {}
    of = gateway.routing.epoch, "g1", "2025-11-02"
    running = State(RUNNING, 0, percent, *of, since=datetime.now(UTC), covers=covers)
    with closing(open_store(config.rollout, Layout(config))) as store:
        store.swap(store.read(), running if percent else State())
    wait_for(lambda: gateway.routing.share == percent)


def lines(count: int, *overrides: str) -> list[Served]:
    """The served log once it has so many lines."""
    config = composed(*overrides)
    layout, start = Layout(config), datetime(2025, 1, 1, tzinfo=UTC)
    wait_for(lambda: len(list(read_served(config, layout, start))) >= count)
    found = list(read_served(config, layout, start))
    assert len(found) == count
    return found


def ask(url: str, user: str | None = "user-1", headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    sent = {"x-api-key": SECRET} | ({"x-zantara-user": user} if user else {}) | (headers or {})
    body = {"model": "m", "max_tokens": 500, "messages": [CHAT]} | fields
    return httpx.post(f"{url}/v1/messages", headers=sent, json=body, timeout=20)


def test_anthropics_client_gets_the_candidates_answer(
    served: tuple[str, Gateway], primary: Primary, candidate: Candidate
) -> None:
    import anthropic

    asked: dict[str, Any] = {"model": "m", "max_tokens": 500, "messages": [CHAT], "metadata": {"user_id": "user-1"}}
    with anthropic.Anthropic(base_url=served[0], api_key=SECRET) as client:
        raw = client.messages.with_raw_response.create(**asked)
        whole = raw.parse()
        with client.messages.stream(**asked) as stream:
            tokens = "".join(stream.text_stream)
            final = stream.get_final_message()
    assert raw.headers[ANSWERED] == "candidate"
    assert whole._request_id is not None
    assert whole.content[0].text == tokens == final.content[0].text == "Ciao dal candidato!"
    assert (whole.model, whole.stop_reason, final.stop_reason) == ("m", "end_turn", "end_turn")
    assert (whole.usage.input_tokens, final.usage.input_tokens) == (9, 9)
    assert (candidate.calls, primary.bodies) == (2, [])
    for line in lines(2):
        assert (line.arm, line.answered_by, line.candidate_error, line.error) == (CANDIDATE, CANDIDATE, None, None)
        assert (line.category, line.language, line.share, line.model) == ("greeting", "it", 100.0, "m")
        assert line.ttft_ms is not None
        assert line.candidate_ms is not None
        assert 0 < line.candidate_ms <= line.ttft_ms <= line.latency_ms
        assert line.user != "user-1"


def test_openais_client_gets_the_candidates_answer(
    served: tuple[str, Gateway], primary: Primary, candidate: Candidate
) -> None:
    import openai

    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [CHAT], "user": "user-1"}
    with openai.OpenAI(base_url=f"{served[0]}/v1", api_key=SECRET) as client:
        whole = client.chat.completions.create(**asked)
        plain = list(client.chat.completions.create(**asked, stream=True))
        chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Ciao dal candidato!", "stop")
    for found in (plain, chunks):
        assert (
            "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices) == "Ciao dal candidato!"
        )
    assert plain[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens == 9
    assert primary.bodies == []


@pytest.fixture
def storing(primary: Primary, candidate: Candidate) -> Iterator[tuple[str, Gateway]]:
    with rolled_out(primary, candidate, "gateway.move_stored=true") as gate:
        yield gate


def test_openais_client_gets_the_candidates_answer_by_responses(
    storing: tuple[str, Gateway], primary: Primary, candidate: Candidate
) -> None:
    import openai

    asked: dict[str, Any] = {"model": "gpt-5-mini", "input": CHAT["content"], "instructions": "Be short."}
    with openai.OpenAI(base_url=f"{storing[0]}/v1", api_key=SECRET) as client:
        raw = client.responses.with_raw_response.create(**asked, safety_identifier="user-1")
        whole = raw.parse()
        events = list(client.responses.create(**asked, user="user-1", stream=True))
        with client.responses.stream(**asked, metadata={"user_id": "user-1"}) as stream:
            final = stream.get_final_response()
    assert raw.headers[ANSWERED] == "candidate"
    assert whole.output_text == final.output_text == "Ciao dal candidato!"
    assert (whole.model, whole.status, whole.store, whole.instructions) == ("m", "completed", False, "Be short.")
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens_details.reasoning_tokens) == (9, 0)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == final.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (candidate.calls, primary.bodies) == (3, [])
    assert {(line.arm, line.answered_by, line.model) for line in lines(3)} == {(CANDIDATE, CANDIDATE, "m")}


def by_responses(gate: str, **fields: Any) -> httpx.Response:
    body = {"model": "gpt-5-mini", "input": CHAT["content"], **fields}
    return httpx.post(f"{gate}/v1/responses", json=body, headers={"x-zantara-user": "user-1"}, timeout=20)


def test_an_answer_that_its_provider_would_keep_is_the_primarys(served: tuple[str, Gateway], primary: Primary) -> None:
    assert ANSWERED not in by_responses(served[0]).headers  # its answer may be gone on from
    assert ANSWERED in by_responses(served[0], store=False).headers
    assert served[1].metrics.unrouted == {"stored_chat": 1}
    assert len(primary.bodies) == 1


def test_an_app_that_goes_on_from_stored_answers_keeps_the_primary_that_stores_them(
    storing: tuple[str, Gateway], primary: Primary
) -> None:
    assert ANSWERED in by_responses(storing[0]).headers
    assert ANSWERED not in by_responses(storing[0], previous_response_id="resp_1").headers
    assert ANSWERED not in by_responses(storing[0]).headers
    assert ANSWERED in by_responses(storing[0], store=False).headers
    assert storing[1].metrics.unrouted == {"stored_chat": 2}
    assert len(primary.bodies) == 2


class Changing:
    """A candidate whose answers a test changes."""

    def __init__(self) -> None:
        self.now: Handler = Candidate()

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        await self.now(request, writer)


FAILURES: dict[str, Handler] = {
    "server_error": Candidate(status="500 Internal Server Error"),
    "rate_limited": Candidate(status="429 Too Many Requests"),
    "empty_answer": Candidate(text="  "),
    "bad_answer": answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
    "timeout": Candidate(seconds=60),
}


def test_the_primary_answers_in_the_same_request_where_the_candidate_fails(primary: Primary) -> None:
    changing, patient = Changing(), ("gateway.candidate_seconds=30", "endpoint.breaker.failures=1000")
    with rolled_out(primary, changing, *patient) as (gate, gateway):
        known = series(httpx.get(f"{gate}/metrics")).keys()
        for reason, handler in FAILURES.items():
            changing.now = handler
            budget = {"x-zantara-budget": "1"} if reason == "timeout" else {}
            for stream in (False, True):
                primary.sent.clear()
                found = ask(gate, reason, budget, stream=stream)
                assert found.content == b"".join(primary.sent)
                assert found.headers["request-id"] == "req_1"
                assert ANSWERED not in found.headers
        for line in lines(2 * len(FAILURES)):
            assert (line.arm, line.answered_by, line.error, line.fallback) == (CANDIDATE, PRIMARY, None, True)
            assert (line.model, line.tokens_output) == ("claude-3-5-haiku-20241022", 5)
            assert line.candidate_ms is not None
            assert line.latency_ms > line.candidate_ms
        counted = series(httpx.get(f"{gate}/metrics"))
        for reason in FAILURES:
            assert counted["zantara_rollout_served_total", PRIMARY, CANDIDATE, reason, ""] == 2  # answered by, arm
        assert counted["zantara_gateway_unmirrored_total", "moved"] == 2 * len(FAILURES)

        primary.status, changing.now = 529, FAILURES["server_error"]
        found = ask(gate)
        assert (found.status_code, found.headers["retry-after"]) == (529, "3")
        line = lines(2 * len(FAILURES) + 1)[-1]
        assert (line.candidate_error, line.error) == ("server_error", "overloaded")
        assert series(httpx.get(f"{gate}/metrics")).keys() == known  # each stood at 0 before
    assert logged() == []


VISA = {"role": "user", "content": "How do I get a KITAS visa?"}
STAYS: list[tuple[dict[str, Any], str | None]] = [
    ({"messages": [VISA]}, None),
    (
        {"messages": [VISA, {"role": "assistant", "content": "By a sponsor."}, {"role": "user", "content": "How?"}]},
        None,
    ),
    ({"tools": [{"name": "visa", "input_schema": {"type": "object"}}]}, "tools"),
    ({"stop_sequences": ["\n"]}, "stop"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
    ({"max_tokens": 8}, "shorter_answer"),
    ({"messages": [{"role": "user", "content": "ciao " * 1000}]}, "long"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "not_text"),
    ({"user": None}, None),
    ({"headers": {"x-zantara-category": "business"}}, None),
]


def test_what_stays_with_the_primary(served: tuple[str, Gateway], primary: Primary, candidate: Candidate) -> None:
    for fields, _ in STAYS:
        primary.sent.clear()
        assert ask(served[0], **fields).content == primary.sent[0]
    assert served[1].metrics.unrouted == Counter(reason for _, reason in STAYS if reason)
    assert served[1].metrics.served == {}
    mirror = served[1].mirror
    wait_for(lambda: mirror.stats.sampled == mirror.stats.over > 0)
    assert (candidate.calls, mirror.stats.compared, mirror.stats.dropped) == (0, 0, {})  # nobody else was asked
    asides = {
        "category_business": 3,
        "tools": 1,
        "stop": 1,
        "thinking": 1,
        "shorter_answer": 1,
        "long": 1,
        "not_text": 1,
    }
    assert mirror.stats.set_aside == asides
    casual = ask(served[0], headers={"x-zantara-category": "casual"}, messages=[VISA])
    assert casual.headers[ANSWERED] == "candidate"  # the app knows better


def test_a_language_that_the_go_does_not_cover_stays_with_the_primary_in_no_arm(
    primary: Primary, candidate: Candidate
) -> None:
    with rolled_out(primary, candidate) as (gate, gateway):
        set_share(gateway, 50.0, languages=("en",))
        set_share(gateway, 100.0, languages=("en",))
        english = {"messages": [{"role": "user", "content": "Good morning, how are you today?"}]}
        assert ask(gate, **english).headers[ANSWERED] == "candidate"
        assert ANSWERED not in ask(gate).headers  # Italian
        unclear = {"messages": [{"role": "user", "content": "ok"}]}
        casual = {"x-zantara-category": "casual"}
        assert ANSWERED not in ask(gate, headers=casual, **unclear).headers
        assert ANSWERED in ask(gate, headers={**casual, "x-zantara-language": "en"}, **unclear).headers  # the app knows
        assert gateway.metrics.unrouted == {"not_covered_language_it": 1, "not_covered_language_unknown": 1}
        shown = httpx.get(f"{gate}/metrics").text
        assert 'zantara_rollout_unrouted_total{reason="not_covered_language_it"} 1' in shown
        assert [line.language for line in lines(2)] == ["en", "en"]
        mirror = gateway.mirror  # what stays goes on being compared, and so its evidence grows
        wait_for(lambda: mirror.stats.compared == 2)
        assert sorted(row.query for row in logged()) == sorted([CHAT["content"], "ok"])


def test_a_request_that_nobody_vouches_for_stays_in_no_arm(primary: Primary, candidate: Candidate) -> None:
    config = composed()
    weights = [0.0] * BUCKETS
    weights[next(place for place in features(Known("grazie", "it", "casual", 1, 0)) if place not in PLAIN)] = 9.0
    content = {"candidate": "e", "threshold": 0.5, "categories": ["casual"], "made": "2025-11-03T00:00:00+00:00"}
    mark = certificate.write(Layout(config).certificate, content, Score(-1.0, weights))
    with rolled_out(primary, candidate, "rollout.route=learned") as (gate, gateway):
        with closing(open_store(config.rollout, Layout(config))) as store:
            store.swap(now := store.read(), replace(now, certificate=mark))
        casual = {"x-zantara-category": "casual", "x-zantara-language": "it"}
        thanks, other = ({"messages": [{"role": "user", "content": text}]} for text in ("grazie", "come va"))
        wait_for(lambda: gateway.routing.scored)
        assert ANSWERED in ask(gate, headers=casual, **thanks).headers
        before = gateway.metrics.unrouted["score_below"]
        assert ANSWERED not in ask(gate, headers=casual, **other).headers
        assert gateway.metrics.unrouted["score_below"] == before + 1
        assert [line.category for line in lines(1)] == ["casual"]
        wait_for(lambda: gateway.mirror.stats.compared == 1)  # what stays goes on being compared


def test_what_the_app_says_of_a_request_names_nobody(served: tuple[str, Gateway]) -> None:
    said = {"x-zantara-conversation": "whatsapp:+393331234567", "x-zantara-request": "bob@example.com-1"}
    assert ANSWERED not in ask(served[0], headers={**said, "x-zantara-category": "Business"}).headers
    for category in ("Greeting", "+39333"):
        ask(served[0], headers={**said, "x-zantara-category": category, "x-zantara-language": "Mario"})
    ask(served[0], headers={"x-zantara-conversation": "c-1", "x-zantara-request": "r-1"})
    first, second, third = lines(3)
    assert (first.category, first.language) == (second.category, second.language) == ("greeting", "it")
    assert (first.conversation_id, first.request_id) == (second.conversation_id, second.request_id)
    assert (third.conversation_id, third.request_id) == ("c-1", "r-1")
    text = "".join(path.read_text() for path in Path("logs/shadow_mode").glob("served_*"))
    assert text
    assert not any(each in text for each in ("whatsapp", "393331234567", "bob", "Mario", "+39333"))


def test_llama_enabled_overrides_all_at_the_next_request(
    served: tuple[str, Gateway], primary: Primary, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(served[0]).headers[ANSWERED] == "candidate"
    monkeypatch.setenv("LLAMA_ENABLED", "false")
    assert ANSWERED not in ask(served[0]).headers
    assert series(httpx.get(f"{served[0]}/metrics"))["zantara_rollout_share_percent",] == 0
    monkeypatch.setenv("LLAMA_ENABLED", "true")
    assert ask(served[0]).headers[ANSWERED] == "candidate"


def test_nothing_changes_until_a_rollout_is_started_and_after_it_ended(primary: Primary, candidate: Candidate) -> None:
    percent = "shadow.traffic_percent=0"
    with raw_server(candidate) as answers, primary_at(primary) as url, \
            gateway_at(url, answers, percent, QUICK) as (gate, gateway):  # fmt: skip
        assert ask(gate).content == primary.sent[-1]
        set_share(gateway, 100.0)
        assert ask(gate).headers[ANSWERED] == "candidate"
        set_share(gateway, 0.0)
        assert ask(gate).content == primary.sent[-1]
        assert gateway.metrics.served.total() == candidate.calls == 1
    lines(1)


def test_both_arms_are_noted_side_by_side_and_only_the_control_is_compared(
    primary: Primary, candidate: Candidate
) -> None:
    with rolled_out(primary, candidate) as (gate, gateway):
        set_share(gateway, 50.0)
        answered = {user: ANSWERED in ask(gate, user).headers for user in (f"user-{number}" for number in range(30))}
        assert {True, False} == set(answered.values())
        found = lines(30)
        assert sum(line.arm == CANDIDATE for line in found) == sum(answered.values())
        control = [line for line in found if line.arm == PRIMARY]
        assert {(line.answered_by, line.candidate_error, line.model, line.tokens_input) for line in control} == {
            (PRIMARY, None, "claude-3-5-haiku-20241022", 21)
        }
        assert {line.share for line in found} == {50.0}
        wait_for(lambda: gateway.mirror.stats.compared == sum(not moved for moved in answered.values()))
        assert {row.user for row in logged()} == {line.user for line in control}
    assert dropped() == {}


def test_a_candidate_that_hangs_is_left_alone(primary: Primary) -> None:
    hanging = Candidate(seconds=60)
    patience = ("gateway.candidate_seconds=0.2", "endpoint.breaker.cooldown_seconds=600")
    with rolled_out(primary, hanging, *patience) as (gate, gateway):
        assert [ask(gate).status_code for _ in range(8)] == [200] * 8
        assert gateway.routing.breaker == "open"
        assert hanging.calls <= 5
        assert [line.candidate_error for line in lines(8)] == ["timeout"] * 5 + ["breaker_open"] * 3
        assert series(httpx.get(f"{gate}/metrics"))["zantara_rollout_breaker", "open"] == 1


def test_a_fallback_of_the_candidate_is_asked_before_the_primary(
    primary: Primary, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = answering(response(b'{"id": "j", "status": "COMPLETED", "output": "Ciao da un altro"}'))
    with raw_server(handler) as other:
        monkeypatch.setenv("RUNPOD_API_KEY", "k")
        monkeypatch.setenv("RUNPOD_ENDPOINT", other.removesuffix("/v1"))
        failing = Candidate(status="500 Internal Server Error")
        with rolled_out(primary, failing, "gateway.candidate_seconds=60", FALLBACK) as (gate, _):
            assert ask(gate).json()["content"][0]["text"] == "Ciao da un altro"
            [line] = lines(1)
    assert (line.answered_by, line.candidate_error) == (CANDIDATE, None)
    assert primary.bodies == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-zantara-budget": "3"}, 1.5),
        ({"x-stainless-read-timeout": "600"}, 300),
        ({"x-stainless-read-timeout": "NOT_GIVEN"}, None),
        ({"x-zantara-budget": "-1"}, None),
        ({"x-zantara-budget": "nan"}, None),
        ({"x-stainless-timeout": "NOT_GIVEN", "x-stainless-read-timeout": "8.0"}, 4),  # the official Python client
        ({"x-stainless-timeout": "600"}, 300),  # the official TypeScript clients: whole seconds
        ({"x-stainless-timeout": "0"}, 0.25),  # less than one
        ({"x-stainless-timeout": "4", "x-zantara-budget": "2"}, 1),
    ],
)
def test_how_long_a_client_waits(headers: dict[str, str], seconds: float | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert Exchange("/v1/messages", raw).patience() == seconds


def test_the_official_clients_say_how_long_they_wait(primary: Primary) -> None:
    import anthropic
    import openai

    with primary_at(primary) as url:
        with anthropic.Anthropic(base_url=url, api_key=SECRET) as client:
            client.messages.create(model="m", max_tokens=9, messages=[CHAT], timeout=8)  # type: ignore[list-item]
        with openai.OpenAI(base_url=f"{url}/v1", api_key=SECRET) as other:
            other.chat.completions.create(model="m", messages=[CHAT], timeout=6)  # type: ignore[list-item]
    assert [float(sent["x-stainless-read-timeout"]) for sent in primary.headers] == [8, 6]


HANGS_UP = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-zantara-user: u\r\n"


def hang_up(gate: str, after_seconds: float, hanging: Candidate) -> None:
    body = json.dumps({"model": "m", "max_tokens": 500, "messages": [CHAT]})
    before = hanging.calls
    with socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1]))) as client:
        client.sendall(f"{HANGS_UP}content-length: {len(body)}\r\n\r\n{body}".encode())
        wait_for(lambda: hanging.calls > before)
        time.sleep(after_seconds)


def test_a_client_that_hangs_up_because_the_candidate_is_late_is_its_failure(primary: Primary) -> None:
    hanging = Candidate(seconds=60)
    late = ("gateway.candidate_seconds=60", "gateway.late_seconds=0.3", "endpoint.breaker.cooldown_seconds=600")
    with rolled_out(primary, hanging, *late) as (gate, gateway):
        for number in range(5):
            hang_up(gate, 0.4, hanging)
            lines(number + 1)
        for line in lines(5):
            assert (line.arm, line.answered_by) == (CANDIDATE, PRIMARY)
            assert (line.candidate_error, line.error) == ("timeout", "client_gone")
            assert line.candidate_ms is not None
            assert line.candidate_ms >= 300
        assert gateway.routing.breaker == "open"
        assert ANSWERED not in ask(gate).headers  # the next user does not wait
        assert hanging.calls == 5


def test_a_client_that_hangs_up_at_once_says_nothing_of_the_candidate(primary: Primary) -> None:
    hanging = Candidate(seconds=60)
    patient = ("gateway.candidate_seconds=60", "gateway.late_seconds=60", "endpoint.breaker.failures=1")
    with rolled_out(primary, hanging, *patient) as (gate, gateway):
        hang_up(gate, 0, hanging)
        [line] = lines(1)
        assert (line.candidate_error, line.error) == (None, "client_gone")
        assert gateway.routing.breaker == "closed"


def test_a_candidate_that_outlasts_what_clients_wait_is_left_alone(primary: Primary) -> None:
    hanging = Candidate(seconds=60)
    late = ("gateway.candidate_seconds=60", "gateway.late_seconds=0.2", "endpoint.breaker.cooldown_seconds=600")
    with rolled_out(primary, hanging, *late) as (gate, gateway):
        found = [ask(gate, headers={"x-zantara-budget": "0.6"}).status_code for _ in range(7)]
        assert found == [200] * 7
        assert gateway.routing.breaker == "open"
        assert hanging.calls == 5
        assert [line.candidate_error for line in lines(7)] == ["timeout"] * 5 + ["breaker_open"] * 2


def test_requests_that_one_user_made_too_long_shut_nobody_else_out(primary: Primary) -> None:
    changing = Changing()
    with rolled_out(primary, changing) as (gate, gateway):
        changing.now = Candidate(status="400 Bad Request")
        assert not any(ANSWERED in ask(gate, "long").headers for _ in range(6))
        assert gateway.routing.breaker == "closed"
        changing.now = Candidate()
        assert ANSWERED in ask(gate, "another").headers
        assert [line.candidate_error for line in lines(7)] == ["bad_request"] * 6 + [None]


def test_a_client_that_goes_away_ends_the_candidates_work_and_is_noted(primary: Primary) -> None:
    hanging = Candidate(seconds=60)
    with rolled_out(primary, hanging, "gateway.candidate_seconds=60") as (gate, gateway):
        body = json.dumps({"model": "m", "max_tokens": 500, "messages": [CHAT]})
        with socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1]))) as client:
            head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-zantara-user: u\r\n"
            client.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            wait_for(lambda: hanging.calls == 1)
        [line] = lines(1)
        assert (line.error, line.tokens_output) == ("client_gone", None)
        assert gateway.metrics.in_flight == 0
        assert primary.bodies == []


def test_content_and_keys_are_in_neither_log_nor_metrics(
    served: tuple[str, Gateway], workdir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ask(served[0], messages=[{"role": "user", "content": "ciao, a secret greeting"}], stream=True)
    lines(1)
    said = httpx.get(f"{served[0]}/metrics").text + capfd.readouterr().out
    said += "".join(
        path.read_text(errors="replace") for path in workdir.rglob("*") if path.is_file() and path.suffix != ".npz"
    )
    for private in ("secret", SECRET, "user-1", "candidato"):
        assert private not in said


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("rollout")
        yield server.conninfo("rollout")


def test_two_gateways_share_a_rollout_in_postgresql(
    primary: Primary, candidate: Candidate, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLOUT_DATABASE_URL", database)
    shared = ("rollout.state=postgres", QUICK)
    with (
        raw_server(candidate) as answers,
        primary_at(primary) as url,
        gateway_at(url, answers, *shared) as (first, one),
        gateway_at(url, answers, *shared) as (second, two),
    ):
        set_share(one, 50.0, *shared)
        wait_for(lambda: two.routing.share == 50.0)
        for user in (f"user-{number}" for number in range(6)):
            assert (ANSWERED in ask(first, user).headers) == (ANSWERED in ask(second, user).headers)
        set_share(two, 0.0, *shared)
        wait_for(lambda: one.routing.share == 0.0)
        assert ANSWERED not in ask(first).headers
        assert len({line.user for line in lines(12, *shared)}) == 6
    assert not Path(".zantara/rollout").exists()


def test_the_primary_is_asked_unseen_what_the_candidate_answered_a_user(
    primary: Primary, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of what is moved stands in the comparison log as `moved`: no evidence for a gate, and no delay."""
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", "ours")
    reverse = ("primary.endpoint=today", "rollout.reverse_percent=50")
    primary.pause = 0.3
    with raw_server(candidate) as answers, primary_at(primary) as url:
        Path("ours/endpoint").mkdir(parents=True)
        Path("ours/endpoint/today.yaml").write_text(f"kind: openai\nbase_url: {url}/v1\nmodel: claude\nstream: false\n")
        with gateway_at(url, answers, QUICK, *reverse) as (at, gateway):
            set_share(gateway, 100.0)
            found = [ask(at, f"user-{place}", {"x-zantara-request": str(place)}) for place in range(24)]
            assert all(each.headers[ANSWERED] == "candidate" for each in found)
            chosen = {line.request_id for line in lines(24) if in_reverse(line.request_id, 50.0)}
            wait_for(lambda: len(logged()) == len(chosen))
            wait_for(lambda: gateway.mirror.stats.over == gateway.mirror.stats.sampled)
    rows = logged()
    assert 5 < len(rows) < 19
    assert {row.request_id for row in rows} == chosen
    assert {row.arm for row in rows} == {"moved"}
    assert {row.sampling.reason for row in rows} == {"moved"}
    assert {row.candidate.response for row in rows} == {"Ciao dal candidato!"}
    assert all(row.primary.error is None and row.primary.response for row in rows)
    assert {row.primary.response for row in rows}.isdisjoint({"Ciao dal candidato!"})
    assert candidate.calls == 24  # nobody asks it twice
