"""Where a request belongs: which provider it is for, by its path, and which API it speaks.

ROUTES has a row for each base path of each provider, UPSTREAMS a row for each provider. A request that fits no row, or
that carries another provider's credentials, is never sent on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from yarl import URL

from zantara_exp.config.gateway import Gateway, is_loopback
from zantara_exp.endpoints.connections import proxy_of
from zantara_exp.gateway.dialects import BEDROCK_MESSAGES, BEDROCK_STREAM, COMPLETIONS, MESSAGES, RESPONSES, Dialect
from zantara_exp.gateway.exchange import Refused
from zantara_exp.gateway.target import address
from zantara_exp.page.same_site import host_of

ANTHROPIC, OPENAI, AZURE, BEDROCK, VERTEX, OTHER = "anthropic", "openai", "azure", "bedrock", "vertex", "other"
UPSTREAMS: Mapping[str, tuple[str, ...]] = {
    ANTHROPIC: ("anthropic.com", "claude.com"),
    OPENAI: ("openai.com",),
    AZURE: ("azure.com", "azure.us", "azure.cn"),
    BEDROCK: ("amazonaws.com", "amazonaws.com.cn"),
    VERTEX: ("googleapis.com",),
}
"""Providers and the domains that belong to them. `gateway.<name>_url` is a provider's address."""


class Route(NamedTuple):
    """Where one request belongs."""

    upstream: str
    path: re.Pattern[str]
    dialect: Dialect | None = None
    """None: passed on, but no chat, so it is not mirrored."""
    prefix: str = ""
    """The part of the API's path that some clients leave out."""


NOWHERE = ("unknown_path", "unknown_host", "foreign_key", "signed_for_here", "not_configured")
"""Reasons for not sending a request on, as the metrics name them."""
_VERTEX = r"/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/(?!count-tokens:)[^/:]+:(?:r|streamR)awPredict"


def _row(upstream: str, path: str, dialect: Dialect | None = None, prefix: str = "") -> Route:
    return Route(upstream, re.compile(path, re.DOTALL), dialect, prefix)


ROUTES = (
    _row(ANTHROPIC, r"/v1/messages/?", MESSAGES),
    _row(OPENAI, r"/v1/chat/completions/?", COMPLETIONS),
    _row(OPENAI, r"/v1/responses/?", RESPONSES),
    _row(VERTEX, rf"/v1(?:beta1)?{_VERTEX}", MESSAGES),
    _row(VERTEX, r"/v1(?:beta1)?/projects/.*"),
    _row(ANTHROPIC, r"/v1/(?:messages|complete|organizations|skills)(?:/.*)?"),
    _row(OPENAI, r"/v1/.*"),
    # Clients such as the Vercel AI SDK, whose base URL should end with /v1 and does not.
    _row(ANTHROPIC, r"/messages/?", MESSAGES, "/v1"),
    _row(ANTHROPIC, r"/messages/.*", None, "/v1"),
    _row(OPENAI, r"/chat/completions/?", COMPLETIONS, "/v1"),
    _row(OPENAI, r"/responses/?", RESPONSES, "/v1"),
    _row(OPENAI, r"/(?:responses|completions|embeddings|models|files|images|audio|moderations)(?:/.*)?", None, "/v1"),
    _row(VERTEX, _VERTEX, MESSAGES, "/v1"),
    _row(VERTEX, r"/projects/.*", None, "/v1"),
    _row(AZURE, r"/openai(?:/deployments/[^/]+|/v1)/chat/completions/?", COMPLETIONS),
    _row(AZURE, r"/openai(?:/v1)?/responses/?", RESPONSES),
    _row(AZURE, r"/anthropic/v1/messages/?", MESSAGES),
    _row(AZURE, r"/(?:openai|anthropic)/.*"),
    # A model of Bedrock may be named by its ARN, which contains slashes.
    _row(BEDROCK, r"/model/.+/invoke", BEDROCK_MESSAGES),
    _row(BEDROCK, r"/model/.+/invoke-with-response-stream", BEDROCK_STREAM),
    _row(BEDROCK, r"/model/.*"),
)
"""The first row that matches the whole path counts."""
_UNKNOWN = Route(OTHER, re.compile(""))
_SAYS_ANTHROPIC = b"anthropic-version"

_SIGNATURE = "AWS4-HMAC-SHA256"
_SIGNED = (
    "AWS's signature holds for the host that it was made for, so that it cannot be passed on: use a Bedrock API key "
    "(AWS_BEARER_TOKEN_BEDROCK)"
)
_KEYS = (
    (ANTHROPIC, "sk-ant-"), (OPENAI, "sk-proj-"), (OPENAI, "sk-svcacct-"), (OPENAI, "sk-admin-"), (VERTEX, "ya29."),
    (VERTEX, "AIza"), (BEDROCK, "bedrock-api-key-"), (BEDROCK, "ABSK"),
)  # fmt: skip
"""Beginnings of keys, and the provider that a key with such a beginning belongs to."""
_KEY_HEADERS: Mapping[bytes, str | None] = {
    b"authorization": None,
    b"x-api-key": None,
    b"api-key": AZURE,
    b"x-goog-api-key": VERTEX,
    b"x-amz-security-token": BEDROCK,
}
"""Headers that hold a key, and the provider they belong to; None: only the key's beginning can tell."""
_KEY_QUERIES = ("key", "api_key", "api-key", "access_token")


