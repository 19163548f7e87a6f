"""A gateway on loopback, in front of a primary and beside a candidate."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.composing import composed
from tests.shadow.primary import running
from zantara_exp.gateway.app import Gateway
from zantara_exp.gateway.target import keeping_targets


@contextmanager
def gateway_at(primary: str, candidate: str, *overrides: str) -> Iterator[tuple[str, Gateway]]:
    config = composed(
        "stage=serve", "shadow=live", "shadow.traffic_percent=100", "endpoint=openai", "endpoint.base_url=http://there",
        "endpoint.model=m", "endpoint.stream=false", "endpoint.max_tokens=9", *overrides,
    )  # fmt: skip
    config.endpoint.base_url, config.gateway.anthropic_url, config.gateway.openai_url = candidate, primary, primary
    gateway = Gateway(config)
    with running(gateway, keeping_targets()) as url:
        yield url, gateway


def series(page: httpx.Response) -> dict[tuple[str, ...], float]:
    """What a page of metrics says: name and values of the labels (in the order of their names) -> value."""
    families = text_string_to_metric_families(page.text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}
