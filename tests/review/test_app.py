"""The page: what it tells, what it takes, and a review from the first click to the last in a real browser."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from zantara_exp.review.app import app, free_port
from zantara_exp.review.labels import adjudicated, agreement, load
from zantara_exp.review.sample import Sample

HEADERS = {"X-Review": "1"}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "review.jsonl"


@pytest.fixture
def url(sample: Sample, labels: Path) -> Iterator[str]:
    """The page, served as the stage serves it."""
    port = free_port("127.0.0.1")
    made = app(sample, labels, ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(made, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def said(url: str, **body: Any) -> httpx.Response:
    whole = json.dumps({"reviewer": "ayu", "number": 1, "better": "A", **body})
    return httpx.post(f"{url}/answer", content=whole, headers=HEADERS)


def test_the_page_tells_texts_and_nothing_else(url: str, sample: Sample) -> None:
    reply = httpx.get(f"{url}/state", params={"reviewer": "ayu"})
    assert set(reply.json()["pairs"][0]) == {
        *("number", "language", "category", "context", "question", "answer_a", "answer_b", "said"),
    }
    for word in ("candidate", "primary", "c0", "e1", sample.hash):
        assert word not in reply.text


def test_an_answer_is_kept_and_shown_again(url: str, sample: Sample, labels: Path) -> None:
    other = {"A": "B", "B": "A"}[sample.items[0].candidate]
    assert said(url, better=other, critical="AB", rubric={"warm": "A"}, comment=" hm ").json() == {"kept": True}
    label = load(labels)[0]
    assert (label.verdict, label.critical_bug, label.primary_bug, label.comment) == ("worse", True, True, "hm")
    shown = httpx.get(f"{url}/state", params={"reviewer": "ayu"}).json()["pairs"][0]["said"]
    assert (shown["better"], shown["critical"], shown["rubric"]["warm"], shown["comment"]) == (other, "AB", "A", "hm")
    assert httpx.get(f"{url}/state", params={"reviewer": "budi"}).json()["pairs"][0]["said"] is None


def test_an_answer_can_be_taken_back(url: str, labels: Path) -> None:
    said(url)
    said(url, reviewer="budi")
    assert said(url, better="").status_code == 200
    assert [label.reviewer for label in load(labels)] == ["budi"]


@pytest.mark.parametrize(
    "body",
    [
        {"number": 99},
        {"number": "1"},
        {"number": "\ud800"},
        {"number": True},
        {"better": "C"},
        {"better": None},
        {"reviewer": ""},
        {"reviewer": "<b>"},
        {"reviewer": None},
        {"critical": "yes"},
        {"rubric": {"warm": "C"}},
        {"rubric": [1]},
        {"comment": 5},
    ],
)
def test_what_is_no_answer_is_refused(url: str, labels: Path, body: dict[str, Any]) -> None:
    assert said(url, **body).status_code == 422
    assert not labels.exists()


def test_half_a_character_is_refused_in_plain_words(url: str, labels: Path) -> None:
    reply = said(url, comment="so \ud800")
    assert (reply.status_code, "half of a character" in reply.json()["error"]) == (422, True)
    assert not list(labels.parent.glob("*.tmp"))
    assert said(url, comment="so \U0001f600").status_code == 200


def test_the_page_names_a_line_that_is_no_label(url: str, labels: Path) -> None:
    labels.write_text("[]\n")
    reply = httpx.get(f"{url}/state", params={"reviewer": "ayu"})
    assert (reply.status_code, "line 1, is no label" in reply.json()["error"]) == (422, True)


def test_only_the_page_itself_is_listened_to(url: str, labels: Path) -> None:
    body = {"reviewer": "ayu", "number": 1, "better": "A"}
    assert httpx.post(f"{url}/answer", json=body).status_code == 403
    assert httpx.post(f"{url}/answer", json=body, headers={**HEADERS, "Host": "evil.example"}).status_code == 421
    assert httpx.post(f"{url}/answer", content=b"not json", headers=HEADERS).status_code == 422
    assert httpx.post(f"{url}/answer", content=b"[]", headers=HEADERS).status_code == 422
    assert not labels.exists()
    assert "default-src 'none'" in httpx.get(url).headers["content-security-policy"]


def test_agreement_against_a_worked_example(url: str, labels: Path) -> None:
    """Two reviewers, three pairs, one of them disputed."""
    for number, (ayu, budi) in enumerate([("same", "same"), ("same", "cannot"), ("cannot", "cannot")], 1):
        said(url, number=number, better=ayu)
        said(url, number=number, better=budi, reviewer="budi")
    # values: 3 same, 3 cannot; observed disagreement 2/6, expected 18/30
    assert agreement(load(labels)) == pytest.approx(1 - (2 / 6) / (18 / 30))
    assert adjudicated(load(labels), "boss") == {1: "equivalent", 2: "cannot_judge", 3: "cannot_judge"}
    assert agreement(load(labels)[:1]) is None


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_whole_review_in_a_browser(url: str, sample: Sample, labels: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 800})
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append("a script in an answer ran"))
        page.goto(url)
        page.fill("#name", "ayu")
        page.click("text=Start")
        page.wait_for_selector("#place:has-text('1 of 3')")
        assert page.is_hidden("#before")
        page.click("[data-side=A][data-name=warm]")
        page.click("[data-side=B][data-name=critical]")
        page.keyboard.press("1")
        page.wait_for_selector("#place:has-text('2 of 3')")
        texts = {page.inner_text("#a"), page.inner_text("#b")}
        assert texts == {"<script>alert(1)</script>", "<b>bold</b>"}
        assert page.is_visible("#before")
        assert page.is_hidden("#context")  # the system prompt alone is there to be opened
        page.click("#skip")
        page.wait_for_selector("#place:has-text('3 of 3')")
        assert page.inner_text("#context") == "system: Be warm.\nuser: <i>prima</i>"
        page.keyboard.press("0")
        page.wait_for_selector("#place:has-text('2 of 3')")
        page.click("[data-better=same]")
        page.wait_for_selector("#end:not([hidden])")
        page.click("#back")
        page.wait_for_selector("#place:has-text('3 of 3')")
        page.keyboard.press("u")
        page.wait_for_selector(".choose:not(:has([aria-pressed=true]))")
        widest = "Math.max(...[...document.querySelectorAll('button')].map(made => made.getBoundingClientRect().right))"
        assert page.evaluate(widest) <= 390
        page.reload()
        page.fill("#name", "ayu")
        page.click("text=Start")
        page.wait_for_selector("#place:has-text('3 of 3')")
        browser.close()
    assert troubles == []
    found = {label.pair: label for label in load(labels)}
    assert set(found) == {1, 2}
    assert found[1].verdict == ("better" if sample.items[0].candidate == "A" else "worse")
    assert found[1].critical_bug == (sample.items[0].candidate == "B")
    assert found[1].rubric["warm"] == (sample.items[0].candidate == "A")
    assert found[2].verdict == "equivalent"
    assert json.loads(labels.read_text().splitlines()[0])["blind"]
