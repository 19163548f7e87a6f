"""What an endpoint is paid, by hand, for each way of paying."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.endpoints.servers import answering, raw_server, response
from zantara_exp.config import compose
from zantara_exp.config.decision import Cost, Price
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import ConfigError
from zantara_exp.cost.billing import HOURS_A_MONTH, another_volume, together, usd_per_month, usd_per_request
from zantara_exp.cost.usage import Billed
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.breaker import Breaker, Guarded
from zantara_exp.endpoints.build import build
from zantara_exp.endpoints.fallback import Fallback

COST = Cost(gpu_usd_hour={"L4": 0.68}, monthly_requests=30_000, prices={"llama": Price(0.05, 0.08)})
JOB = {"id": "1", "status": "COMPLETED", "output": "Ciao!", "executionTime": 1200, "delayTime": 800}
CHAT = {
    "choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 41, "completion_tokens": 9},
}
RUNPOD: dict[str, Any] = {"name": "runpod", "kind": "runpod", "model": "m", "billing": "seconds", "gpu": "L4"}
FACE: dict[str, Any] = {
    "name": "huggingface",
    "kind": "huggingface",
    "model": "llama",
    "stream": False,
    "billing": "tokens",
}


def ask(body: Any, **endpoint: Any) -> Answer:
    async def go(url: str) -> Answer:
        made = build(Endpoint(base_url=url, **endpoint), cost=COST)
        try:
            return await made.chat([{"role": "user", "content": "ciao"}])
        finally:
            await made.close()

    with raw_server(answering(response(json.dumps(body).encode()))) as url:
        return asyncio.run(go(url))


@pytest.mark.parametrize(
    ("job", "usd", "seconds"),
    [
        (JOB, 2.0 * 0.68 / 3600, 2.0),
        ({**JOB, "idleTime": 5000}, 7.0 * 0.68 / 3600, 7.0),
        ({**JOB, "status": "FAILED"}, 2.0 * 0.68 / 3600, 2.0),  # a failure had a worker too
        ({**JOB, "output": []}, 2.0 * 0.68 / 3600, 2.0),
        ({"id": "1", "status": "COMPLETED", "output": "Ciao!"}, None, None),
    ],
)
def test_seconds_of_a_worker(job: dict[str, Any], usd: float | None, seconds: float | None) -> None:
    bill = ask(job, **RUNPOD).billed
    assert (bill.usd, bill.seconds) == (usd if usd is None else pytest.approx(usd), seconds)
    assert bill.basis == (None if usd is None else f"{seconds:g} s of L4 at USD 0.68 an hour")


def test_workers_that_are_always_up_are_paid_for_once() -> None:
    always = {**RUNPOD, "minimum_workers": 1}
    month = 0.68 * HOURS_A_MONTH
    assert usd_per_month(Endpoint(**always), COST) == pytest.approx(month)
    assert ask(JOB, **always).billed.usd == pytest.approx(month / 30_000)  # more than the job's own seconds
    assert ask({**JOB, "executionTime": 900_000}, **always).billed.usd == pytest.approx(900.8 * 0.68 / 3600)


def test_tokens_hours_and_a_flat_fee() -> None:
    assert ask(CHAT, **FACE).billed.usd == pytest.approx((41 * 0.05 + 9 * 0.08) / 1e6)
    assert ask(CHAT, **{**FACE, "model": "no-list-knows-it"}).billed.usd is None
    rented = {**FACE, "billing": "hours", "gpu": "L4", "machines": 2}
    assert ask(CHAT, **rented).billed.usd == pytest.approx(2 * 0.68 * HOURS_A_MONTH / 30_000)
    assert ask(CHAT, **rented).billed.basis == "2 x L4 at USD 0.68 an hour all month over 30000 requests"
    flat = ask(JOB, **{**RUNPOD, "billing": "flat"}).billed
    assert (flat.usd, flat.seconds) == (pytest.approx(3.78 * 1.08 / 30_000), 2.0)  # measured all the same
    assert usd_per_request(Endpoint(billing="tokens"), COST) == 0


def test_a_call_that_failed_before_another_answered_is_paid_too() -> None:
    async def go(first: str, second: str) -> Answer:
        chain = [
            build(Endpoint(base_url=first, **RUNPOD), cost=COST),
            build(Endpoint(base_url=second, **FACE), cost=COST),
        ]
        both = Fallback([Guarded(each, Breaker(Endpoint().breaker)) for each in chain])
        try:
            return await both.chat([{"role": "user", "content": "ciao"}])
        finally:
            await both.close()

    failed = response(json.dumps({**JOB, "status": "FAILED"}).encode())
    with raw_server(answering(failed)) as first, raw_server(answering(response(json.dumps(CHAT).encode()))) as second:
        answer = asyncio.run(go(first, second))
    assert (answer.text, answer.error) == ("Ciao!", None)
    assert answer.billed.usd == pytest.approx(2.0 * 0.68 / 3600 + (41 * 0.05 + 9 * 0.08) / 1e6)
    assert answer.billed.basis is not None
    assert answer.billed.basis.startswith("2 s of L4 at USD 0.68 an hour + llama by cost.prices")


def test_the_whole_is_unknown_where_the_answers_own_bill_is() -> None:
    assert together([Billed(0.1, "a"), Billed()]) == Billed()
    assert together([Billed(), Billed(0.1, "a")]).usd == 0.1


def test_a_machine_needs_a_price() -> None:
    with pytest.raises(ConfigError, match=r"endpoint\.gpu"):
        compose(["endpoint=runpod", "endpoint.billing=seconds"])
    with pytest.raises(ConfigError, match=r"cost\.gpu_usd_hour has L4"):
        build(Endpoint(base_url="http://127.0.0.1:1", **{**RUNPOD, "gpu": "H9"}), cost=COST)
    found = compose(["endpoint=runpod", "endpoint.billing=seconds", "endpoint.gpu=L4", "+cost.gpu_usd_hour={L4: 0.68}"])
    assert found.cost.gpu_usd_hour["L4"] == 0.68


def test_a_failure_without_seconds_says_no_cost() -> None:
    answer = ask({"error": "x"}, **FACE)
    assert (answer.error, answer.billed) == (Reason.SERVER_ERROR, Billed())


def test_what_was_billed_by_the_declared_volume_at_another() -> None:
    flat, rented = Endpoint(billing="flat"), Endpoint(billing="hours", gpu="L4", machines=2)
    assert another_volume(flat, COST, 1000)(usd_per_request(flat, COST)) == pytest.approx(3.78 * 1.08 / 1000)
    month = 2 * 0.68 * HOURS_A_MONTH
    assert another_volume(rented, COST, 1000)(month / 30_000) == pytest.approx(month / 1000)
    assert another_volume(Endpoint(billing="tokens"), COST, 1000)(0.002) == 0.002
    always = another_volume(Endpoint(**{**RUNPOD, "minimum_workers": 1}), COST, 1_000_000)
    assert (always(1e-9), always(0.1)) == (pytest.approx(0.68 * HOURS_A_MONTH / 1e6), 0.1)
    assert another_volume(flat, COST, COST.monthly_requests)(0.5) == pytest.approx(0.5)
