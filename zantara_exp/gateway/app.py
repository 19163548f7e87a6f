"""The gateway's ASGI application.

A request is forwarded to the provider of its path (`routes`), and the answer is returned as it comes. Requests of the
sample are shown to the mirror. While a rollout runs, the candidate answers the users who are moved to it; where it
fails, the primary answers. The gateway's own pages: / (leads to the live page), /healthz (the process lives), /readyz
(it takes requests), /metrics (Prometheus), /complaints, and /observe for products that do not call through the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from zantara_exp.config.candidates import one_of
from zantara_exp.config.gateway import Gateway as GatewayConfig
from zantara_exp.config.gateway import is_loopback
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.gateway.access import AccessLog
from zantara_exp.gateway.exchange import header_text
from zantara_exp.gateway.metrics import Metrics, Page
from zantara_exp.gateway.observed import UnobservableError, read_observed
from zantara_exp.page.same_site import from_elsewhere
from zantara_exp.shadow.mirror import ShadowMirror
from zantara_exp.spans import open_spans
from zantara_exp.traffic.not_mirrored import Seen, note

_NOTE_SECONDS = 5.0
_NOTHING_RUNS = {"content-security-policy": "default-src 'none'", "cache-control": "no-store"}
_STRANGER = "send the gateway's own token as X-Zantara-Token\n"

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


class Gateway:
    """The ASGI application and what it counts."""

    def __init__(self, config: Config) -> None:
        """Start the mirror. Raises ZantaraError for a config that cannot work."""
        from zantara_exp.endpoints.connections import certificates
        from zantara_exp.gateway.forward import Forwarder
        from zantara_exp.gateway.routes import Routes
        from zantara_exp.gateway.routing import Routing
        from zantara_exp.gateway.seen_exchange import Sight

        self.metrics = Metrics(config.gateway.timeout_seconds)
        self.ready = False
        self._token = token = _token(config.gateway)
        # Without a token only the loopback address keeps others out, and a website in a local browser reaches that too.
        self._guarded = token is None and is_loopback(config.gateway.host)
        self._own = frozenset(host.lower() for host in config.gateway.hosts)
        routes, trusted = Routes(config.gateway), certificates(config.gateway.ca_file)  # before anything has begun
        self.routing = Routing(one_of(config, config.rollout.candidate), self.metrics)
        try:
            self.mirror = ShadowMirror(config)
        except BaseException:
            self.routing.stop()
            raise
        self._seen_at = Layout(config).gateway / f"seen_{config.gateway.port}.json"
        self._live = f"http://127.0.0.1:{config.watch.port}/"
        self._mirrored_bytes = config.gateway.mirrored_bytes
        self._access = AccessLog(config.gateway.access_log)
        self.spans = open_spans("zantara-gateway")
        self._page = Page(self.metrics, self.mirror, self.routing, self.spans).registry()
        self._sight = sight = Sight(config.gateway, self.mirror, self.routing, self.metrics)
        self._forwarder = Forwarder(
            config.gateway, routes, trusted, sight, self.routing, self.metrics, self._access, token, self.spans
        )
        self._pages = self._application()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the own pages; forward everything else directly, without the framework's routing."""
        if self._guarded and scope["type"] == "http" and from_elsewhere(scope["headers"], self._own):
            self.metrics.refused["foreign_site"] += 1
            self._access.note({"method": scope["method"], "status": 403, "refused": "foreign_site"})
            await _plain("zantara gateway: called by a foreign name or from another site\n", 403)(scope, receive, send)
            return
        forwarded = scope["type"] == "http" and scope["path"] not in self._at
        await (self._forwarder if forwarded else self._pages)(scope, receive, send)

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        routes = [
            Route("/", self._front),
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics_text),
            Route("/complaints", self._complaint, methods=["POST"]),
            Route("/observe", self._observe, methods=["POST"]),
        ]
        self._at = {route.path for route in routes}
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._forwarder.open()
        await self.routing.open()
        noting = [asyncio.create_task(each) for each in (self._access.run(), self._note_seen())]
        self.ready = True
        try:
            yield
        finally:
            self.ready = False
            await self._forwarder.close()
            self._sight.close()
            await self.routing.close()
            await self.mirror.close()
            for task in noting:
                task.cancel()
            await asyncio.gather(*noting, return_exceptions=True)
            if self.spans is not None:
                await asyncio.to_thread(self.spans.close)

    async def _note_seen(self) -> None:
        """Write now and then what came and what was not sampled, and once more at the end; stage=doctor reads it."""
        seen = self.seen
        try:
            while True:
                await asyncio.sleep(_NOTE_SECONDS)
                before, seen = seen, self.seen
                if before.requests != seen.requests:
                    await asyncio.to_thread(self._write, seen)
        finally:
            self._write(self.seen)

    @property
    def seen(self) -> Seen:
        """What came, and why it is not in the sample."""
        return self.metrics.seen(self.mirror.stats)

    def _write(self, seen: Seen) -> None:
        with contextlib.suppress(OSError):  # no loss: /metrics has the same numbers
            note(seen, self._seen_at)

    async def _front(self, request: Request) -> Response:
        """Redirect a browser on this machine to the live page; other clients are told nothing.

        The page is another process, because measuring the log would take time from users, and because clients of the
        gateway may not read what it shows.
        """
        from starlette.responses import HTMLResponse

        far = request.client is None or not is_loopback(request.client.host) or "x-forwarded-for" in request.headers
        if far or from_elsewhere(request.scope["headers"]):
            return _plain("zantara gateway: /healthz, /readyz, /metrics\n")
        run = command("stage=watch")
        if "text/html" not in request.headers.get("accept", ""):
            return _plain(f"zantara gateway: /healthz, /readyz, /metrics; the live page: {self._live} by {run}\n")
        page = f'<!doctype html><title>zantara gateway</title><p><a href="{escape(self._live)}">the live page</a></p>'
        return HTMLResponse(f"{page}<p>Where it does not open: <code>{escape(run)}</code></p>", headers=_NOTHING_RUNS)

    async def _healthz(self, _: Request) -> Response:
        return _plain("ok\n")

    async def _readyz(self, _: Request) -> Response:
        return _plain("ready\n") if self.ready else _plain("not ready\n", 503)

    def _is_stranger(self, request: Request) -> bool:
        given = header_text(request.headers.get("x-zantara-token", "").encode("latin-1"))
        return self._token is not None and not hmac.compare_digest(given.encode(), self._token.encode())

    async def _observe(self, request: Request) -> Response:
        """Take a request and its answer from a product whose calls do not pass through the gateway."""
        if self._is_stranger(request):
            return _plain(_STRANGER, 401)
        body, most = b"", self._mirrored_bytes
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                return _plain(f"more than gateway.mirrored_bytes={most}\n", 413)
        try:
            self.mirror.observe(*read_observed(body))
        except UnobservableError as why:
            return _plain(f"{why}\n", 400)
        self.metrics.observed += 1
        return _plain("observed\n", 202)

    async def _complaint(self, request: Request) -> Response:
        """Note that a user complained, for the guardrails of the rollout."""
        if self._is_stranger(request):
            return _plain(_STRANGER, 401)
        user = header_text(request.headers.get("x-zantara-user", "").encode("latin-1"))
        if not user:
            return _plain("name the user in X-Zantara-User\n", 400)
        try:
            await asyncio.to_thread(self.routing.complain, user)
        except Exception as error:  # the disk or the database; the app may try again
            return _plain(f"not written: {type(error).__name__}\n", 503)
        return _plain("noted\n", 202)

    async def _metrics_text(self, request: Request) -> Response:
        from prometheus_client.exposition import choose_encoder
        from starlette.responses import Response

        try:
            encoded, kind = choose_encoder(request.headers.get("accept", ""))
        except TypeError:  # the library compares the asked version with numbers, even where it is no number
            encoded, kind = choose_encoder("")
        return Response(encoded(self._page), media_type=kind)


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
