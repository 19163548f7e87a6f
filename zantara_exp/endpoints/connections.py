"""Connections to servers elsewhere: kept between requests, by the proxies and certificates that the environment names.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case; SSL_CERT_FILE and SSL_CERT_DIR.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
from yarl import URL

from zantara_exp.core.errors import ConfigError

_AT_ONCE_SECONDS = 0.5
"""In which a server that had closed a kept connection says so: a way there and back. A server that breaks off later may
have read the request, and worked on it."""


@dataclass
class _Sent:
    """One request on its way."""

    kept_since: float | None = None
    """When it took a connection that an earlier request had left open."""

    @property
    def unread(self) -> bool:
        """Whether the server had closed that connection before the request came."""
        return self.kept_since is not None and time.perf_counter() - self.kept_since < _AT_ONCE_SECONDS


class Connections:
    """At most `limit` at once (0: no limit), in the event loop that made them.

    A request is sent a second time, over a connection of its own, only where the first one went into a kept connection
    that the server had closed meanwhile.
    """

    def __init__(self, limit: int, certificates: ssl.SSLContext | bool, proxies: bool, **settings: Any) -> None:
        """`proxies`: take those of the environment; `settings` are aiohttp's, of a session."""
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_kept)
        shared: dict[str, Any] = {
            "auto_decompress": False,
            "trace_configs": [trace],
            "trust_env": False,  # it would read ~/.netrc for each request, and refuse one that has a key of its own
            **settings,
        }
        connectors = (aiohttp.TCPConnector(limit=limit, ssl=certificates, force_close=anew) for anew in (False, True))
        self._kept, self._anew = (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), **shared)
            for connector in connectors
        )
        self._use_proxies = proxies
        self._proxies: dict[str, str | None] = {}

    async def ask(self, method: str, url: URL, *, again: bool = True, **options: Any) -> aiohttp.ClientResponse:
        """Send a request; `again`: it may be sent a second time. Raises aiohttp's errors, TimeoutError, ValueError."""
        proxy, sent = self._proxy_to(url), _Sent()
        options |= {"allow_redirects": False, "proxy": proxy}
        try:
            return await self._kept.request(method, url, trace_request_ctx=sent, **options)
        except aiohttp.ClientConnectionError as lost:
            if not (again and sent.unread and _said_nothing(lost)):
                raise
            return await self._anew.request(method, url, **options)

    def _proxy_to(self, url: URL) -> str | None:
        if not self._use_proxies:
            return None
        place = f"{url.scheme}://{url.host}:{url.port}"
        if place not in self._proxies:
            self._proxies[place] = proxy_of(place)
        return self._proxies[place]

    async def close(self) -> None:
        """Close them."""
        await self._kept.close()
        await self._anew.close()


def certificates(ca_file: str | None) -> ssl.SSLContext:
    """What an encrypted connection is checked against; `ca_file`, in PEM, beside what this machine trusts.

    Raises ConfigError where the file cannot be read or holds none.
    """
    context = ssl.create_default_context()
    named = any(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    if not named and not context.get_ca_certs():  # a slim machine has none of its own
        context.load_verify_locations(certifi.where())
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
        raise ConfigError(f"gateway.ca_file={ca_file}: {why.lower()}", "name a file of certificates in PEM") from None
    return context


def proxy_of(url: str) -> str | None:
    """The proxy that an address is reached by; None where NO_PROXY names it, or nothing does.

    Raises ConfigError for a proxy that does not speak HTTP.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if proxy_bypass(f"{host}:{port}") or _beside_names(host):
        return None
    named = getproxies()
    found = named.get(parts.scheme) or named.get("all")
    if not found:
        return None
    scheme = found.partition("://")[0].lower() if "://" in found else "http"
    if scheme not in ("http", "https"):
        variable = f"{parts.scheme.upper()}_PROXY" if parts.scheme in named else "ALL_PROXY"
        raise ConfigError(
            f"{variable} names a proxy that speaks {scheme[:20]}, and calls go by http:// proxies alone",
            f"export {parts.scheme.upper()}_PROXY=http://..., or NO_PROXY={host}",
        )
    return found if "://" in found else f"http://{found}"


def _beside_names(host: str) -> bool:
    """Whether NO_PROXY has the host in a form that Python's own look leaves out: *.example.org, 10.0.0.0/8."""
    for each in getproxies().get("no", "").split(","):
        entry = each.strip().lower()
        if entry.startswith("*.") and host.lower().endswith(entry[1:]):
            return True
        if "/" in entry:
            with suppress(ValueError):  # the host is a name, or the entry no network
                if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                    return True
    return False


def _said_nothing(lost: aiohttp.ClientConnectionError) -> bool:
    """Whether a connection was lost without a byte of an answer."""
    return not isinstance(lost, aiohttp.ServerDisconnectedError) or isinstance(lost.message, str)


async def _note_kept(_: aiohttp.ClientSession, context: Any, __: Any) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.kept_since = time.perf_counter()
