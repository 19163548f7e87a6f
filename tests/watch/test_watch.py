from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.analysis import logs
from tests.analysis.test_report import Record
from tests.browsing import browser_page, hard_to_read
from zantara_exp.config import Config, compose
from zantara_exp.config.gateway import Gateway
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context
from zantara_exp.page import free_port
from zantara_exp.rollout.served import Served, to_line
from zantara_exp.rollout.state import RUNNING, Change, State
from zantara_exp.rollout.store import open_store
from zantara_exp.shadow.switch import Switch
from zantara_exp.watch.app import app
from zantara_exp.watch.finding import asked, pairs
from zantara_exp.watch.live import gateway_now, shown
from zantara_exp.watch.picture import measured, rollout_now, stamp
from zantara_exp.watch.watcher import Watcher

SMALL = logs.Plan(days=2, per_day=40, success=0.8, epoch="e2")


@contextlib.contextmanager
def watched(config: Config, layout: Layout) -> Iterator[tuple[str, Watcher]]:
    """The page, served, with its watcher."""
    port = free_port("127.0.0.1")
    watcher = Watcher(config, layout, rests=0.0)
    context = Context(config, Record(), Path.cwd())  # type: ignore[arg-type]
    made = app(config, context, watcher, ["127.0.0.1"])
    terms = uvicorn.Config(made, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(terms)
    thread = threading.Thread(target=server.run)
    watcher.start()
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/", watcher
    watcher.stop()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_a_number_leads_to_its_pairs_and_news_arrive(layout: Layout, config: Config) -> None:
    text = "<img src=x onerror=alert(1)> \u202e scrivi a anna.rossi@example.org"
    logs.write(layout.logs, replace(SMALL, extra={"query": text}))
    config.watch.seconds = 0.2
    with watched(config, layout) as (url, watcher), browser_page(url) as page:
        page.locator("#tiles .lead").first.click(timeout=60_000)
        page.locator("#many", has_text="comparisons").wait_for(timeout=30_000)
        failed = page.locator("article").count()
        assert f"{failed} of {failed} comparisons" in str(page.locator("#many").text_content())
        said = str(page.locator("article").first.text_content())
        assert "failed: " in said
        assert "[EMAIL_1]" in said
        assert "<img" in said
        assert "anna.rossi" not in page.content()
        assert "\u202e" not in page.content()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert hard_to_read(page) == []
        drawn = watcher.number
        logs.write(layout.logs, replace(SMALL, start=2, per_day=60, seed=4))
        page.locator("#tiles .tile", has_text="of 200 requests").wait_for(timeout=60_000)
        assert watcher.number > drawn


def test_filters_and_search_find_what_they_name(layout: Layout, config: Config) -> None:
    written = logs.write(layout.logs, replace(SMALL, per_day=60))
    all_of_them = pairs(asked({}), config, layout)
    assert (all_of_them["of"], len(all_of_them["pairs"])) == (len(written), 20)
    some = pairs(asked({"language": "it", "day": "2025-10-21", "reason": "answered"}), config, layout)
    assert 0 < some["of"] < 60
    assert all(pair["about"][0].startswith("2025-10-21") and pair["about"][1] == "it" for pair in some["pairs"])
    hours = sum(pairs(asked({"hour": str(hour)}), config, layout)["of"] for hour in (0, 12))
    assert 0 <= hours <= len(written)
    assert pairs(asked({"search": "nobody wrote this"}), config, layout)["of"] == 0
    assert pairs(asked({"language": "'; drop table facts"}), config, layout)["of"] == 0


@pytest.mark.parametrize("given", [{"day": "yesterday"}, {"hour": "24"}, {"hour": "٣"}, {"after": "-1"}])
def test_what_is_no_filter_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        asked(given)


def test_the_stamp_changes_with_the_log_alone(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, SMALL)
    before = stamp(config, layout)
    assert stamp(config, layout) == before
    logs.write(layout.logs, replace(SMALL, start=2))
    assert stamp(config, layout) != before


def test_without_a_log_the_page_says_what_to_run(layout: Layout, config: Config) -> None:
    watcher = Watcher(config, layout)
    watcher._draw()
    assert "stage=shadow" in json.loads(watcher.told["picture"])["hint"]
    assert rollout_now(config, layout)["summary"]["phase"] == "idle"


def test_the_page_stops_and_says_who_and_why(layout: Layout, config: Config) -> None:
    now = datetime.now(UTC)
    began = Change(now, "ayu", "start", "GO", "idle", "running 10 %")
    store = open_store(config.rollout, layout)
    store.swap(store.read(), State(RUNNING, 0, 10.0, "e2", "g", "2025-10-21", now, (began,)))
    with watched(config, layout) as (url, _), browser_page(url) as page:
        page.locator("summary", has_text="Stop something").click()
        page.get_by_label("who you are").fill("budi")
        page.get_by_text("Roll back").click()
        page.locator("#stopped.bad", has_text="say why").wait_for()
        assert store.read().phase == RUNNING
        page.get_by_label("why").fill("<b>wrong</b> prices")
        page.get_by_text("Roll back").click()
        page.locator("#rollout td", has_text="<b>wrong</b> prices").first.wait_for()
        last = store.read().history[-1]
        assert (last.action, last.actor, last.reason) == ("rollback", "budi", "<b>wrong</b> prices")
        page.get_by_label("why").fill("prices")
        page.get_by_text("Pause the rollout").click()
        page.locator("#stopped.bad").wait_for()  # there is nothing left to pause
        page.get_by_text("Shadow mode off").click()
        page.locator("#stopped", has_text="shadow mode is off").wait_for()
    assert not Switch(layout.state).is_on()


@pytest.mark.parametrize(
    ("headers", "order", "status"),
    [
        ({}, {"action": "rollback", "actor": "a", "reason": "b"}, 403),
        ({"x-watch": "1", "origin": "https://evil.example"}, {"action": "rollback", "actor": "a", "reason": "b"}, 403),
        ({"x-watch": "1", "host": "evil.example"}, {"action": "rollback", "actor": "a", "reason": "b"}, 421),
        ({"x-watch": "1"}, {"action": "start", "actor": "a", "reason": "b"}, 422),
        ({"x-watch": "1"}, {"action": "rollback", "actor": "", "reason": "b"}, 422),
        ({"x-watch": "1"}, {"action": "rollback", "actor": "a", "reason": " "}, 422),
        ({"x-watch": "1"}, ["rollback"], 422),
    ],
)
def test_others_give_no_orders(
    layout: Layout, config: Config, headers: dict[str, str], order: object, status: int
) -> None:
    context = Context(config, Record(), Path.cwd())  # type: ignore[arg-type]
    made = app(config, context, Watcher(config, layout), ["testserver"])
    with TestClient(made) as client:
        assert client.post("/act", json=order, headers=headers).status_code == status


def test_a_gateway_is_told_in_a_few_lines() -> None:
    text = """# TYPE zantara_mirror_queue_depth gauge
zantara_mirror_queue_depth 3
# TYPE zantara_mirror_breaker gauge
zantara_mirror_breaker{state="open"} 1
zantara_mirror_breaker{state="closed"} 0
# TYPE zantara_mirror_dropped counter
zantara_mirror_dropped_total{reason="queue_full"} 7
zantara_mirror_dropped_total{reason="disk"} 0
# TYPE zantara_gateway_added_seconds histogram
zantara_gateway_added_seconds_bucket{le="0.001"} 60
zantara_gateway_added_seconds_bucket{le="0.005"} 99
zantara_gateway_added_seconds_bucket{le="+Inf"} 100
"""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert shown(samples) == [
        ("wait for the candidate", "3"),
        ("breaker of the mirror", "open"),
        ("dropped: queue_full", "7"),
        ("added latency, p50 at most", "1.0 ms"),
        ("added latency, p95 at most", "5.0 ms"),
    ]


def test_what_answers_at_the_port_of_a_gateway_may_be_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of another kind there ended the thread that draws the page; a proxy was asked for this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    bucket = b"# TYPE zantara_mirror_breaker gauge\nzantara_mirror_breaker 1\n"
    whole = b"# TYPE zantara_mirror_queue_depth gauge\nzantara_mirror_queue_depth 3\n"
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    for said, told in ((b"SSH-2.0-x\r\n", []), (head + bucket, []), (head + whole, [("wait for the candidate", "3")])):
        with socket.create_server(("127.0.0.1", 0)) as server:
            answering = threading.Thread(target=_answer_once, args=(server, said))
            answering.start()
            assert gateway_now(Gateway(port=server.getsockname()[1])) == told
            answering.join(5)


def _answer_once(server: socket.socket, said: bytes) -> None:
    caller, _ = server.accept()
    with caller:
        caller.recv(10_000)
        caller.sendall(said)


def test_what_moves_is_told_while_the_log_is_measured(
    layout: Layout, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback showed on the page only with the next picture, which a long log lets wait for minutes."""
    done, slow = threading.Event(), threading.Event()

    def unreadable(*_: object) -> str:
        slow.set()
        done.wait(20)
        raise PermissionError("no such luck")

    monkeypatch.setattr("zantara_exp.watch.watcher.stamp", unreadable)
    config.watch.seconds = 0.2
    watcher = Watcher(config, layout)
    watcher.start()
    assert slow.wait(10)
    store, now = open_store(config.rollout, layout), datetime.now(UTC)
    store.swap(store.read(), State(RUNNING, 0, 10.0, "e2", "g", "2025-10-21", now, ()))
    assert _in_time(
        lambda: "running" in json.loads(watcher.told.get("rollout", b"{}")).get("summary", {}).get("phase", "")
    )
    served = Served(now, "c", "u", "greeting", "it", "e2", 10.0, "primary", "primary", None, None, 9.0, None, None)
    layout.logs.mkdir(parents=True, exist_ok=True)
    before = watcher.told["rollout"]
    (layout.logs / f"served_{now:%Y-%m-%d}.jsonl").write_bytes(to_line(served))
    assert _in_time(lambda: watcher.told["rollout"] is not before)  # what users are served is news of its own
    done.set()
    assert _in_time(lambda: watcher.number == 1)  # and a disk that cannot be read is said, and does not end it
    watcher.stop()


def _in_time(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_words_of_any_length_or_direction_leave_the_page_as_it_is(layout: Layout, config: Config) -> None:
    """A kind of failure of 300 letters made a table of 3,600 pixels; marks of direction turned its row around."""
    written = logs.write(
        layout.logs, replace(SMALL, epoch="M" * 200, model="M" * 200, failures=("E" * 300, "err\u202eor"))
    )
    assert any("\u202e" in str(each["candidate"]["error"]) for each in written)
    with watched(config, layout) as (url, _), browser_page(url) as page:
        page.locator("#tables .lead", has_text="err\ufffdor").click(timeout=60_000)
        page.locator("#found bdi", has_text="failed: err\ufffdor").first.wait_for()
        assert page.locator("#found .said i", has_text="no answer").count() > 0
        assert "\u202e" not in str(page.locator("#tables").text_content())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        wide = "[...document.querySelectorAll('#tables .wide')].find(each => each.textContent.startsWith('Failures'))"
        assert page.evaluate(f"{wide}.scrollWidth") <= 390
        # ticks of a criterion need room to both sides: 75 % read 5 %
        assert min(page.locator(".strip .u-over").evaluate_all("all => all.map(each => each.offsetLeft)")) >= 30


def test_news_leave_what_somebody_zoomed_into(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(SMALL, days=6, per_day=15))
    config.watch.seconds = 0.2
    with watched(config, layout) as (url, watcher), browser_page(url, 1280) as page:
        page.locator("#plots-here .u-over").first.wait_for(timeout=60_000)
        first = page.locator("#many").text_content()
        at = page.locator("#plots-here .u-over").first.bounding_box()
        page.mouse.move(at["x"] + 80, at["y"] + 50)
        page.mouse.down()
        page.mouse.move(at["x"] + 200, at["y"] + 50, steps=4)
        page.mouse.up()
        page.locator("#plots-here .u-series", has_text="Similar").first.locator("th").click()
        drawn = watcher.number
        logs.write(layout.logs, replace(SMALL, start=6, days=1, success=0.2, seed=4))
        page.locator("#tiles .tile", has_text="of 130 requests").wait_for(timeout=60_000)
        assert watcher.number > drawn
        assert page.locator("#plots-here .u-series.u-off").count() == 1
        assert page.locator("#many").text_content() != first  # the newest failures, until others are asked for


def test_who_still_watches_holds_up_no_end(layout: Layout, config: Config, capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C with a browser open ended in a traceback, a second later."""
    with watched(config, layout) as (url, watcher), httpx.stream("GET", f"{url}events", timeout=30) as told:
        lines = told.iter_lines()
        assert next(lines).startswith("event: ")
        watcher.stop()
        assert list(lines)[-1] == ""  # the server ended it
    assert "Traceback" not in capfd.readouterr().err


def test_a_log_of_many_kinds_is_told_in_short(layout: Layout, config: Config) -> None:
    failing = replace(SMALL, days=1, per_day=2, success=0.0)
    for number in range(70):
        logs.write(layout.logs, replace(failing, seed=number, failures=(f"kind{number}",)))
    shown = measured(config, layout)
    kinds = next(table for table in shown["tables"] if table["title"] == "Failures of the candidate")
    assert (len(kinds["rows"]), kinds["more"]) == (60, 10)
    assert len(shown["choices"]["reason"]) > 70  # all of them can be asked for
    assert shown["failures"]["of"] == 140


def test_other_machines_need_a_token() -> None:
    with pytest.raises(Exception, match=r"watch\.token_env=WATCH_TOKEN"):
        compose(["stage=watch", "watch.host=0.0.0.0"])
