"""What becomes of spans: sent, or lost and counted; what they say of a call."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from tests.shadow.waiting import wait_for
from tests.spans.collector import Collector, ask_for_spans, collecting
from zantara_exp.cost.usage import Usage
from zantara_exp.spans import Around, Called, Ended, call, call_headers, in_role, note_status, open_spans, within
from zantara_exp.spans.sdk import Spans

MODEL = Called("openai", "m", "there", 443)


def opened(service: str = "here") -> Spans:
    found = open_spans(service)
    assert found is not None
    return found


def make(spans: Spans, count: int) -> None:
    for _ in range(count):
        spans.call(MODEL, spans.continued(None), {}).end(Ended())


def test_what_the_queue_has_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector(silent=threading.Event())
    with collecting(collector) as address:
        ask_for_spans(monkeypatch, address)
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
        spans = opened()
        make(spans, 5)
        wait_for(lambda: spans._exporter.begun == 5)  # on its way, to a collector that says nothing
        make(spans, 20)
        assert (spans.sent, spans.lost) == (0, 0)
        make(spans, 7)
        assert (spans.sent, spans.lost) == (0, 7)
        assert collector.silent is not None
        collector.silent.set()
        spans.close(60)
        assert (spans.sent, spans.lost) == (25, 7)
        assert len(collector.spans) == 25


def test_a_collector_that_comes_back_gets_what_comes_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(status=403)
    with collecting(collector) as address:
        ask_for_spans(monkeypatch, address)
        spans = opened()
        for lost in (3, 6):
            make(spans, 3)
            wait_for(lambda lost=lost: spans.lost == lost)
        collector.status = 200
        make(spans, 2)
        spans.close(60)
        assert (spans.sent, spans.lost, len(collector.spans)) == (2, 6, 2)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"the collector at {address.removeprefix('http://')} takes no spans;")


def test_the_end_waits_for_no_collector_longer_than_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting(Collector(silent=threading.Event())) as address:
        ask_for_spans(monkeypatch, address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
        spans = opened()
        make(spans, 3)
        began = time.monotonic()
        spans.close(0.5)
        assert time.monotonic() - began < 10
        assert (spans.sent, spans.lost) == (0, 3)


def test_a_variable_that_the_sdk_refuses_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask_for_spans(monkeypatch, "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    assert open_spans("here") is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("no spans are sent, a variable of OpenTelemetry is wrong: max_queue_size")


def test_the_resource_is_what_the_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    with collecting(collector) as address:
        ask_for_spans(monkeypatch, address)
        for variables, service in (
            ({}, "here"),
            ({"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test,service.name=shop"}, "shop"),
            ({"OTEL_SERVICE_NAME": "till"}, "till"),
        ):
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            spans = opened()
            make(spans, 1)
            spans.close(60)
            assert collector.spans.pop().service == service


def test_a_call_says_how_it_ended_and_one_left_without_an_end_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    long = "x" * 1000
    with collecting(collector) as address:
        ask_for_spans(monkeypatch, address)
        spans = opened()
        around = Around(spans, spans.continued(None), {"zantara.role": "mirrored"})
        with within(around), in_role("aa"):
            with call(MODEL) as begun:
                assert begun is not None
                assert call_headers() == begun.headers
                note_status(200)
                begun.end(Ended(None, long, Usage(1, 2, 3, 4, 5), long, 0.25))
            with pytest.raises(KeyboardInterrupt), call(MODEL):
                raise KeyboardInterrupt
        with call(MODEL) as unseen:
            assert unseen is None
            assert call_headers() == {}
            note_status(200)
        spans.close(60)
    whole, left = collector.spans
    assert whole.attributes == {
        "zantara.role": "aa", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m", "server.address": "there", "server.port": 443, "http.response.status_code": 200,
        "gen_ai.response.model": long[:200], "gen_ai.response.finish_reasons": [long[:200]],
        "gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 2, "gen_ai.usage.cache_write.input_tokens": 7,
    }  # fmt: skip
    assert (left.failed, left.attributes["error.type"]) == (True, "given_up")
