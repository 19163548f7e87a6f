from collections import Counter
from datetime import date

import psycopg

from tests.dataset.support import config_of
from zantara_exp.config.data import Demo
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.demo.fill import ensure_demo
from zantara_exp.dataset.demo.generate import rows
from zantara_exp.dataset.embedded import Server
from zantara_exp.dataset.filters import Filters
from zantara_exp.dataset.language import detector
from zantara_exp.dataset.messages import Malformed, parse_messages


def test_the_same_seed_makes_the_same_product() -> None:
    small = Demo(conversations=50, users=10)
    assert list(rows(small, 1)) == list(rows(small, 1))
    assert list(rows(small, 1)) != list(rows(small, 2))


def test_size_time_and_users() -> None:
    made = list(rows(Demo(), 7))
    assert len(made) == 4000
    assert len({row.id for row in made}) == 4000
    days = {row.created_at.date() for row in made}
    assert (max(days) - min(days)).days == 44
    assert max(days) == date(2025, 11, 3)
    assert [row.created_at for row in made] == sorted(row.created_at for row in made)
    per_user = sorted(Counter(row.user_id for row in made).values(), reverse=True)
    assert len(per_user) > 400
    assert sum(per_user[:42]) > 0.3 * 4000


def test_an_answer_is_determined_by_what_is_asked() -> None:
    """The same last question word for word gets the same answer, dirt aside."""
    answers: dict[str, Counter[str]] = {}
    ask = Filters(config_of().dataset)
    for row in rows(Demo(), 7):
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


def test_language_and_category_are_recognised() -> None:
    """What the generator meant is what the labels say, in nearly all conversations."""
    from random import Random

    from zantara_exp.dataset.demo.chats import chat
    from zantara_exp.dataset.demo.people import people

    dataset, random = config_of().dataset, Random(5)
    language, sort, users = detector(dataset), classifier(dataset), people(60, Random(5))
    made = [chat(random.choice(users), random.choice(("morning", "day", "evening")), random) for _ in range(900)]
    asked = [[question for question, _ in each.turns] for each in made]
    both = list(zip(made, asked, strict=True))
    spoken = sum(language.detect(" ".join(questions)) == each.language for each, questions in both)
    sorted_right = sum(sort.conversation(questions) == each.category for each, questions in both)
    assert spoken / len(made) > 0.99
    assert sorted_right / len(made) > 0.97


def test_filled_once_and_again_when_it_changes(server: Server) -> None:
    server.create_database("filling")
    with psycopg.connect(server.conninfo("filling"), autocommit=True) as connection:
        small = Demo(conversations=30, users=10)
        assert ensure_demo(connection, small, 1)
        assert not ensure_demo(connection, small, 1)
        assert ensure_demo(connection, small, 2)
        assert connection.execute("select count(*) from conversations").fetchone() == (30,)
