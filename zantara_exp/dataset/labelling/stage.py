"""`stage=label`: a page for labelling chats by hand, until it is interrupted; then how right our labels are.

python -m zantara_exp stage=label
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset import records
from zantara_exp.dataset.labelling.rows import Item, checked, drawn, keep, load
from zantara_exp.dataset.language import UNKNOWN

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp


def label(config: Config, context: Context) -> StageResult:
    """Serve the page. Raises MissingInputError before stage `extract` has run."""
    from zantara_exp.page import free_port, serve, token_of

    layout, page = context.layout, config.label
    items = drawn(records.read_conversations(layout.raw_conversations), page.size, config.seed)
    if not items:
        raise MissingInputError(f"{layout.raw_conversations} holds no question", command("stage=extract"))
    token, port = token_of("label", page.token_env), page.port or free_port(page.host)
    host = f"[{page.host}]" if ":" in page.host else page.host
    entry = f"?token=${page.token_env}" if token else ""
    context.say(f"label {len(items)} chats at http://{host}:{port}/{entry}   (Ctrl-C when done)")
    serve(app(items, layout.labelled, config, [page.host, "localhost"], token), "label", page.host, port)
    return _result(items, layout.labelled, config)


def app(items: list[Item], path: Path, config: Config, hosts: list[str], token: str | None = None) -> ASGIApp:
    """The page over some items, writing to the file of labels; `hosts` are the names it may be called by."""
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    from zantara_exp.page import Guard, built, policy

    text = built("zantara_exp.dataset.labelling")
    categories, languages = list(config.domain.categories), list(config.dataset.languages)
    by_id, writing = {item.id: item for item in items}, threading.Lock()

    async def index(request: Request) -> Response:
        return HTMLResponse(text)

    async def state(request: Request) -> Response:
        said = load(path)
        shown = [{**_shown(item), "said": vars(said[item.id]) if item.id in said else None} for item in items]
        return JSONResponse({"items": shown, "categories": categories, "languages": [*languages, UNKNOWN]})

    async def answer(request: Request) -> Response:
        if request.headers.get("x-label") != "1":
            return JSONResponse({"error": "not sent by the page"}, 403)
        try:
            given = checked(await request.json(), by_id, categories, languages)
        except ClientDisconnect:
            return JSONResponse({"error": "that is more than an answer"}, 413)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 422)
        with writing:
            known = load(path)
            if isinstance(given, str):
                known.pop(given, None)
            else:
                known[given.conversation_id] = given
            keep(path, known)
        return JSONResponse({"kept": True})

    routes = [Route("/", index), Route("/state", state), Route("/answer", answer, methods=["POST"])]
    return Guard(Starlette(routes=routes), hosts, policy(text), token)


def _shown(item: Item) -> dict[str, str]:
    return {name: getattr(item, name) for name in ("id", "text", "before", "language")}


def _result(items: list[Item], path: Path, config: Config) -> StageResult:
    said = load(path)
    counts = Counter(each.category for each in said.values())
    rows = [[name, str(counts[name])] for name in config.domain.categories]
    done = sum(item.id in said for item in items)
    return StageResult(
        summary={"labelled": f"{done} of {len(items)} chats, {len(said)} in all, in {path}"},
        metrics={"label/rows": float(len(said))},
        tables=[Table("said by hand", ["category", "chats"], rows)],
        next_command=command("stage=analyze") if said else command("stage=label"),
    )
