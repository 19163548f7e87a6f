"""Whatever is shown to the gateway, asked of the live page, read from a source or written as a domain: taken or
explained, never an error of ours, and what was taken is counted. `NEW_EXAMPLES=yes` looks for new examples."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dataset.support import config_of, context_of, rows_of
from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at
from tests.hostile.test_http import easy
from tests.shadow.primary import running
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.config import compose
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.dataset.extract import extract
from zantara_exp.gateway.app import Gateway
from zantara_exp.gateway.observed import UnobservableError, read_observed
from zantara_exp.watch.finding import asked

few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
many = settings(max_examples=1500, suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
OBSERVED = ["message", "user_id", "history", "memory_context", "category", "language", "conversation_id", "request_id",
            "system_prompt", "options", "unshowable", "attempt", "traceparent", "answer", "text", "model", "provider",
            "usage", "latency_ms", "error", "ttft_ms", "finish_reason"]  # fmt: skip
odd = plain | st.sampled_from(["timeout", "not_text", "casual", "it", "\x00", "\u202e", 1, 0.5, [], {}])
turns = st.lists(st.fixed_dictionaries({"role": odd, "content": odd}), max_size=2)
calls = st.dictionaries(st.sampled_from(OBSERVED), odd | turns, max_size=5).flatmap(
    lambda wrong: st.dictionaries(st.sampled_from(OBSERVED), odd, max_size=3).map(
        lambda answer: {"message": "Ciao", "user_id": "u-1", "answer": {"text": "Ciao!", **answer}, **wrong}
    )
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Gateway]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("gateway"))
        patch.delenv("ZANTARA_HASH_KEY", raising=False)
        with raw_server(Candidate()) as answers, running(easy) as primary, gateway_at(primary, answers) as (url, one):
            with httpx.Client(base_url=url, timeout=60) as client:
                yield client, one


@few
@given(calls)
def test_no_observed_call_is_an_error(call: dict[str, Any]) -> None:
    with contextlib.suppress(UnobservableError):
        read_observed(orjson.dumps(call))


def observed_and_counted(gateway: tuple[httpx.Client, Gateway], sent: list[dict[str, Any]]) -> None:
    """Each is refused with a word, or accounted for: compared, set aside or dropped with a reason."""
    client, one = gateway
    before = one.mirror.stats
    statuses = [client.post("/observe", content=orjson.dumps(call)) for call in sent]
    assert {answer.status_code for answer in statuses} <= {202, 400}
    assert all(answer.text.strip() for answer in statuses)
    taken = sum(answer.status_code == 202 for answer in statuses)
    wait_for(lambda: one.mirror.stats.observed - before.observed == taken)
    wait_for(lambda: (now := one.mirror.stats).over == now.sampled)


@settings(few, max_examples=2)
@given(st.lists(calls, min_size=6, max_size=9))
def test_what_is_observed_is_counted(gateway: tuple[httpx.Client, Gateway], sent: list[dict[str, Any]]) -> None:
    observed_and_counted(gateway, sent)


@pytest.mark.slow
@settings(many, max_examples=150)
@given(st.lists(calls, max_size=20))
def test_what_is_observed_is_counted_again(gateway: tuple[httpx.Client, Gateway], sent: list[dict[str, Any]]) -> None:
    observed_and_counted(gateway, sent)


item = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "reasoning", "function_call", "function_call_output", "input_image"]) | odd,
        "role": st.sampled_from(["user", "assistant", "system", "developer"]) | odd,
        "content": odd | st.lists(st.fixed_dictionaries({"type": odd, "text": odd}), max_size=2),
        "call_id": odd,
        "output": odd,
    },
)
responses = st.fixed_dictionaries(
    {"input": odd | st.lists(item, max_size=4)},
    optional=dict.fromkeys(
        ("instructions", "previous_response_id", "conversation", "prompt", "stream", "store", "tools")
        + ("model", "user", "metadata", "text", "reasoning", "max_output_tokens", "safety_identifier"),
        odd,
    ),
)


def forwarded(gateway: tuple[httpx.Client, Gateway], body: dict[str, Any]) -> None:
    """The primary's own bytes come back whatever was sent, and the mirror knows what became of it."""
    client, one = gateway
    answer = client.post("/v1/responses", content=orjson.dumps(body), headers={"x-zantara-user": "u-1"})
    assert answer.status_code == 200
    assert answer.content == b'{"content": [{"type": "text", "text": "Ciao"}]}'
    wait_for(lambda: (now := one.mirror.stats).over == now.sampled)


