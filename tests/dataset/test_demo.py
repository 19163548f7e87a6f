import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.dataset.support import config_of
from zantara_exp.config import CONF
from zantara_exp.config.data import Demo
from zantara_exp.core.errors import ConfigError, MissingInputError
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.demo.chats import chat
from zantara_exp.dataset.demo.fill import ensure_demo
from zantara_exp.dataset.demo.forms import Form, written
from zantara_exp.dataset.demo.generate import rows
from zantara_exp.dataset.demo.people import people
from zantara_exp.dataset.demo.phrases import product_of
from zantara_exp.dataset.embedded import Server
from zantara_exp.dataset.filters import Filters
from zantara_exp.dataset.language import detector
from zantara_exp.dataset.messages import Malformed, parse_messages

PRODUCT = product_of(config_of().domain)
every_domain = pytest.mark.parametrize("domain", sorted(path.stem for path in (CONF / "domain").glob("*.yaml")))


def test_the_same_seed_makes_the_same_product() -> None:
    small = Demo(conversations=50, users=10)
    assert list(rows(PRODUCT, small, 1)) == list(rows(PRODUCT, small, 1))
    assert list(rows(PRODUCT, small, 1)) != list(rows(PRODUCT, small, 2))


def test_size_time_and_users() -> None:
    made = list(rows(PRODUCT, Demo(), 7))
    assert len(made) == 4000
    assert len({row.id for row in made}) == 4000
    days = {row.created_at.date() for row in made}
    assert (max(days) - min(days)).days == 44
    assert max(days) == date(2025, 11, 3)
    assert [row.created_at for row in made] == sorted(row.created_at for row in made)
    per_user = sorted(Counter(row.user_id for row in made).values(), reverse=True)
    assert len(per_user) > 400
    assert sum(per_user[:42]) > 0.3 * 4000


@every_domain
def test_an_answer_is_determined_by_what_is_asked(domain: str) -> None:
    """The same last question word for word gets the same answer, dirt aside."""
    answers: dict[str, Counter[str]] = {}
    config = config_of(f"domain={domain}")
    ask = Filters(config)
    for row in rows(product_of(config.domain), Demo(), 7):
        try:
            chat = parse_messages(row.messages)
        except Malformed:
            continue
        noted = {"language": row.metadata.get("language"), "category": "", "rating": None}
        record = {"messages": chat, "metadata": noted}
        if len(chat) == 2 and not ask.refusal(record):
            answers.setdefault(chat[0]["content"], Counter())[chat[1]["content"]] += 1
    assert len(answers) > 1500
    assert [found for found in answers.values() if len(found) > 1] == []


@every_domain
def test_language_and_category_are_recognised(domain: str) -> None:
    """What the generator meant is what the labels say, in nearly all conversations."""
    config, random = config_of(f"domain={domain}"), Random(5)
    product = product_of(config.domain)
    language, sort, users = detector(config), classifier(config), people(product, 60, Random(5))
    made = [
        chat(product, random.choice(users), random.choice(("morning", "day", "evening")), random) for _ in range(900)
    ]
    asked = [[turn.question for turn in each.turns] for each in made]
    both = list(zip(made, asked, strict=True))
    spoken = sum(language.detect(" ".join(questions)) == each.language for each, questions in both)
    sorted_right = sum(sort.conversation(questions).category == each.category for each, questions in both)
    assert spoken / len(made) > 0.99
    assert sorted_right / len(made) > 0.97


def test_filled_once_and_again_when_it_changes(server: Server) -> None:
    server.create_database("filling")
    with psycopg.connect(server.conninfo("filling"), autocommit=True) as connection:
        small = Demo(conversations=30, users=10)
        assert ensure_demo(connection, PRODUCT, small, 1)
        assert not ensure_demo(connection, PRODUCT, small, 1)
        assert ensure_demo(connection, PRODUCT, small, 2)
        assert connection.execute("select count(*) from conversations").fetchone() == (30,)


@every_domain
def test_a_demo_has_every_language_and_category_of_its_domain(domain: str) -> None:
    declared = config_of(f"domain={domain}").domain
    product, random = product_of(declared), Random(3)
    assert list(product.languages) == list(declared.languages)
    users = people(product, 60, random)
    assert {chat(product, random.choice(users), "day", random).category for _ in range(300)} == {*declared.categories}


def test_details_are_made_up_by_forms() -> None:
    random = Random(1)
    born = Form("51{day}-{mail}", parts={"day": "<01-28>", "mail": "[ab]#"})
    assert written([Form("{name}.###@example.org")], "Ada", random) == "ada.291@example.org"
    for _ in range(50):
        day, mail = written([born], "Ada", random).removeprefix("51").split("-")
        assert 1 <= int(day) <= 28
        assert len(day) == 2
        assert mail[0] in "ab"
    rare = [Form("often", share=0.9), Form("seldom", share=0.1)]
    assert 0 < sum(written(rare, "Ada", random) == "seldom" for _ in range(300)) < 90


def test_a_domain_without_a_demo_says_what_to_read_instead() -> None:
    with pytest.raises(MissingInputError, match="domain=Ours has no demo product") as told:
        product_of(replace(config_of().domain, name="Ours", demo=None))
    assert "source=postgres" in told.value.hint
    with pytest.raises(ConfigError, match=r"domain\.demo=nobody: there is no domain/demo/nobody\.json"):
        product_of(replace(config_of().domain, demo="nobody"))


def test_a_demo_of_other_languages_or_categories_is_refused() -> None:
    ours = config_of("domain=helpdesk").domain
    with pytest.raises(ConfigError, match="bali.json speaks it, id, which the domain does not declare .declared: de,"):
        product_of(replace(ours, demo="bali"))
    fewer = {name: kind for name, kind in ours.categories.items() if name != "technical"}
    with pytest.raises(ConfigError, match="asks about technical, which the domain does not declare"):
        product_of(replace(ours, categories=fewer))


def test_a_file_that_is_no_demo_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.loads((CONF / "domain" / "demo" / "helpdesk.json").read_text(encoding="utf-8"))
    del said["languages"]["fr"]["talk"]
    broken = tmp_path / "domain" / "demo" / "broken.json"
    broken.parent.mkdir(parents=True)
    broken.write_text(json.dumps(said))
    monkeypatch.setattr("zantara_exp.dataset.demo.phrases.folders", lambda: [tmp_path])
    with pytest.raises(ConfigError, match="broken.json is no demo product: 'talk'"):
        product_of(replace(config_of("domain=helpdesk").domain, demo="broken"))
