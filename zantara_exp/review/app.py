"""The review as a page on this machine: blind pairs in, labels out, every click saved at once.

The page gets numbers, texts and nothing else: no ids, no model names, no key, and not which pairs are checks. Who gets
which pair says `desk.py`; who may ask for the page at all, `guard.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.domain import Domain
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.page import Guard, built, policy
from zantara_exp.page.person_name import NAME, NAME_SAID
from zantara_exp.review.assignment import Desk, Turn
from zantara_exp.review.evidence import looks
from zantara_exp.review.labels import CANNOT, blind, load, merge, unblinded, withdraw
from zantara_exp.review.looked_at import closed, stands, voids
from zantara_exp.review.sample import Item, Sample
from zantara_exp.review.sheet import Answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_BETTER = ("A", "B", "same", "cannot")
_SIDES = ("", "A", "B", "AB")
_LONGEST_COMMENT = 2000


def _page(domain: Domain) -> str:
    """The page, with what this product's reviewers are to look at."""
    from html import escape

    rubric = "".join(f"<li><b>{escape(_words(name))}</b>: {escape(what)}</li>" for name, what in domain.rubric.items())
    bugs = [domain.critical, "a made-up price", "somebody's personal data", "an insult"]
    return built("zantara_exp.review", rubric=rubric, critical=escape(", ".join(filter(None, bugs))))


def _words(name: str) -> str:
    return name.replace("_", " ")


def app(sample: Sample, labels: Path, hosts: list[str], config: Config, token: str | None = None) -> ASGIApp:
    """The page over a sample, writing to the file of labels; `hosts` are the names it may be called by."""
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    page, rubric = _page(config.domain), config.domain.rubric
    desk = Desk(sample, labels, config.review)

    async def index(request: Request) -> Response:
        return HTMLResponse(page)

    async def state(request: Request) -> Response:
        """The next pair, with all that somebody said before; at `/next` without, and what they skipped comes last."""
        try:
            name = _reviewer(request.query_params.get("reviewer"), config)
            turn = desk.turn(name, _numbers(request.query_params.get("skipped", "").split(",")))
        except (ValueError, ZantaraError) as error:
            return JSONResponse({"error": str(error)}, 422)
        following = _next(turn, name, sample, config)
        if request.url.path == "/next":
            return JSONResponse(following)
        said = [_pair(item, blind(label, item)) for item, label in turn.said]
        return JSONResponse({"pairs": said, "rubric": rubric, **following})

    async def answer(request: Request) -> Response:
        if request.headers.get("x-review") != "1":
            return JSONResponse({"error": "not sent by the page"}, 403)
        try:
            body = await request.json()
            name = keep(body, sample, labels, desk, config)
            turn = desk.turn(name, _numbers(body.get("skipped") or ()))
        except ClientDisconnect:
            return JSONResponse({"error": "that is more than an answer"}, 413)
        except (ValueError, RecursionError, ZantaraError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"kept": True, **_next(turn, name, sample, config)})

    routes = [
        Route("/", index),
        Route("/state", state),
        Route("/next", state),
        Route("/answer", answer, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), hosts, policy(page), token)


def _reviewer(given: object, config: Config) -> str:
    """Their name. Raises ValueError when it is none, or not among those that config names."""
    name = given.strip() if isinstance(given, str) else ""
    if not NAME.fullmatch(name):
        raise ValueError(f"a name has {NAME_SAID}")
    known = config.review.reviewers
    if known and name not in (*known, config.review.adjudicator):
        raise ValueError(f"{name} is not among review.reviewers (valid: {', '.join(known)})")
    return name


def _numbers(given: object) -> set[int]:
    if not isinstance(given, Sequence):
        return set()
    return {int(each) for each in given if isinstance(each, int) or (isinstance(each, str) and each.isdecimal())}


def _pair(item: Item, answer: Answer | None) -> dict[str, Any]:
    fields = ("number", "language", "category", "context", "question", "answer_a", "answer_b")
    pair = {name: getattr(item, name) for name in fields}
    return {**pair, "said": None if answer is None else vars(answer)}


def _next(turn: Turn, name: str, sample: Sample, config: Config) -> dict[str, Any]:
    """The next pair, how far somebody is, and what is left to others, in sentences."""
    following = None if turn.next is None else _pair(turn.next, None)
    done = len(turn.said)
    return {"next": following, "done": done, "of": done + turn.open, "summary": _summary(turn, name, sample, config)}


def _summary(turn: Turn, name: str, sample: Sample, config: Config) -> list[str]:
    found, terms = turn.panel, config.review
    cannot = sum(label.verdict == CANNOT for _, label in turn.said)
    said = [f"You judged {_pairs(len(turn.said))}; {cannot} of them you could not judge."]
    if turn.open:
        said.append(f"{_pairs(turn.open)} left for you.")
    disputed = len(found.disputed)
    if disputed and name != terms.adjudicator:
        settles = f"{terms.adjudicator} opens this page under that name to settle what is disputed."
        said.append(f"Disputed: {_pairs(disputed)}. {settles}")
    waiting = len(sample.items) - len(found.settled) - disputed
    if waiting:
        following = looks(sample, found, config)
        said.append(f"{_pairs(waiting)} of {len(sample.items)} need more labels.")
        said.append(f"{following[0].upper()}{following[1:]}.")
    elif not disputed:
        ask = command("stage=gate")
        said.append(f"All {len(sample.items)} are judged. Press Ctrl-C where the page was started, then run: {ask}")
    return said


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def keep(body: Any, sample: Sample, labels: Path, desk: Desk, config: Config) -> str:
    """Save one answer, or take it back where `better` is empty; who gave it. Raises ValueError when it is none."""
    if not isinstance(body, Mapping):
        raise ValueError("an answer is a JSON object")
    name, number, better = _reviewer(body.get("reviewer"), config), body.get("number"), body.get("better")
    if type(number) is not int or number not in {item.number for item in sample.shown}:  # true is an int too
        raise ValueError(f"pair {number!r} is not in the sample")
    if not desk.may(name, number):
        raise ValueError(f"pair {number} is not for {name} to judge")
    if better == "":
        if number in {item.number for item in closed(sample, Layout(config))}:
            raise ValueError(stands(number))
        withdraw(labels, sample.hash, number, name)
        return name
    if better not in _BETTER:
        raise ValueError(f"better={better!r}; valid are {', '.join(_BETTER)}")
    given = unblinded([_answer(body, number, better, config.domain.rubric)], sample, name)
    if voids(given, load(labels), sample, Layout(config)):
        raise ValueError(stands(number))
    merge(labels, given)
    return name


def _answer(body: Mapping[str, Any], number: int, better: str, names: Iterable[str]) -> Answer:
    rubric = body.get("rubric") or {}
    if not isinstance(rubric, Mapping):
        raise ValueError("rubric is a JSON object")
    given = {name: rubric.get(name, "") for name in names}
    critical, comment = body.get("critical", ""), body.get("comment", "")
    if not all(sides in _SIDES for sides in (*given.values(), critical)) or not isinstance(comment, str):
        raise ValueError("sides are A, B, AB or none, and a comment is text")
    if any("\ud800" <= character <= "\udfff" for character in comment):
        raise ValueError("the comment holds half of a character (a lone surrogate), which is no text")
    return Answer(number, better, critical, given, comment.strip()[:_LONGEST_COMMENT])
