"""httpx's requests over aiohttp's connections.

httpx's own pool looks at each of its connections for each request: of the processor time of a call with 24 under way
that was three quarters, and in the gateway users wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from yarl import URL

from zantara_exp.endpoints.connections import Connections

_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add; httpx has said what is to be sent."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most `connections` at once to one server, kept open between requests."""

    def __init__(self, connections: int, trust_env: bool) -> None:
        """`trust_env`: take proxies and certificates from the environment."""
        self._limit, self._trust_env = connections, trust_env
        self._connections: Connections | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; raises httpx's errors."""
        if self._connections is None:  # they belong to the event loop that runs now
            encrypted = request.url.scheme == "https"
            ssl = httpx.create_ssl_context(trust_env=self._trust_env) if encrypted else True
            self._connections = Connections(self._limit, ssl, self._trust_env, skip_auto_headers=_OURS)
        limits = request.extensions.get("timeout", {})
        with _as_httpx(request):
            response = await self._connections.ask(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=await request.aread() or None,
                timeout=aiohttp.ClientTimeout(sock_connect=limits.get("connect"), sock_read=limits.get("read")),
            )
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=_Body(request, response))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, response: aiohttp.ClientResponse) -> None:
        self._request, self._response = request, response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        self._response.release()  # keeps the connection where the body was read to its end, and closes it otherwise


@contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    except ValueError as error:  # a header or an address that cannot be sent
        raise httpx.LocalProtocolError(str(error), request=request) from error