class Routes:
    """The routes of one config."""

    def __init__(self, config: Gateway) -> None:
        """Raises ConfigError for an upstream whose proxy by the environment does not speak HTTP."""
        self._urls = {
            ANTHROPIC: config.anthropic_url,
            OPENAI: config.openai_url,
            AZURE: config.azure_url,
            BEDROCK: config.bedrock_url,
            VERTEX: config.vertex_url,
            OTHER: config.other_url,
        }
        self._hosts = {name: _host(url) for name, url in self._urls.items() if url}
        self._own = frozenset(each.lower() for each in config.hosts)
        self._foreign_keys = config.foreign_keys
        for url in filter(None, self._urls.values()):
            proxy_of(url)

    def find(self, path: str, headers: list[tuple[bytes, bytes]], query: bytes = b"") -> Route:
        """The route of a request. Raises Refused if there is none."""
        route = next((each for each in ROUTES if each.path.fullmatch(path)), _UNKNOWN)
        said = dict(headers)
        if route.upstream == OPENAI and route.dialect is None and _SAYS_ANTHROPIC in said:
            route = route._replace(upstream=ANTHROPIC)
        self._check_address(route)
        self._check_host(route, said.get(b"host", b"").decode("latin-1"))
        if route.upstream != OTHER:
            for owner, key in _keys(headers, query):
                self._check_key(route, owner, key)
        return route

    def address(self, route: Route, target: str) -> URL:
        """The upstream's address for a request target."""
        return address(URL(self._urls[route.upstream] or ""), route.prefix, target)

    def _check_address(self, route: Route) -> None:
        if self._urls[route.upstream]:
            return
        if route.upstream == OTHER:
            known = (
                "its APIs' paths begin with /v1/, /openai/, /anthropic/ or /model/; gateway.other_url takes the rest"
            )
            raise Refused(404, f"no provider is known for this path: {known}", "unknown_path")
        unset = f"gateway.{route.upstream}_url is not set: set it to that provider's address"
        raise Refused(404, f"this path is {route.upstream}'s, and {unset}", "not_configured")

    def _check_host(self, route: Route, authority: str) -> None:
        """Refuse a request for another host that name resolution or a proxy has sent here."""
        host = _host_of(authority)
        if not host or is_loopback(host) or host in self._own or host == self._hosts[route.upstream]:
            return
        if self._own:
            raise Refused(421, f"it was called as {host}, which is not in gateway.hosts", "unknown_host")
        meant = _provider_of(host)
        if meant is not None and meant != route.upstream:
            raise Refused(421, f"it was called as {host}, and this path is {route.upstream}'s", "unknown_host")

    def _check_key(self, route: Route, whose: str | None, key: str) -> None:
        """Refuse a key of another provider, and a signature that cannot be passed on.

        `whose` is the owner by the header's name, which counts only if the host is known to be another provider's.
        """
        host = self._hosts[route.upstream]
        here = _provider_of(host)
        signed = key.upper().startswith(_SIGNATURE)
        if signed and here == BEDROCK:
            raise Refused(400, _SIGNED, "signed_for_here")
        said = BEDROCK if signed else _owner_of(key)
        owner = said or whose
        if owner is None or owner == route.upstream or self._foreign_keys or here == owner:
            return
        if host != self._hosts.get(owner) and (said is not None or here is not None):
            told = f"this path is {route.upstream}'s and the key is {owner}'s, so it was sent nowhere"
            raise Refused(403, f"{told}; gateway.foreign_keys=true passes it on", "foreign_key")


def _keys(headers: list[tuple[bytes, bytes]], query: bytes) -> Iterator[tuple[str | None, str]]:
    """The keys of a request, each with its owner if the header or parameter tells it."""
    for name, value in headers:
        if name in _KEY_HEADERS:
            said = value.decode("latin-1").strip()
            scheme, _, rest = said.replace("\t", " ").partition(" ")
            signed = scheme.upper().startswith(_SIGNATURE)
            yield _KEY_HEADERS[name], said if signed or not rest else rest.strip()
    if b"=" in query:
        for said, key in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if said.lower() in _KEY_QUERIES:
                yield None, key


def _owner_of(key: str) -> str | None:
    return next((owner for owner, beginning in _KEYS if key.startswith(beginning)), None)


@lru_cache(maxsize=1024)
def _host_of(authority: str) -> str:
    return host_of(authority).rstrip(".")


def _host(url: str) -> str:
    return host_of(url.partition("://")[2].partition("/")[0])


@lru_cache(maxsize=1024)
def _provider_of(host: str) -> str | None:
    """The provider that a host's domain belongs to."""
    for provider, domains in UPSTREAMS.items():
        if any(host == domain or host.endswith(f".{domain}") for domain in domains):
            return provider
    return None
