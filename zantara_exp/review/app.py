"""The review as a page on this machine: blind pairs in, labels out, every click saved at once.

The page gets numbers, texts and nothing else: no ids, no model names, no key. Who may ask for it says `guard.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.errors import ZantaraError
from zantara_exp.review.guard import Guard, policy
from zantara_exp.review.labels import blind, load, merge, unblinded, withdraw
from zantara_exp.review.sample import Item, Sample
from zantara_exp.review.sheet import RUBRIC, Answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_NAME = re.compile(r"[\w][\w .-]{0,39}")
_BETTER = ("A", "B", "same", "cannot")
_SIDES = ("", "A", "B", "AB")
_LONGEST_COMMENT = 2000


def app(sample: Sample, labels: Path, hosts: list[str], token: str | None = None) -> ASGIApp:
    """The page over a sample, writing to the file of labels; `hosts` are the names it may be called by."""
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    page = files("zantara_exp.review").joinpath("page.html").read_text(encoding="utf-8")

    async def index(request: Request) -> Response:
        return HTMLResponse(page)

    async def state(request: Request) -> Response:
        reviewer = request.query_params.get("reviewer", "").strip()
        if not _NAME.fullmatch(reviewer):
            return JSONResponse({"error": "a name has 1 to 40 letters, digits, spaces, dots or dashes"}, 422)
        try:
            return JSONResponse({"pairs": shown(sample, labels, reviewer), "rubric": RUBRIC})
        except ZantaraError as error:
            return JSONResponse({"error": str(error)}, 422)

    async def answer(request: Request) -> Response:
        if request.headers.get("x-review") != "1":
            return JSONResponse({"error": "not sent by the page"}, 403)
        try:
            keep(await request.json(), sample, labels)
        except ClientDisconnect:
            return JSONResponse({"error": "that is more than an answer"}, 413)
        except (ValueError, RecursionError, ZantaraError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"kept": True})

    routes = [Route("/", index), Route("/state", state), Route("/answer", answer, methods=["POST"])]
    return Guard(Starlette(routes=routes), hosts, policy(page), token)


def shown(sample: Sample, labels: Path, reviewer: str) -> list[dict[str, Any]]:
    """The pairs as the page shows them, with what this reviewer said before."""
    said = {label.pair: label for label in load(labels) if (label.sample, label.reviewer) == (sample.hash, reviewer)}
    return [_pair(item, blind(said[item.number], item) if item.number in said else None) for item in sample.items]


def _pair(item: Item, answer: Answer | None) -> dict[str, Any]:
    fields = ("number", "language", "category", "context", "question", "answer_a", "answer_b")
    pair = {name: getattr(item, name) for name in fields}
    return {**pair, "said": None if answer is None else vars(answer)}


def keep(body: Any, sample: Sample, labels: Path) -> None:
    """Save one answer, or take it back where `better` is empty. Raises ValueError when it is no answer."""
    if not isinstance(body, Mapping):
        raise ValueError("an answer is a JSON object")
    reviewer, number, better = (body.get(name) for name in ("reviewer", "number", "better"))
    items = {item.number: item for item in sample.items}
    if not isinstance(reviewer, str) or not _NAME.fullmatch(reviewer.strip()):
        raise ValueError("reviewer is no name")
    if type(number) is not int or number not in items:  # true is an int too
        raise ValueError(f"pair {number!r} is not in the sample")
    if better == "":
        withdraw(labels, sample.hash, number, reviewer.strip())
        return
    if better not in _BETTER:
        raise ValueError(f"better={better!r}; valid are {', '.join(_BETTER)}")
    rubric = body.get("rubric") or {}
    if not isinstance(rubric, Mapping):
        raise ValueError("rubric is a JSON object")
    given = {name: rubric.get(name, "") for name in RUBRIC}
    critical, comment = body.get("critical", ""), body.get("comment", "")
    if not all(sides in _SIDES for sides in (*given.values(), critical)) or not isinstance(comment, str):
        raise ValueError("sides are A, B, AB or none, and a comment is text")
    if any("\ud800" <= character <= "\udfff" for character in comment):
        raise ValueError("the comment holds half of a character (a lone surrogate), which is no text")
    answer = Answer(number, better, critical, given, comment.strip()[:_LONGEST_COMMENT])
    merge(labels, unblinded([answer], sample, reviewer.strip()))


def free_port(host: str) -> int:
    """A port that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def serve(made: ASGIApp, host: str, port: int) -> None:
    """Serve until interrupted. Raises ZantaraError when the address is taken."""
    import uvicorn

    try:
        uvicorn.Server(uvicorn.Config(made, host=host, port=port, log_level="warning")).run()
    except KeyboardInterrupt:
        return
    except SystemExit as error:  # uvicorn's way of saying that it could not bind
        raise ZantaraError(
            f"review.port={port} at {host} cannot be served: is it taken?", "review.port=0 takes a free one"
        ) from error
