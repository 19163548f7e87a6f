"""The live page: a picture pushed to whoever watches, the pairs behind its numbers, and orders to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.page import Guard, built, policy
from zantara_exp.page.drawing import plots_script, plots_style
from zantara_exp.watch.acting import act
from zantara_exp.watch.finding import asked, pairs
from zantara_exp.watch.picture import rollout_now
from zantara_exp.watch.watcher import Watcher

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_LOOKS_EVERY = 0.5
_ALIVE_EVERY = 15.0


def app(config: Config, context: Context, watcher: Watcher, hosts: list[str], token: str | None = None) -> ASGIApp:
    """The page over a watcher that was started; `hosts` are the names it may be called by."""
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
    from starlette.routing import Route

    page = built("zantara_exp.watch").replace("/*plots style*/", plots_style()).replace("/*plots*/", plots_script())

    async def index(request: Request) -> Response:
        return HTMLResponse(page)

    async def events(request: Request) -> Response:
        return StreamingResponse(_pictures(watcher), media_type="text/event-stream")

    async def found(request: Request) -> Response:
        def read() -> dict[str, object]:
            with watcher.reading:
                return pairs(asked(request.query_params), config, context.layout)

        try:
            return JSONResponse(await asyncio.to_thread(read))
        except ZantaraError as error:
            return JSONResponse({"error": error.message}, 422)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)

    async def order(request: Request) -> Response:
        if request.headers.get("x-watch") != "1":
            return JSONResponse({"error": "not sent by the page"}, 403)
        try:
            said = await asyncio.to_thread(act, await request.json(), config, context)
            now = await asyncio.to_thread(rollout_now, config, context.layout)
        except ClientDisconnect:
            return JSONResponse({"error": "that is more than an order"}, 413)
        except ZantaraError as error:
            return JSONResponse({"error": error.message}, 409)
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"done": said, "rollout": now})

    routes = [
        Route("/", index),
        Route("/events", events),
        Route("/pairs", found),
        Route("/act", order, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), hosts, policy(page), token)


async def _pictures(watcher: Watcher) -> AsyncIterator[bytes]:
    """Server-sent events: what is known now and whatever is new; a comment now and then tells a dead connection."""
    sent: dict[str, bytes] = {}
    quiet = 0.0
    while not watcher.stopped:
        told = watcher.told
        for kind in [kind for kind, text in told.items() if sent.get(kind) != text]:
            quiet = 0.0
            yield b"event: " + kind.encode() + b"\ndata: " + told[kind] + b"\n\n"
        sent = told
        if quiet >= _ALIVE_EVERY:
            quiet = 0.0
            yield b": here\n\n"
        await asyncio.sleep(_LOOKS_EVERY)
        quiet += _LOOKS_EVERY
