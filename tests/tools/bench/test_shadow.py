"""The parts that `scripts/bench shadow` measures with, each for a moment."""

import asyncio

import pytest

from tools.bench.shadow_bare import bare_proxy
from tools.bench.shadow_clients import flat_out, steady, streams, timed
from tools.bench.shadow_load import app, quantile
from tools.bench.shadow_servers import stub


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert quantile([5.0], 0.999) == 5.0
    assert quantile([], 0.5) != quantile([], 0.5)  # nothing measured is no number


@pytest.mark.slow
def test_an_app_keeps_its_rate_and_counts_what_fails() -> None:
    def observe(number: int) -> None:
        if number % 10 == 0:
            raise RuntimeError

    load = asyncio.run(app(200, 0.5, observe))
    assert len(load.latency_ms) + load.failed == pytest.approx(100, abs=15)
    assert load.failed == pytest.approx(10, abs=2)
    assert min(load.latency_ms) >= 5


@pytest.mark.slow
def test_the_stub_and_its_clients() -> None:
    with stub("primary") as (address, turn):
        port = int(address.rsplit(":", 1)[1])
        rate, failed = timed(flat_out(port, 4, 0.5))
        assert (rate > 0, failed) == (True, 0)
        load = timed(steady(port, 50, 0.4))
        assert (len(load.latency_ms), load.moved_ms, load.failed) == (20, [], 0)
        before = turn("overloaded")
        assert before >= 20
        assert timed(steady(port, 50, 0.2)).failed == 10
        assert turn("primary") == before + 10


def test_the_bare_proxy_forwards() -> None:
    with stub("primary") as (address, _), bare_proxy(address) as port:
        load = timed(steady(port, 50, 0.2))
    assert (len(load.latency_ms), load.failed) == (10, 0)


@pytest.mark.slow
def test_streams_run_at_once() -> None:
    with stub("primary") as (address, _):
        load = timed(streams(int(address.rsplit(":", 1)[1]), 20))
    assert (len(load.latency_ms), load.failed) == (20, 0)