@settings(few, max_examples=40)
@given(responses)
def test_no_body_of_the_responses_api_hurts_its_user(
    gateway: tuple[httpx.Client, Gateway], body: dict[str, Any]
) -> None:
    forwarded(gateway, body)


@pytest.mark.slow
@many
@given(responses)
def test_no_body_of_the_responses_api_hurts_its_user_again(
    gateway: tuple[httpx.Client, Gateway], body: dict[str, Any]
) -> None:
    forwarded(gateway, body)


DIGITS = st.sampled_from(
    ["", "7", "007", "24", "-1", "²", "٣", "9" * 30, "1e3", " 3", "2025-10-22", "2025-W01-1", "20251022"]
)


@few
@given(
    st.dictionaries(
        st.sampled_from(["day", "hour", "language", "category", "reason", "search", "after"]), text | DIGITS
    )
)
def test_no_query_of_the_live_page_is_an_error(query: dict[str, str]) -> None:
    with contextlib.suppress(ValueError):
        assert asked(query).after >= 0


RAW = ["messages", "conversations", "timestamp", "created_at", "model", "rating", "user_id", "user", "session_id", "id",
       "metadata", "prompt", "completion", "input", "output", "sessionId", "observations"]  # fmt: skip
chat = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]) | odd, "content": odd}), max_size=3
)
rows = st.lists(st.dictionaries(st.sampled_from(RAW), odd | chat, max_size=5) | plain, max_size=4)


def read_as_a_source(found: list[Any], noise: bytes) -> None:
    """Counts in = counts out: what is no chat lies in quarantine with its reason, or the file is refused."""
    sent = [orjson.dumps(row) for row in found] + [noise.replace(b"\n", b" ").replace(b"\r", b" ")]
    good = {"messages": [{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Benvenuto a Bali!"}]}
    Path("chats.jsonl").write_bytes(b"\n".join([*sent, orjson.dumps(good)]) + b"\n")
    config = config_of("source=jsonl", "source.path=chats.jsonl", "force=true")
    context = context_of(config)
    try:
        extract(config, context)
    except ZantaraError:
        return
    summary = json.loads(context.layout.extract_summary.read_text())
    kept = len(list(rows_of(context.layout.raw_conversations)))
    quarantined = len(list(rows_of(context.layout.quarantine)))
    assert summary["rows_read"] == kept + quarantined
    assert kept >= 1


@pytest.fixture
def source(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "0123456789abcdef0123456789abcdef")
    return workdir


@settings(few, max_examples=12)
@given(rows, st.binary(max_size=20))
@pytest.mark.usefixtures("source")
def test_no_row_of_a_source_is_an_error(found: list[Any], noise: bytes) -> None:
    read_as_a_source(found, noise)


@pytest.mark.slow
@settings(many, max_examples=500)
@given(rows, st.binary(max_size=20))
@pytest.mark.usefixtures("source")
def test_no_row_of_a_source_is_an_error_again(found: list[Any], noise: bytes) -> None:
    read_as_a_source(found, noise)


SHIPPED = compose([]).domain
KEYS = sorted(SHIPPED.__dataclass_fields__)


def read_as_a_domain(folder: Path, content: bytes) -> None:
    (folder / "domain").mkdir(parents=True, exist_ok=True)
    (folder / "domain" / "ours.yaml").write_bytes(content)
    with contextlib.suppress(ConfigError):
        compose(["domain=ours"], str(folder))


@settings(few, max_examples=4)
@given(st.dictionaries(st.sampled_from(KEYS), odd | st.dictionaries(text, odd, max_size=2), max_size=3))
def test_no_domain_is_an_error(tmp_path_factory: pytest.TempPathFactory, wrong: dict[str, Any]) -> None:
    folder = tmp_path_factory.getbasetemp() / f"domains-{os.getpid()}"
    read_as_a_domain(folder, b"defaults: [bali, _self_]\n" + b"".join(
        f"{name}: {json.dumps(value)}\n".encode() for name, value in wrong.items()
    ))  # fmt: skip


@pytest.mark.slow
@settings(many, max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), odd | st.dictionaries(text, odd, max_size=2), max_size=3))
def test_no_domain_is_an_error_again(tmp_path_factory: pytest.TempPathFactory, wrong: dict[str, Any]) -> None:
    test_no_domain_is_an_error.hypothesis.inner_test(tmp_path_factory, wrong)  # type: ignore[attr-defined]
