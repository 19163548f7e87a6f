"""`stage=serve`: a gateway that a product joins by changing a base URL.

    python -m zantara_exp stage=serve shadow=live endpoint=runpod
    ANTHROPIC_BASE_URL=http://127.0.0.1:8800  or  OPENAI_BASE_URL=http://127.0.0.1:8800/v1  in the product

What comes in below /v1/ is forwarded to the primary and its answer returned as it comes; the sample is shown to the
mirror. While a rollout runs, the candidate answers the users who are moved to it, and the primary where it fails.
Beside it: /healthz (the process lives), /readyz (it takes requests), /metrics (Prometheus).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import math
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from zantara_exp.config.gateway import Gateway as GatewayConfig
from zantara_exp.config.gateway import is_loopback
from zantara_exp.config.schema import Config
from zantara_exp.errors import MissingRequirementError, ZantaraError
from zantara_exp.shadow.gateway_metrics import AccessLog, Metrics
from zantara_exp.shadow.mirror import ShadowMirror
from zantara_exp.shadow.served import CANDIDATE, PRIMARY
from zantara_exp.sites import from_elsewhere
from zantara_exp.stage import Context, StageResult

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


class Gateway:
    """The ASGI application and what it counts."""

    def __init__(self, config: Config) -> None:
        """Start the mirror. Raises ZantaraError for a config that cannot work."""
        from zantara_exp.shadow.gateway_forward import Forwarder
        from zantara_exp.shadow.gateway_routing import Routing
        from zantara_exp.shadow.gateway_sight import Sight

        self.metrics = Metrics()
        self.ready = False
        self._token = token = _token(config.gateway)
        # Without a token, that only this machine reaches it is what keeps others out: sites open in a browser here too.
        self._guarded = token is None and is_loopback(config.gateway.host)
        self.routing = Routing(config, self.metrics)
        try:
            self.mirror = ShadowMirror(config)
        except BaseException:
            self.routing.stop()
            raise
        self._access = AccessLog(config.gateway.access_log)
        sight = Sight(config.gateway, self.mirror, self.routing, self.metrics)
        self._forwarder = Forwarder(config.gateway, sight, self.routing, self.metrics, self._access, token)
        self._pages = self._application()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Forward what is below /v1/ without a detour; everything else is the application's."""
        if self._guarded and scope["type"] == "http" and from_elsewhere(scope["headers"]):
            await _plain("zantara gateway: called by a foreign name or from another site\n", 403)(scope, receive, send)
            return
        forwarded = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._forwarder if forwarded else self._pages)(scope, receive, send)

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        routes = [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics_text),
            Route("/complaints", self._complaint, methods=["POST"]),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._forwarder.open()
        await self.routing.open()
        noting = asyncio.create_task(self._access.run())
        self.ready = True
        try:
            yield
        finally:
            self.ready = False
            await self._forwarder.close()
            await self.routing.close()
            await self.mirror.close()
            noting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await noting

    async def _healthz(self, _: Request) -> Response:
        return _plain("ok\n")

    async def _readyz(self, _: Request) -> Response:
        return _plain("ready\n") if self.ready else _plain("not ready\n", 503)

    async def _complaint(self, request: Request) -> Response:
        """A user complained: the guardrails of the rollout hear of it."""
        given = request.headers.get("x-zantara-token", "")
        if self._token is not None and not hmac.compare_digest(given.encode(), self._token.encode()):
            return _plain("send the gateway's own token as X-Zantara-Token\n", 401)
        user = request.headers.get("x-zantara-user", "")
        if not user:
            return _plain("name the user in X-Zantara-User\n", 400)
        try:
            await asyncio.to_thread(self.routing.complain, user)
        except Exception as error:  # the disk or the database; the app may try again
            return _plain(f"not written: {type(error).__name__}\n", 503)
        return _plain("noted\n", 202)

    async def _metrics_text(self, _: Request) -> Response:
        return _plain(self.metrics.text(self.mirror.stats, self.routing))


def serve(config: Config, context: Context) -> StageResult:
    """Run the gateway until SIGINT or SIGTERM. Raises ZantaraError where it cannot start."""
    listening = _listening(config.gateway)
    with listening:
        gateway = Gateway(config)
        server = _server(config.gateway, gateway, lambda: _announce(config, context, listening))
        gc.collect()
        gc.freeze()  # what start-up left is never garbage; looking through it again would pause every answer under way
        server.run(sockets=[listening])
        gc.unfreeze()
    stats = gateway.mirror.stats
    served = gateway.metrics.requests.total()
    return StageResult(
        {
            "requests": str(served),
            "sampled": str(stats.sampled),
            "compared": str(stats.compared),
            "dropped": ", ".join(f"{reason}: {count}" for reason, count in stats.dropped.items()) or "none",
            **_of_rollout(gateway),
            "log": str(context.layout.logs),
        },
        metrics={"serve/requests": float(served), "shadow/comparisons": float(stats.compared)},
        next_command="python -m zantara_exp stage=report",
    )


def _of_rollout(gateway: Gateway) -> dict[str, str]:
    """What the rollout's arms were served; nothing where none ran."""
    by: Counter[tuple[str, str]] = Counter()
    for (arm, answered_by, _, _), amount in gateway.metrics.served.items():
        by[arm, answered_by] += amount
    if not by:
        return {}
    lost = f"; {gateway.routing.lost_lines} lines of the served log lost" if gateway.routing.lost_lines else ""
    moved = f"{by[CANDIDATE, CANDIDATE]} answered by the candidate, {by[CANDIDATE, PRIMARY]} fell back to the primary"
    return {"moved users": moved + lost, "control": f"{by[PRIMARY, PRIMARY]} answered by the primary"}


def _listening(config: GatewayConfig) -> socket.socket:
    """A socket bound to the configured address. Raises ZantaraError where that cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise ZantaraError(
            f"gateway.host={config.host} gateway.port={config.port}: {(error.strerror or str(error)).lower()}",
            hint="choose another gateway.port (0 is a free one), or a gateway.host that this machine has",
        ) from error
    return bound


def _announce(config: Config, context: Context, listening: socket.socket) -> None:
    host = f"[{config.gateway.host}]" if ":" in config.gateway.host else config.gateway.host
    port = listening.getsockname()[1]
    context.say(f"gateway on http://{host}:{port}: {config.shadow.traffic_percent:g} % of users mirrored")
    context.say("  ANTHROPIC_BASE_URL is this address, OPENAI_BASE_URL this address with /v1; Ctrl-C ends it")


def _server(config: GatewayConfig, gateway: Gateway, listens: Callable[[], None]) -> uvicorn.Server:
    """Uvicorn that answers with the primary's headers alone, says when it listens, and whose stop ends the stage."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                listens()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            caught = (signal.SIGINT, signal.SIGTERM)
            before = {number: signal.signal(number, self.handle_exit) for number in caught}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    settings = uvicorn.Config(
        gateway,
        access_log=False,
        log_level="error",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=math.ceil(config.drain_seconds),
        ws="none",
        http="httptools",  # the other parser takes paths that name another host
    )
    return Server(settings)


def _token(config: GatewayConfig) -> str | None:
    """The gateway's own token, where one is configured. Raises MissingRequirementError where it is not set."""
    if config.token_env is None:
        return None
    token = os.environ.get(config.token_env, "").strip()
    if not token:
        raise MissingRequirementError(
            f"gateway.token_env={config.token_env}: this environment variable is not set",
            hint=f'export {config.token_env}="$(openssl rand -hex 32)", and send it as X-Zantara-Token',
        )
    return token


def _plain(text: str, status: int = 200) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(text, status)
