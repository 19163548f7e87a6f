import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints.servers import answering, raw_server, response
from zantara_exp.config import CONF, compose
from zantara_exp.config.decision import Cost
from zantara_exp.config.traffic import Endpoint
from zantara_exp.cost.billing import flat_usd_per_request
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.build import build, guarded, option

USAGE = {"prompt_tokens": 1000, "completion_tokens": 200}


def ask(usage: dict[str, Any], model: str, billing: str, cost: Cost, status: str = "200 OK") -> Answer:
    body = {"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}], "usage": usage}

    async def go(url: str) -> Answer:
        config = Endpoint(kind="openai", base_url=url, model=model, stream=False, billing=billing)
        endpoint = guarded(config, cost=cost)
        try:
            return await endpoint.chat([{"role": "user", "content": "ciao"}])
        finally:
            await endpoint.close()

    with raw_server(answering(response(json.dumps(body).encode(), status))) as url:
        return asyncio.run(go(url))


def test_tokens_cost_what_the_price_list_says() -> None:
    answer = ask(USAGE, "claude-haiku-4-5", "tokens", Cost())
    assert answer.billed.usd == pytest.approx((1000 * 1.0 + 200 * 5.0) / 1e6)
    assert answer.billed.basis is not None
    assert "USD 1 / 5 a million tokens" in answer.billed.basis


def test_a_flat_fee_is_spread_over_the_volume_that_is_stated() -> None:
    cost = Cost(candidate_monthly_eur=3.78, eur_usd=1.08, monthly_requests=30_000)
    answer = ask({}, "m", "flat", cost)
    assert answer.billed.usd == pytest.approx(3.78 * 1.08 / 30_000)
    assert answer.billed.basis == "EUR 3.78 a month over 30000 requests"
    assert answer.billed.usd == flat_usd_per_request(cost)  # the report's own definition


def test_what_is_not_known_is_not_free() -> None:
    assert ask(USAGE, "a-model-without-a-price", "tokens", Cost()).billed.usd is None
    assert ask({"prompt_tokens": 1000}, "claude-haiku-4-5", "tokens", Cost()).billed.usd is None
    failed = ask(USAGE, "haiku", "flat", Cost(), "503 Service Unavailable")
    assert (failed.billed.usd, failed.billed.basis) == (None, None)


def test_without_prices_nothing_is_said() -> None:
    endpoint = build(Endpoint(kind="openai", base_url="http://127.0.0.1:1/v1", model="m"))
    assert type(endpoint).__name__ == "OpenAICompatible"
    asyncio.run(endpoint.close())


@pytest.mark.parametrize("path", sorted((CONF / "endpoint").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_endpoint_of_conf_is_billed(path: Path) -> None:
    on_loopback = ("local", "llamacpp", "vllm")
    billed = compose([f"endpoint={path.stem}"]).endpoint.billing
    assert billed == ("flat" if path.stem in (*on_loopback, "openai", "runpod") else "tokens")
    if path.stem not in on_loopback:
        assert option(path.stem).billing == billed
