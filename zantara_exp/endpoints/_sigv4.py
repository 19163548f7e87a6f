"""AWS's Signature Version 4, for requests whose body is known whole.

As https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html says it; the tests hold it
against the vectors that AWS publishes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Credentials:
    """Of AWS."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def signed(
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """The headers that sign a request; `path` and `query` as they are sent, `headers` those that are signed."""
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    added = {"x-amz-date": stamp}
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    known = {name.lower(): " ".join(value.split()) for name, value in {**headers, **added}.items() if value}
    names = ";".join(sorted(known))
    canonical = "\n".join(
        [
            method,
            quote(path, safe=f"/{_UNRESERVED}"),
            _sorted_query(query),
            *(f"{name}:{known[name]}" for name in sorted(known)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    who = f"Credential={credentials.access_key}/{scope}"
    return {**added, "authorization": f"{_ALGORITHM} {who}, SignedHeaders={names}, Signature={signature}"}


def _sorted_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
