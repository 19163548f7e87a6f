"""Who may ask a server on this machine: a web page that a browser here has open reaches it as well.

Such a page comes under a foreign name that its owner lets point to 127.0.0.1 (DNS rebinding), which shows in the Host
header, or from a site of its own, which shows in Origin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from zantara_exp.config.gateway import is_loopback


def host_of(authority: str) -> str:
    """The name in a Host header or an authority, without port and brackets; "" where there is none."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def from_elsewhere(headers: Iterable[tuple[bytes, bytes]], own: Collection[str] = ()) -> bool:
    """Whether a request that reached a loopback address was sent under a foreign name, or by a foreign site.

    `own`: names that are this server's as well, such as host.docker.internal.
    """
    for name, value in headers:
        if name not in (b"host", b"origin"):
            continue
        host = host_of(value.decode("latin-1").rpartition("://")[2])
        if not is_loopback(host) and host not in own:
            return True
    return False
