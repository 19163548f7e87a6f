"""The least that a proxy on starlette, uvicorn and aiohttp can do, to hold the gateway's figures against.

Run by `scripts/bench shadow` as: python -m tools.bench.shadow_bare PRIMARY. Prints its port, then forwards.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from tools.bench.checkout import environment
from zantara_exp.core import terminal

if TYPE_CHECKING:
    from starlette.applications import Starlette


def _application(primary: str) -> Starlette:
    import aiohttp
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as session:
            app.state.session = session
            yield

    async def forward(request: Request) -> StreamingResponse:
        answer = await request.app.state.session.post(primary + request.url.path, data=await request.body())
        passed = {name: value for name, value in answer.headers.items() if name.lower() != "transfer-encoding"}
        return StreamingResponse(answer.content.iter_any(), answer.status, passed)

    return Starlette(routes=[Route("/{path:path}", forward, methods=["POST"])], lifespan=lifespan)


@contextmanager
def bare_proxy(primary: str) -> Iterator[int]:
    """The proxy in a process of its own while the block runs; its port."""
    command = [sys.executable, "-m", "tools.bench.shadow_bare", primary]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  asked for
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _main(primary: str) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            terminal.say(str(self.servers[0].sockets[0].getsockname()[1]))
            sys.stdout.flush()

    Server(uvicorn.Config(_application(primary), port=0, access_log=False, log_level="error")).run()


if __name__ == "__main__":
    _main(sys.argv[1])
