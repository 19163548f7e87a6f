"""Keeps a page on this machine to those it is for: other hosts' names, other sites, and whoever lacks the token.

A page on loopback is reached by every site that a reviewer's browser opens. So a request has to name the page's own
host (a foreign name may be made to point here), must not come from another site, and brings no more than a small body.
With a token, which other machines need, a first visit to `/?token=...` leaves a cookie that only the page's own
requests carry.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from zantara_exp.page.same_site import host_of

COOKIE = "zantara-page"
_MOST_BYTES = 65_536
_SEEN_FOR = 12 * 3600


def policy(page: str, connect: str = "'self'") -> str:
    """A Content-Security-Policy under which nothing runs but the script and the style that the page itself holds.

    A page that is a file asks nobody: `connect` is `'none'`, and who may frame it only a header could say.
    """
    script, style = (" ".join(f"'{_hash(text)}'" for text in _inline(page, tag)) for tag in ("script", "style"))
    framed = "" if connect == "'none'" else "; frame-ancestors 'none'"
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src {connect}; base-uri 'none'; "
        f"form-action 'none'{framed}"
    )


def _inline(page: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Guard:
    """ASGI middleware around the page."""

    def __init__(self, app: Any, hosts: Sequence[str], content_policy: str, token: str | None) -> None:
        self._app, self._hosts, self._token = app, frozenset(hosts), token
        self._headers = [
            (b"content-security-policy", content_policy.encode()),
            (b"x-frame-options", b"DENY"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or hand on, one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event["headers"], *self._headers]}
            await send(event)

        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self._token is not None and _same(token, self._token):
            await _answer(with_headers, 303, "", [(b"location", b"/"), (b"set-cookie", self._cookie())])
        elif refusal := self._refusal(given):
            await _answer(with_headers, refusal[0], refusal[1])
        else:
            await self._app(scope, _Bounded(receive), with_headers)

    def _cookie(self) -> bytes:
        return f"{COOKIE}={_digest(self._token or '')}; HttpOnly; SameSite=Strict; Path=/; Max-Age={_SEEN_FOR}".encode()

    def _refusal(self, given: dict[bytes, str]) -> tuple[int, str] | None:
        """Status and words; None where the request may pass."""
        host = given.get(b"host", "")
        if self._token is None and host_of(host) not in self._hosts:
            return 421, "this page is not called by that name"
        origin = given.get(b"origin")
        if given.get(b"sec-fetch-site", "none") not in ("none", "same-origin") or (
            origin is not None and origin.partition("://")[2] != host
        ):
            return 403, "another site may not ask this page"
        if self._token is not None and not _same(_cookies(given).get(COOKIE, ""), _digest(self._token)):
            return 401, "open the page with its token once: /?token=..."
        length = given.get(b"content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > _MOST_BYTES:
            return 413, "that is more than an answer"
        return None


class _Bounded:
    """A body that ends as a lost connection where it grows too large."""

    def __init__(self, receive: Any) -> None:
        self._receive, self._size = receive, 0

    async def __call__(self) -> Any:
        event = await self._receive()
        self._size += len(event.get("body", b""))
        return event if self._size <= _MOST_BYTES else {"type": "http.disconnect"}


def _cookies(given: dict[bytes, str]) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in given.get(b"cookie", "").split(";"))
    return {name: value for name, _, value in pairs}


def _digest(token: str) -> str:
    return hashlib.sha256(b"zantara page\n" + token.encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


async def _answer(send: Any, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    body = text.encode()
    known = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*known, *headers]})
    await send({"type": "http.response.body", "body": body})
