from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shadow.examples import comparison, version_1
from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.shadow.reader import BadLine, parse_line
from zantara_exp.shadow.record import LONGEST_MS, UNVERSIONED, Comparison, Drops, Sampling, Side, to_line

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COUNT = st.none() | st.integers(0, 2**53)
MILLIS = st.none() | st.floats(0, LONGEST_MS)
SOME = st.none() | TEXT
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, st.booleans())
BILLED = st.builds(Billed, MILLIS, SOME, SOME, MILLIS)
SIDE = st.builds(Side, TEXT, SOME, SOME, USAGE, MILLIS, MILLIS, SOME, SOME, SOME, BILLED)


def hashed(user: str) -> str:
    return f"h({user})"


def read_1(**changes: Any) -> Comparison:
    found = parse_line(orjson.dumps(version_1(**changes)), hashed)
    assert isinstance(found, Comparison)
    return found


@given(
    primary=SIDE,
    candidate=SIDE,
    query=TEXT,
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    sampling=st.builds(Sampling, MILLIS, st.none() | TEXT),
    dropped=st.dictionaries(TEXT, st.integers(0, 1000), max_size=3),
)
def test_version_3_is_read_as_it_was_written(
    primary: Side, candidate: Side, query: str, moment: datetime, sampling: Sampling, dropped: dict[str, int]
) -> None:
    item = comparison(
        primary=primary, candidate=candidate, query=query, messages=[{"role": "user", "content": query}],
        timestamp=moment, sampling=sampling, dropped=dropped,
    )  # fmt: skip
    line = to_line(item)
    assert line.count(b"\n") == 1
    assert parse_line(line, hashed) == item


def test_version_2_has_no_caches_and_says_its_cost_in_other_words() -> None:
    body = orjson.loads(to_line(comparison())) | {"schema_version": 2}
    older = {"response": "Ciao", "tokens_input": 9, "tokens_output": 4, "cost_usd": 0.1, "cost_basis": "EUR 3"}
    found = parse_line(orjson.dumps(body | {"primary": older, "candidate": older}), hashed)
    assert isinstance(found, Comparison)
    assert found.schema_version == 2
    assert found.primary == Side("Ciao", usage=Usage(9, output=4), billed=Billed(0.1, "EUR 3"))


def test_a_line_of_drops() -> None:
    item = Drops("e1", datetime(2025, 10, 21, tzinfo=UTC), {"queue_full": 4})
    assert parse_line(to_line(item), hashed) == item


def test_version_1_is_read() -> None:
    found = read_1()
    assert (found.schema_version, found.epoch, found.arm) == (1, UNVERSIONED, "candidate")
    assert found.timestamp == datetime(2025, 10, 21, 8, 14, 5, 120000, tzinfo=UTC)
    assert found.user == "h(user-77)"
    assert found.messages == [{"role": "user", "content": "Ciao, come stai?"}]
    assert (found.category, found.language) == ("greeting", None)
    assert (found.primary.model, found.primary.provider, found.primary.latency_ms) == (
        "claude-3-5-haiku",
        "haiku",
        None,
    )
    assert (found.candidate.response, found.candidate.latency_ms, found.candidate.error) == (
        "Ciao! Bene, e tu?",
        143.2,
        None,
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Timeout after 10s", "timeout"),
        ("Request timed out", "timeout"),
        ("HTTP 429: Too Many Requests", "rate_limited"),
        ("503 Service Unavailable", "overloaded"),
        ("Connection refused", "refused"),
        ("HTTP 500", "server_error"),
        ("Expecting value: invalid JSON", "bad_answer"),
        ("something else", "other"),
    ],
)
def test_version_1_errors_are_typed(said: str, reason: str) -> None:
    found = read_1(llama={"response": "", "error": said})
    assert (found.candidate.error, found.candidate.detail) == (reason, said)


def test_version_1_failures_without_a_word_are_failures() -> None:
    assert read_1(llama={"response": "", "error": None}).candidate.error == "empty_answer"
    assert read_1(llama={"response": "hm"}, comparison={"llama_success": False}).candidate.error == "other"
    assert read_1(llama={"response": "hm"}, comparison=None).candidate.error is None


def test_version_1_users_and_zones() -> None:
    assert read_1(user_id=77).user == "h(77)"
    assert read_1(user_id=None).user == "h(anonymous)"
    moment = read_1(timestamp="2025-10-21T08:14:05+08:00").timestamp
    assert moment.isoformat() == "2025-10-21T00:14:05+00:00"
    assert read_1(timestamp="2025-10-21T08:14:05Z").timestamp.hour == 8


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1\n', "not JSON"),
        (b'{"schema_version": 2, "comp', "not JSON: cut off"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[]\n", "a JSON list, not an object"),
        (b'{"schema_version": 4}', "schema_version 4 is not known"),
        (orjson.dumps(version_1(timestamp="yesterday")), "timestamp is not a date and time"),
        (orjson.dumps(version_1(timestamp=None)), "timestamp is missing"),
        (orjson.dumps(version_1(llama=None)), "llama is missing"),
        (orjson.dumps(version_1(llama="hm")), "llama is not an object"),
        (orjson.dumps(version_1(llama={"response": "x", "latency_ms": "fast"})), "latency_ms is not a number"),
        (orjson.dumps(version_1(llama={"response": "x", "tokens_output": -1})), "tokens_output is not a count"),
        (orjson.dumps(version_1(llama={"response": "x", "latency_ms": 1e308})), "latency_ms is more than a day"),
        (to_line(comparison()).replace(b":120.5", b":1e308"), "latency_ms is more than a day"),
        (to_line(comparison()).replace(b'"ttft_ms":null', b'"ttft_ms":86400001'), "ttft_ms is more than a day"),
        (to_line(comparison()).replace(b'"candidate_id":"e1"', b'"candidate_id":""'), "candidate_id is missing"),
        (to_line(comparison()).replace(b'"candidate_id":"e1"', b'"epoch":""'), "epoch is missing"),
        (to_line(comparison()).replace(b'"role":"user",', b""), "a message lacks its role or content"),
    ],
)
def test_a_bad_line_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as caught:
        parse_line(line, hashed)
    assert str(caught.value).startswith(reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.data(), st.sampled_from([version_1(), orjson.loads(to_line(comparison()))]))
def test_any_damage_is_a_bad_line_or_a_record(data: st.DataObject, whole: dict[str, Any]) -> None:
    key = data.draw(st.sampled_from(sorted(whole)))
    damaged = whole | {key: data.draw(JSON)}
    try:
        found = parse_line(orjson.dumps(damaged), hashed)
    except BadLine:
        return
    assert isinstance(found, Comparison | Drops)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_bad_line(data: bytes) -> None:
    with pytest.raises(BadLine):
        parse_line(data, hashed)
