"""A gateway on loopback, in front of a primary and beside a candidate."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.shadow.primary import running
from zantara_exp.config import compose
from zantara_exp.gateway.app import Gateway


@contextmanager
def gateway_at(primary: str, candidate: str, *overrides: str) -> Iterator[tuple[str, Gateway]]:
    settings = [
        "stage=serve", "shadow=live", "shadow.traffic_percent=100", "endpoint=openai", f"endpoint.base_url={candidate}",
        "endpoint.model=m", "endpoint.stream=false", f"gateway.anthropic_url={primary}",
        f"gateway.openai_url={primary}", *overrides,
    ]  # fmt: skip
    gateway = Gateway(compose(settings))
    with running(gateway) as url:
        yield url, gateway
