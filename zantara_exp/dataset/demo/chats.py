"""The questions and answers of the demo's users, before `dirt` is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from zantara_exp.dataset.demo.forms import written
from zantara_exp.dataset.demo.people import Person
from zantara_exp.dataset.demo.phrases import Phrases, Product, Topic

_SECOND_TURN_SHARE = 0.12
_DETAIL_SHARE = 0.10


class Turn(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str
    category: str = ""
    """Empty: that of its kind of question."""


@dataclass
class Chat:
    """One conversation as it should be."""

    language: str
    category: str
    """Of the weightiest turn."""
    turns: list[Turn]
    opens: bool = False
    """Whether it is a hello and nothing else."""


def chat(product: Product, person: Person, part_of_day: str, random: Random) -> Chat:
    """Let a user ask something."""
    language = person.speaks_now(random)
    phrases = product.languages[language]
    part = random.choices(list(phrases.parts), list(phrases.parts.values()))[0]
    if part == "hello":
        return Chat(language, product.categories[part], [_hello(phrases, person, part_of_day, random)], opens=True)
    if part == "talk":
        return Chat(language, product.categories[part], _talk(product, phrases, person, random))
    category, turns = _question(product, phrases, person, random)
    if random.random() < _SECOND_TURN_SHARE / 3:
        turns.insert(0, _hello(phrases, person, part_of_day, random))
    return Chat(language, category, turns)


def _town(phrases: Phrases, person: Person, random: Random) -> str:
    return person.town if person.town in phrases.towns else random.choice(list(phrases.towns))


def _name(phrases: Phrases, person: Person, random: Random) -> str:
    """The user's name, as friends and colleagues share an account sometimes another."""
    return person.name if random.random() < 0.6 else random.choice(phrases.names)


def _hello(phrases: Phrases, person: Person, part_of_day: str, random: Random) -> Turn:
    town = _town(phrases, person, random) if random.random() < 0.7 else random.choice(list(phrases.towns))
    intro = random.choice(phrases.intros).format(name=_name(phrases, person, random), city=town)
    hello = random.choice(phrases.hello[part_of_day])
    end = random.choice(phrases.hello_ends)
    question = f"{hello}{random.choice((', ', '! ', ' '))}{intro}{random.choice((', ', '. ', '! '))}{end}"
    return Turn(question, f"{phrases.welcome[part_of_day]} {phrases.towns[town]} {phrases.offer}")


def _talk(product: Product, phrases: Phrases, person: Person, random: Random) -> list[Turn]:
    area = random.choice(product.areas)
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    turns = []
    for number, topic in enumerate(random.sample(sorted(phrases.talk), count)):
        said = random.choice(phrases.talk[topic].questions).format(area=area)
        if number == 0:
            moods = random.sample(phrases.moods, random.choice((1, 1, 2)))
            said = f"{' '.join(moods)} {said}".format(name=_name(phrases, person, random))
        if random.random() < 0.4:
            said += " " + random.choice(phrases.thanks)
        turns.append(Turn(said, f"{phrases.talk[topic].answer.format(area=area)} {phrases.place_life[area]}"))
    return turns


def _question(product: Product, phrases: Phrases, person: Person, random: Random) -> tuple[str, list[Turn]]:
    """Category, and the turns."""
    asked = random.choices(list(product.kinds), [each["share"] for each in product.kinds.values()])[0]
    turns = {"items": _item, "groups": _group, "fixed": _fixed, "places": _place}[asked](product, phrases, random)
    opener = " ".join(random.sample(phrases.openers, random.choice((0, 1, 1))))
    opener = opener.format(name=_name(phrases, person, random), city=_town(phrases, person, random))
    parts = [opener, turns[0].question] if opener else [turns[0].question]
    parts += random.sample(phrases.reasons, random.choice((0, 1, 1)))
    if random.random() < _DETAIL_SHARE:
        kind = random.choice(sorted(phrases.details))
        parts.append(phrases.details[kind].format(value=written(product.details[kind], person.name, random)))
    if random.random() < 0.4:
        parts.append(random.choice(phrases.thanks))
    about = [turn.category or product.kinds[asked]["category"] for turn in turns]
    return max(about, key=product.lightest_first.index), [turns[0]._replace(question=" ".join(parts)), *turns[1:]]


def _turn(topic: Topic, questions: Sequence[str], random: Random, **facts: object) -> Turn:
    return Turn(random.choice(questions).format(**facts), topic.answer.format(**facts), topic.category)


def _item(product: Product, phrases: Phrases, random: Random) -> list[Turn]:
    code = random.choice(sorted(product.items))
    facts = {"code": code, **product.items[code]}
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    turns = []
    for number, aspect in enumerate(random.sample(sorted(phrases.items), count)):
        topic = phrases.items[aspect]
        turns.append(_turn(topic, topic.follow_ups if number else topic.questions, random, **facts))
    return turns


def _group(product: Product, phrases: Phrases, random: Random) -> list[Turn]:
    nation = random.choice(sorted(phrases.groups))
    asked = _turn(phrases.group, phrases.group.questions, random, nation=nation)
    return [asked._replace(answer=phrases.by_group[str(phrases.groups[nation]).lower()].format(nation=nation))]


def _fixed(product: Product, phrases: Phrases, random: Random) -> list[Turn]:
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    topics = [phrases.fixed[name] for name in random.sample(sorted(phrases.fixed), count)]
    return [_turn(topic, topic.questions, random) for topic in topics]


def _place(product: Product, phrases: Phrases, random: Random) -> list[Turn]:
    area = random.choice(product.areas)
    topic = phrases.places[random.choice(sorted(phrases.places))]
    asked = _turn(topic, topic.questions, random, area=area)
    return [asked._replace(answer=f"{asked.answer} {phrases.place_facts[area]}")]
