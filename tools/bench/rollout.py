"""`scripts/bench rollout`: what the router costs, how soon a rollback is everywhere, and what the guardrails see.

Ramps are simulated (`tools.bench.ramps`) with the plan, the cells and the thresholds of `rollout=default`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tools.bench.checkout import environment
from tools.bench.ramp_tables import LOOKS_A_DAY, tables
from tools.bench.report import Goal, Report
from zantara_exp.config.rollout import Rollout
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.rollout.moves import rolled_back
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.ramp import GUARDRAILS, Order
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import FileStore, Store

RAMPS = 200
REPLICAS, ROUNDS = 4, 10
_DECISIONS = 200_000
_URL = "ROLLOUT_DATABASE_URL"
_REPLICA = """
import sys, time
from pathlib import Path
from zantara_exp.config.rollout import Rollout
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.store import FileStore
kind, where = sys.argv[1:]
store = PostgresStore("ROLLOUT_DATABASE_URL", Path(where)) if kind == "postgres" else FileStore(Path(where))
router, had = Router(store, Rollout(categories=["casual"]), "e1"), False
while True:
    has = router.decide("user", "casual").candidate
    if has != had:
        print(time.time(), int(has), flush=True)
        had = has
    time.sleep(0.005)
"""


def run(size: int | None, seed: int) -> Report:
    """Measure; `size` ramps per scenario."""
    began = time.monotonic()
    goals: list[Goal] = []
    found = [_router(goals), _replicas(goals), *tables(size or RAMPS, seed, goals)]
    intro = (
        f"The router of one process, {REPLICAS} processes that watch one state, and {size or RAMPS} simulated ramps "
        "per row: four weeks, 100 requests a day of each arm where no other number is given, ICC 0.2, the shipped "
        f"guardrails all at once, looked at every {24 // LOOKS_A_DAY} hours, and every hour for outages. Hurt are "
        "users of the candidate who met what was bad, from the change to the rollback."
    )
    return Report("rollout", "scripts/bench rollout", intro, found, goals, time.monotonic() - began)


def _router(goals: list[Goal]) -> Table:
    terminal.say("router")
    users = [f"user-{number}" for number in range(5000)]
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder) / "state.json")
        store.swap(State(), _running())
        with closing(Router(store, Rollout(categories=["casual"]), "e1")) as router:
            decide, clock = router.decide, time.perf_counter_ns
            for user in users:
                decide(user, "casual")
            took = np.empty(_DECISIONS)
            for place in range(_DECISIONS):
                user = users[place % len(users)]
                start = clock()
                decide(user, "casual")
                took[place] = clock() - start
    p50, p99, most = np.quantile(took, [0.5, 0.99, 0.999]) / 1000
    goals.append(Goal("router: p99 of a decision, us", round(float(p99), 1), None, 20))
    rows = [["one decision", f"p50 {p50:.1f} us, p99 {p99:.1f} us, p99.9 {most:.1f} us"]]
    return Table(f"router, {_DECISIONS:,} decisions while its state is read twice a second", ["", ""], rows)


def _running() -> State:
    return State(RUNNING, 3, 100.0, "e1", "g1", "2025-11-02", datetime(2025, 11, 3, tzinfo=UTC))


def _replicas(goals: list[Goal]) -> Table:
    from zantara_exp.dataset import embedded

    rows = []
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103  the embedded server runs as another account
        place = Path(folder)
        rows.append(_rollbacks("file", FileStore(place / "state.json"), place / "state.json", goals))
        with embedded.server(place) as server:
            server.create_database("rollout")
            before, os.environ[_URL] = os.environ.get(_URL), server.conninfo("rollout")
            try:
                key = place / "signing_key"
                rows.append(_rollbacks("postgres", PostgresStore(_URL, key), key, goals))
            finally:
                os.environ.pop(_URL) if before is None else os.environ.update({_URL: before})
    return Table(f"a rollback as {REPLICAS} processes see it", ["state", "seconds from the decision"], rows)


def _rollbacks(name: str, store: Store, where: Path, goals: list[Goal]) -> list[str]:
    """Roll back again and again; how long it took until the last replica no longer served the candidate."""
    terminal.say(f"rollbacks, state={name}")
    slowest = []
    with _replicas_of(name, where) as replicas, closing(store):
        for _ in range(ROUNDS):
            seen = store.read()
            store.swap(seen, replace(_running(), version=seen.version))
            for replica in replicas:
                _told(replica, serving=True)
            decided = time.time()
            rolled_back(store, Order(GUARDRAILS, "bench", datetime.now(UTC)))
            slowest.append(max(_told(replica, serving=False) for replica in replicas) - decided)
    goals.append(Goal(f"rollback: seen by {REPLICAS} replicas, state={name}, slowest of {ROUNDS}, s",
                      round(max(slowest), 2), None, 5))  # fmt: skip
    return [name, f"median {np.median(slowest):.2f}, slowest {max(slowest):.2f} of {ROUNDS}"]


@contextmanager
def _replicas_of(name: str, where: Path) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-c", _REPLICA, name, str(where)]
    pipe = subprocess.PIPE
    replicas = [subprocess.Popen(command, env=environment(), stdout=pipe, text=True) for _ in range(REPLICAS)]  # noqa: S603
    try:
        yield replicas
    finally:
        for replica in replicas:
            replica.kill()
            replica.communicate()


def _told(replica: subprocess.Popen[str], serving: bool) -> float:
    """When a replica began or ceased to serve the candidate."""
    assert replica.stdout is not None  # noqa: S101  asked for above
    moment, has = replica.stdout.readline().split()
    if int(has) != int(serving):
        raise RuntimeError("a replica missed a change")
    return float(moment)
