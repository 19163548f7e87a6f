"""`stage=label`: who is drawn, what the page takes, what is kept, and that a forgotten user's rows go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn

from tests.browsing import browser_page, hard_to_read
from tests.dataset.support import config_of, record
from zantara_exp.config import Config
from zantara_exp.dataset.labelling.rows import Item, Label, checked, drawn, keep, load
from zantara_exp.dataset.labelling.stage import app
from zantara_exp.page import free_port

ITEMS = [Item(f"c{number}", f"u{number}", f"text {number} <b>", "", "en") for number in range(3)]


def conversation(number: int, user: str, *turns: str) -> dict[str, object]:
    made = record(*turns)
    return {**made, "conversation_id": f"c{number}", "user": user}


def test_one_message_of_each_user_in_an_order_that_is_chance() -> None:
    chats = [conversation(n, f"u{n % 40}", f"q{n}", "a", f"last {n}", "b") for n in range(200)]
    made = drawn(chats, 25, 7)
    assert made == drawn(reversed(chats), 25, 7)
    assert made != drawn(chats, 25, 8)
    assert len({each.user for each in made}) == len(made) == 25
    assert all(each.text.startswith("last ") and each.before.startswith("user: q") for each in made)
    assert [each.user for each in made] != sorted(each.user for each in made)


@pytest.mark.parametrize(
    "body",
    [
        [], {"id": "c9", "category": "casual"}, {"id": "c1", "category": "sales"},
        {"id": "c1", "category": "casual", "language": "xx"}, {"id": 1}, {"id": "c1", "category": ["casual"]},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match=r"an answer|id, language|valid are"):
        checked(body, {item.id: item for item in ITEMS}, ["casual"], ["en"])


@contextmanager
def served(path: Path, config: Config) -> Iterator[str]:
    port = free_port("127.0.0.1")
    made = app(ITEMS, path, config, ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(made, port=port, log_level="warning", lifespan="off"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            pass
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_the_page_keeps_what_is_said_and_takes_it_back(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl"
    keep(path, {"c9": Label("c9", "u9", "earlier", "it", "casual", "ayu")})
    with served(path, config_of()) as url:
        state = httpx.get(f"{url}/state").json()
        assert (state["categories"], state["languages"][-1]) == (["greeting", "casual", "business"], "unknown")
        assert "user" not in state["items"][0]
        said = {"id": "c1", "language": "en", "category": "business", "by": "ayu"}
        assert httpx.post(f"{url}/answer", json=said).status_code == 403  # another site cannot send the header
        ours = {"X-Label": "1"}
        assert httpx.post(f"{url}/answer", json=said, headers=ours).json() == {"kept": True}
        assert httpx.post(f"{url}/answer", json={**said, "category": "sales"}, headers=ours).status_code == 422
        assert load(path)["c1"] == Label("c1", "u1", "text 1 <b>", "en", "business", "ayu")
        assert httpx.post(f"{url}/answer", json={**said, "category": ""}, headers=ours).status_code == 200
    assert list(load(path)) == ["c9"]


def test_two_hundred_are_a_key_each_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl"
    with served(path, config_of()) as url, browser_page(url) as page:
        page.fill("#name", "ayu")
        page.click("#start button")
        page.wait_for_selector("#place:has-text('1 of 3')")
        for key, place in (("3", "2 of 3"), ("1", "3 of 3")):
            page.keyboard.press(key)
            page.wait_for_selector(f"#place:has-text('{place}')")
        assert page.inner_text("#text") == "text 2 <b>"
        page.select_option("#language", "id")
        page.click("[data-category=casual]")
        page.wait_for_selector("#end:not([hidden])")
        page.set_viewport_size({"width": 1000, "height": 900})
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector("[data-category=casual][aria-pressed=true] kbd")
        assert hard_to_read(page) == []
        page.reload()
        assert page.input_value("#name") == "ayu"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["conversation_id"], each["language"], each["category"]) for each in lines] == [
        ("c0", "en", "business"), ("c1", "en", "greeting"), ("c2", "id", "casual"),
    ]  # fmt: skip
