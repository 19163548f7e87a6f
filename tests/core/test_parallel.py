"""Rollouts on all cores: the same figures, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.gates.test_config import shipped
from zantara_exp.core import parallel
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.parallel import in_order, spread_over_cores
from zantara_exp.gates import operating
from zantara_exp.gates.operating import Plan, at_go, simulate

pytestmark = pytest.mark.interpreter


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "available", lambda: 2)


def test_processes_find_what_one_process_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "_WORTH_SPREADING", 0)
    plan = Plan(shipped("daily"), 14, 400, 7)
    cases = at_go(plan.gate)
    with spread_over_cores() as spread:
        spread_out = simulate(plan, cases, spread)
    for one, other in zip(spread_out, simulate(plan, cases), strict=True):
        np.testing.assert_array_equal(one.go_day, other.go_day)
        np.testing.assert_array_equal(one.no_go_day, other.no_go_day)
    assert len(plan.parts()) > 2


def test_what_goes_wrong_in_a_process_is_raised_and_ends_none() -> None:
    with spread_over_cores() as spread:
        with pytest.raises(ZeroDivisionError):
            list(spread(partial(divmod, 1), [1, 0]))
        assert list(spread(abs, [-1, 2, -3])) == [1, 2, 3]


def test_a_process_that_is_killed_is_said() -> None:
    with pytest.raises(ZantaraError, match="was killed; is the memory full"), spread_over_cores() as spread:
        list(spread(os._exit, [1]))


def test_one_core_takes_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "available", lambda: 1)
    with spread_over_cores() as spread:
        assert spread is map


def test_a_stream_is_taken_a_few_items_ahead_and_kept_in_order() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield -number

    made = in_order(abs, items(), "counts")
    assert next(made) == 0
    assert len(taken) <= 7
    assert list(made) == list(range(1, 100))


def test_a_stream_that_is_left_early_leaves_no_process() -> None:
    made = in_order(_process, range(1000), "counts")
    working = next(made)
    made.close()
    assert working != os.getpid()
    assert not running(working)


def test_a_killed_process_of_a_stream_says_what_it_did() -> None:
    with pytest.raises(ZantaraError, match="a process that counts sheep was killed"):
        list(in_order(os._exit, [1], "counts sheep"))


@pytest.mark.slow  # loky gives a worker whose asker is gone half a minute
def test_processes_end_with_the_one_that_asks() -> None:
    program = (
        "import time\n"
        "from zantara_exp.core import parallel\n"
        "parallel.available = lambda: 2\n"
        "with parallel.spread_over_cores() as spread:\n"
        "    print(*spread(eval, ['__import__(\"os\").getpid()']), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        working = int(asking.stdout.readline())
        assert working != asking.pid
        assert running(working)
        asking.send_signal(signal.SIGKILL)
    for _ in range(3000):
        if not running(working):
            break
        time.sleep(0.02)
    assert not running(working)


def _process(_: int) -> int:
    return os.getpid()


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
