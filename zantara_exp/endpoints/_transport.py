"""httpx's requests over aiohttp's connections.

httpx's own pool looks at each of its connections for each request: of the processor time of a call with 24 under way
that was three quarters, and in the gateway users wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add; httpx has said what is to be sent."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most `connections` at once to one server, kept open between requests."""

    def __init__(self, connections: int, trust_env: bool) -> None:
        """`trust_env`: take proxies and certificates from the environment."""
        self._connections, self._trust_env = connections, trust_env
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; raises httpx's errors."""
        if self._session is None:
            self._session = self._pool(request.url.scheme == "https")
            self._proxy = _proxy_of(request.url) if self._trust_env else None
        limits = request.extensions.get("timeout", {})
        with _as_httpx(request):
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(sock_connect=limits.get("connect"), sock_read=limits.get("read")),
            )
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=_Body(request, response))

    def _pool(self, encrypted: bool) -> aiohttp.ClientSession:
        """The connections, which belong to the event loop that runs now."""
        ssl = httpx.create_ssl_context(trust_env=self._trust_env) if encrypted else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=ssl),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_OURS,
            trust_env=False,  # it would read ~/.netrc for each request, and refuse one that has a key of its own
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, response: aiohttp.ClientResponse) -> None:
        self._request, self._response = request, response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        self._response.release()  # keeps the connection where the body was read to its end, and closes it otherwise


def _proxy_of(url: httpx.URL) -> str | None:
    """What HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for an address, unless NO_PROXY does."""
    if proxy_bypass(url.host):
        return None
    named = getproxies()
    return named.get(url.scheme) or named.get("all")


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
