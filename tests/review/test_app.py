"""The page: what it tells, what it takes, and a review from the first click to the last in a real browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.browsing import browser_page, hard_to_read
from tests.review.test_preferences import looked_at
from zantara_exp.config import compose
from zantara_exp.config.decision import Review
from zantara_exp.core.layout import Layout
from zantara_exp.page import free_port
from zantara_exp.review.adjudication import panel
from zantara_exp.review.app import app
from zantara_exp.review.labels import load
from zantara_exp.review.looked_at import stands
from zantara_exp.review.sample import Sample

HEADERS = {"X-Review": "1"}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "review.jsonl"


@pytest.fixture
def terms() -> Review:
    """Each pair is judged by two."""
    return Review(labels_per_pair=2, adjudicator="boss")


@pytest.fixture
def url(sample: Sample, labels: Path, terms: Review) -> Iterator[str]:
    """The page, served as the stage serves it."""
    with served(sample, labels, terms) as address:
        yield address


@contextmanager
def served(sample: Sample, labels: Path, terms: Review) -> Iterator[str]:
    port = free_port("127.0.0.1")
    made = app(sample, labels, ["127.0.0.1"], replace(compose([]), review=terms))
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
    assert set(reply.json()) == {"pairs", "rubric", "next", "done", "of", "summary"}
    assert set(reply.json()["next"]) == {
        *("number", "language", "category", "context", "question", "answer_a", "answer_b", "said"),
    }
    for word in ("candidate", "primary", "c0", "e1", sample.hash):
        assert word not in reply.text


def test_an_answer_is_kept_and_shown_again(url: str, sample: Sample, labels: Path) -> None:
    other = {"A": "B", "B": "A"}[sample.items[0].candidate]
    assert said(url, better=other, critical="AB", rubric={"warmth": "A"}, comment=" hm ").json()["kept"]
    label = load(labels)[0]
    assert (label.verdict, label.critical_bug, label.primary_bug, label.comment) == ("worse", True, True, "hm")
    shown = httpx.get(f"{url}/state", params={"reviewer": "ayu"}).json()["pairs"][0]["said"]
    assert (shown["better"], shown["critical"], shown["rubric"]["warmth"], shown["comment"]) == (other, "AB", "A", "hm")
    of_budi = httpx.get(f"{url}/state", params={"reviewer": "budi"}).json()
    assert (of_budi["pairs"], of_budi["next"]["number"], of_budi["next"]["said"]) == ([], 1, None)


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
        {"rubric": {"warmth": "C"}},
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


def test_what_a_gate_has_looked_at_cannot_be_said_otherwise(
    workdir: Path, url: str, sample: Sample, labels: Path
) -> None:
    """It would void the review: what was measured would have changed."""
    assert said(url, number=1, better="A").status_code == 200
    before = labels.read_bytes()
    looked_at(Layout(compose([])), sample, 1)
    told = said(url, number=1, better="B")
    assert (told.status_code, told.json()["error"]) == (422, stands(1))
    assert said(url, number=1, better="A", reviewer="budi").status_code == 422  # a vote that was not there then
    assert said(url, number=1, better="").status_code == 422
    assert labels.read_bytes() == before
    assert said(url, number=1, better="A", critical="B").status_code == 200  # a bug counts whenever it is found
    assert said(url, number=2, better="B", reviewer="D'Angelo").status_code == 200


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


def test_who_is_not_named_gets_nothing_and_nobody_answers_for_another_language(sample: Sample, labels: Path) -> None:
    items = (replace(sample.items[0], language="id"), *sample.items[1:])
    named = Review(reviewers={"ayu": ["it"], "budi": ["id"]}, adjudicator="boss")
    with served(replace(sample, items=items), labels, named) as url:
        reply = httpx.get(f"{url}/state", params={"reviewer": "eve"})
        assert reply.status_code == 422
        assert reply.json()["error"] == "eve is not among review.reviewers (valid: ayu, budi)"
        assert httpx.get(f"{url}/state", params={"reviewer": "budi"}).json()["of"] == 1
        assert said(url, reviewer="ayu").json()["error"] == "pair 1 is not for ayu to judge"
        assert said(url, reviewer="boss").json()["error"] == "pair 1 is not for boss to judge"
    assert not labels.exists()


def begin(page: Any, name: str) -> None:
    page.fill("#name", name)
    page.click("text=Start")


def test_a_review_by_keys_alone(url: str, sample: Sample, labels: Path) -> None:
    with browser_page(url) as page:
        page.keyboard.press("Tab")
        page.keyboard.type("ayu")
        page.keyboard.press("Enter")
        page.wait_for_selector("#place:has-text('1 of 3')")
        assert page.is_hidden("#before")
        for key in "qnc":  # A's first mark, a critical bug in B, the comment
            page.keyboard.press(key)
        page.keyboard.type("1 too cold")
        page.keyboard.press("Escape")
        page.keyboard.press("1")
        page.wait_for_selector("#place:has-text('2 of 3')")
        texts = {page.inner_text("#a"), page.inner_text("#b")}
        assert texts == {"<script>alert(1)</script>", "<b>bold</b>"}
        assert page.is_hidden("#context")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#much:has-text('1 message')")
        page.keyboard.press("x")
        assert page.inner_text("#context") == "system: Be warm.\nuser: <i>prima</i>"
        page.keyboard.press("v")
        assert page.eval_on_selector_all("mark", "all => all.map(made => made.textContent).sort()") == ["due", "uno"]
        page.keyboard.press("v")
        assert page.locator("mark").count() == 0
        page.keyboard.press("0")
        page.wait_for_selector("#a:has-text('script'), #b:has-text('script')")
        page.keyboard.press("2")
        page.wait_for_selector("#how:has-text('Nothing is left for you')")
        assert page.inner_text("#summary").splitlines() == [
            "You judged 3 pairs; 1 of them you could not judge.",
            "3 pairs of 3 need more labels.",
            "The gate looks at the first 3 pairs once they are labelled: 3 to go.",
        ]
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector("#place:has-text('judged, 3 of 3')")
        page.keyboard.press("u")
        page.wait_for_selector(".choose:not(:has([aria-pressed=true]))")
        page.reload()
        assert page.input_value("#name") == "ayu"
        page.click("text=Start")
        page.wait_for_selector("#place:has-text('3 of 3')")
    found = {label.pair: label for label in load(labels)}
    assert set(found) == {1, 2}
    key, first = sample.items[0].candidate, next(iter(compose([]).domain.rubric))
    assert found[1].verdict == ("better" if key == "A" else "worse")
    assert (found[1].critical_bug, found[1].rubric[first], found[1].comment) == (key == "B", key == "A", "1 too cold")
    assert found[2].verdict == "equivalent"
    assert json.loads(labels.read_text().splitlines()[0])["blind"]


def test_two_people_disagree_and_a_third_settles_it_by_touch(url: str, sample: Sample, labels: Path) -> None:
    other = {"A": "B", "B": "A"}[sample.items[0].candidate]
    for name, choice in (("ayu", "same"), ("budi", other), ("boss", other)):
        with browser_page(url) as page:
            begin(page, name)
            if name == "boss":
                page.wait_for_selector("#place:has-text('1 of 1')")
            page.click(f"[data-better={choice}]")
            for place in () if name == "boss" else (2, 3):
                page.wait_for_selector(f"#place:has-text('{place} of 3')")
                page.click("[data-better=same]")
            page.wait_for_selector("#how:has-text('Nothing is left for you')")
            told = page.inner_text("#summary")
            assert page.is_hidden(".choose")
            widest = "Math.max(...[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect().right))"
            assert page.evaluate(widest) <= 390
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        if name == "budi":
            assert "Disputed: 1 pair. boss opens this page under that name to settle what is disputed." in told
    assert "All 3 are judged. Press Ctrl-C where the page was started, then run: " in told
    assert panel(load(labels), sample, Review(labels_per_pair=2, adjudicator="boss")).settled == {
        1: "worse",
        2: "equivalent",
        3: "equivalent",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_that_is_written_can_be_read(url: str, scheme: str) -> None:
    """What is pressed, its keys and what is marked as well."""
    with browser_page(url) as page:
        page.set_viewport_size({"width": 1000, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert hard_to_read(page) == []
        begin(page, "ayu")
        page.wait_for_selector("#place:has-text('1 of 3')")
        for key in ("q", "b", "v", "2"):
            page.keyboard.press(key)
        page.wait_for_selector("#place:has-text('2 of 3')")
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector(".bug[aria-pressed=true]")
        assert page.locator("[data-better=same][aria-pressed=true] kbd").is_visible()
        assert hard_to_read(page) == []
        page.keyboard.press("z")
        page.wait_for_selector("#summary li")
        assert hard_to_read(page) == []
