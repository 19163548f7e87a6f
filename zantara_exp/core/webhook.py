"""A webhook that hears of verdicts, steps and rollbacks: `rollout.notify`.

A thread of its own posts, so that neither a slow nor a dead receiver keeps a rollback waiting; what cannot be delivered
is said once and dropped. The URL comes from the environment, since chat services put the secret into it: it stands in
no log and no error. It must be https, or http to this machine, and must not resolve to a private network, so that a
variable set by mistake cannot make the controller knock at an inner service. Redirects are not followed.

    {"event": "rollback", "text": "rollback by guardrails: running 50 % -> rolled_back: ...", "time": "...",
     "actor": "guardrails", "from": "running 50 %", "to": "rolled_back", "reason": "...", "epoch": "..."}
"""

from __future__ import annotations

import ipaddress
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from zantara_exp.config.rollout import Notify
from zantara_exp.core.errors import ConfigError, MissingRequirementError

_KEPT = 100
_FIRST_WAIT_SECONDS = 0.5

Say = Callable[[str], None]


class Notifier:
    """Posts to one webhook from a thread; does nothing where none is configured."""

    def __init__(self, config: Notify, say: Say) -> None:
        """Raises MissingRequirementError where the variable is not set, ConfigError where its URL is not allowed."""
        self._config, self._say = config, say
        self._url = "" if config.url_env is None else _url_of(config)
        self._waiting: queue.Queue[Mapping[str, object] | None] = queue.Queue(_KEPT)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if self._url:
            self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
            self._thread.start()

    def tell(self, event: str, text: str, moment: datetime, facts: Mapping[str, object]) -> None:
        """Queue one event; returns at once."""
        if self._thread is None or event not in self._config.events:
            return
        body = {"event": event, "text": text, "time": moment.astimezone(UTC).isoformat(), **facts}
        try:
            self._waiting.put_nowait(body)
        except queue.Full:
            self._say(f"webhook: {_KEPT} events wait already; this one is dropped: {event}")

    def close(self) -> None:
        """Deliver what waits, at most for the time of one delivery; then give it up."""
        if self._thread is None:
            return
        self._closing.set()
        self._thread.join(self._config.attempts * self._config.timeout_seconds + _waits(self._config.attempts))

    def _run(self) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and this one is a secret
        while True:
            try:
                body = self._waiting.get(timeout=0.05)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            trouble = self._delivered(body or {})
            if trouble:
                self._say(
                    f"webhook of {self._config.url_env}: {trouble}; this was not told: {(body or {}).get('event')}"
                )

    def _delivered(self, body: Mapping[str, object]) -> str:
        """Post, again where that may help; what went wrong, without the URL."""
        import httpx

        trouble, wait = "", _FIRST_WAIT_SECONDS
        for attempt in range(self._config.attempts):
            if attempt:
                time.sleep(wait)
                wait *= 2
            try:
                trouble = "" if self._config.allow_insecure else _inner(self._url)
                if trouble:
                    return trouble
                with httpx.Client(
                    timeout=self._config.timeout_seconds, follow_redirects=False, trust_env=False
                ) as client:
                    status = client.post(self._url, json=body).status_code
            except (httpx.HTTPError, OSError, ValueError) as error:
                trouble = type(error).__name__
                continue
            if status < 300:
                return ""
            trouble = f"HTTP {status}"
            if status < 500 and status not in (408, 425, 429):
                return trouble
        return f"{trouble} in {self._config.attempts} attempts"


def _waits(attempts: int) -> float:
    return float(sum(_FIRST_WAIT_SECONDS * 2**n for n in range(attempts - 1))) + 1.0


def _url_of(config: Notify) -> str:
    variable = config.url_env or ""
    url = os.environ.get(variable, "").strip()
    if not url:
        raise MissingRequirementError(
            f"rollout.notify.url_env={variable}: this environment variable is not set", f"export {variable}=https://..."
        )
    if trouble := _not_allowed(url, config.allow_insecure):
        raise ConfigError(f"rollout.notify.url_env={variable}: {trouble}", f"set {variable} to the whole address")
    return url


def _not_allowed(url: str, insecure: bool) -> str:
    """Why a URL is refused, without quoting it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "its value is no URL"
    if parts.scheme not in ("http", "https") or not host:
        return "its value is no http(s) URL"
    if parts.scheme == "http" and not insecure and not _loopback(host):
        return "http:// reaches this machine only; use https://, or rollout.notify.allow_insecure=true"
    return ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _inner(url: str) -> str:
    """Why the address behind a URL is refused: it is an inner one, not named as this machine. May raise OSError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _loopback(host):
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
            return "its host has an address of a private network (rollout.notify.allow_insecure=true allows it)"
    return ""
