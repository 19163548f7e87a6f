"""What the demo's users ask and what they are answered, before anything goes wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from zantara_exp.dataset.demo.people import DETAILS, LANGUAGES, Person
from zantara_exp.dataset.demo.phrases import AREAS, VISAS, Phrases

CATEGORY_SHARES = {
    "it": {"greeting": 0.35, "casual": 0.25, "business": 0.40},
    "en": {"greeting": 0.30, "casual": 0.24, "business": 0.46},
    "id": {"greeting": 0.31, "casual": 0.20, "business": 0.49},
}
_SECOND_TURN_SHARE = 0.12
_DETAIL_SHARE = 0.10


@dataclass
class Chat:
    """One conversation as it should be."""

    language: str
    category: str
    turns: list[tuple[str, str]]
    """Question and answer."""


def chat(person: Person, part_of_day: str, random: Random) -> Chat:
    """Let a user ask something."""
    language = person.speaks_now(random)
    phrases = LANGUAGES[language]
    shares = CATEGORY_SHARES[language]
    category = random.choices(list(shares), list(shares.values()))[0]
    if category == "greeting":
        return Chat(language, category, [_greeting(phrases, person, part_of_day, random)])
    ask = _casual if category == "casual" else _business
    turns = ask(phrases, person, random)
    if category == "business" and random.random() < _SECOND_TURN_SHARE / 3:
        turns.insert(0, _greeting(phrases, person, part_of_day, random))
    return Chat(language, category, turns)


def _town(phrases: Phrases, person: Person, random: Random) -> str:
    return person.town if person.town in phrases.towns else random.choice(list(phrases.towns))


def _name(phrases: Phrases, person: Person, random: Random) -> str:
    """The user's name, as friends and colleagues share an account sometimes another."""
    return person.name if random.random() < 0.6 else random.choice(phrases.names)


def _greeting(phrases: Phrases, person: Person, part_of_day: str, random: Random) -> tuple[str, str]:
    town = _town(phrases, person, random) if random.random() < 0.7 else random.choice(list(phrases.towns))
    intro = random.choice(phrases.intros).format(name=_name(phrases, person, random), city=town)
    hello = random.choice(phrases.hello[part_of_day])
    end = random.choice(phrases.greeting_ends)
    question = f"{hello}{random.choice((', ', '! ', ' '))}{intro}{random.choice((', ', '. ', '! '))}{end}"
    return question, f"{phrases.welcome[part_of_day]} {phrases.towns[town]} {phrases.offer}"


def _casual(phrases: Phrases, person: Person, random: Random) -> list[tuple[str, str]]:
    area = random.choice(AREAS)
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    turns = []
    for number, topic in enumerate(random.sample(sorted(phrases.casual), count)):
        said = random.choice(phrases.casual[topic].questions).format(area=area)
        if number == 0:
            moods = random.sample(phrases.moods, random.choice((1, 1, 2)))
            said = f"{' '.join(moods)} {said}".format(name=_name(phrases, person, random))
        if random.random() < 0.4:
            said += " " + random.choice(phrases.thanks)
        turns.append((said, f"{phrases.casual[topic].answer.format(area=area)} {phrases.area_life[area]}"))
    return turns


def _business(phrases: Phrases, person: Person, random: Random) -> list[tuple[str, str]]:
    kind = random.choices(("visa", "nation", "rules", "property"), (0.42, 0.10, 0.26, 0.22))[0]
    turns = {"visa": _visa, "nation": _nation, "rules": _rules, "property": _property}[kind](phrases, random)
    question, answer = turns[0]
    opener = " ".join(random.sample(phrases.openers, random.choice((0, 1, 1))))
    opener = opener.format(name=_name(phrases, person, random), city=_town(phrases, person, random))
    parts = [opener, question] if opener else [question]
    parts += random.sample(phrases.reasons, random.choice((0, 1, 1)))
    if random.random() < _DETAIL_SHARE:
        kind = random.choice(sorted(DETAILS))
        parts.append(phrases.details[kind].format(value=DETAILS[kind](random, person.name)))
    if random.random() < 0.4:
        parts.append(random.choice(phrases.thanks))
    return [(" ".join(parts), answer), *turns[1:]]


def _visa(phrases: Phrases, random: Random) -> list[tuple[str, str]]:
    code = random.choice(sorted(VISAS))
    facts = {"code": code, **vars(VISAS[code])}
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    turns = []
    for number, aspect in enumerate(random.sample(sorted(phrases.visa), count)):
        topic = phrases.visa[aspect]
        question = random.choice(topic.questions if number == 0 else topic.follow_ups)
        turns.append((question.format(code=code), topic.answer.format(**facts)))
    return turns


def _nation(phrases: Phrases, random: Random) -> list[tuple[str, str]]:
    nation = random.choice(sorted(phrases.nations))
    question = random.choice(phrases.nation.questions).format(nation=nation)
    return [(question, phrases.on_arrival[phrases.nations[nation]].format(nation=nation))]


def _rules(phrases: Phrases, random: Random) -> list[tuple[str, str]]:
    count = 2 if random.random() < _SECOND_TURN_SHARE else 1
    topics = random.sample(sorted(phrases.rules), count)
    return [(random.choice(phrases.rules[topic].questions), phrases.rules[topic].answer) for topic in topics]


def _property(phrases: Phrases, random: Random) -> list[tuple[str, str]]:
    area = random.choice(AREAS)
    topic = phrases.property[random.choice(sorted(phrases.property))]
    question = random.choice(topic.questions).format(area=area)
    return [(question, f"{topic.answer.format(area=area)} {phrases.area_prices[area]}")]
