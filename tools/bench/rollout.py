"""`scripts/bench rollout`: what the router costs, how soon a rollback is everywhere, and what the guardrails see.

Ramps are simulated (`bench.ramps`) with the plan, the cells and the thresholds of `rollout=default`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tools.bench.checkout import environment
from tools.bench.ramps import USUAL, Ending, Ramp, plan_of_default, play
from tools.bench.report import Goal, Report
from zantara_exp import terminal
from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.operating import standard_error
from zantara_exp.rollout.moves import rolled_back
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.ramp import GUARDRAILS, Order
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.state import RUNNING, State
from zantara_exp.rollout.store import FileStore, Store
from zantara_exp.stage import Table

RAMPS = 200
LOOKS_A_DAY = 4
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
store = PostgresStore("ROLLOUT_DATABASE_URL") if sys.argv[1] == "postgres" else FileStore(Path(sys.argv[1]))
router, had = Router(store, Rollout(), "e1"), False
while True:
    has = router.decide("user", "casual").candidate
    if has != had:
        print(time.time(), int(has), flush=True)
        had = has
    time.sleep(0.005)
"""
BAD = {
    "99 % answered by the candidate, 85 % from day 14 on": Ramp({"fallback": 0.01}, {"fallback": 0.15}, 14),
    "99 % answered at all, 85 % from day 14 on": Ramp({"error": 0.01}, {"error": 0.15}, 14),
    "85 % answered by the candidate from the start": Ramp({"fallback": 0.15}, {"fallback": 0.15}),
    "98 % fast, 85 % from day 14 on": Ramp({"slow": 0.02}, {"slow": 0.15}, 14),
    "70 % in Indonesian alone, from day 10 on": Ramp({}, {"fallback": 0.3}, 10, "id"),
    "an outage in the night after day 16": Ramp({}, {"fallback": 0.999}, 16.4),
}
GOOD = {
    "as good as usual (99 % answered by the candidate, 98 % fast)": Ramp(),
    "at two limits all the time (95 % answered, 95 % fast)": Ramp({"fallback": 0.05, "slow": 0.05}),
}


def run(size: int | None, seed: int) -> Report:
    """Measure; `size` ramps per scenario."""
    began = time.monotonic()
    goals: list[Goal] = []
    tables = [_router(goals), _replicas(goals), *_ramps(size or RAMPS, seed, goals)]
    intro = (
        f"The router of one process, {REPLICAS} processes that watch one state, and {size or RAMPS} simulated ramps "
        "per row: four weeks, 100 requests a day of each arm, ICC 0.2, the shipped guardrails all at once, looked at "
        f"every {24 // LOOKS_A_DAY} hours. Hurt are users of the candidate who met what was bad, from the change to "
        "the rollback."
    )
    return Report("rollout", "scripts/bench rollout", intro, tables, goals, time.monotonic() - began)


def _router(goals: list[Goal]) -> Table:
    terminal.say("router")
    users = [f"user-{number}" for number in range(5000)]
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder) / "state.json")
        store.swap(State(), _running())
        with closing(Router(store, Rollout(), "e1")) as router:
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
        rows.append(_rollbacks("file", FileStore(place / "state.json"), str(place / "state.json"), goals))
        with embedded.server(place) as server:
            server.create_database("rollout")
            before, os.environ[_URL] = os.environ.get(_URL), server.conninfo("rollout")
            try:
                rows.append(_rollbacks("postgres", PostgresStore(_URL), "postgres", goals))
            finally:
                os.environ.pop(_URL) if before is None else os.environ.update({_URL: before})
    return Table(f"a rollback as {REPLICAS} processes see it", ["state", "seconds from the decision"], rows)


def _rollbacks(name: str, store: Store, where: str, goals: list[Goal]) -> list[str]:
    """Roll back again and again; how long it took until the last replica no longer served the candidate."""
    terminal.say(f"rollbacks, state={name}")
    slowest = []
    with _replicas_of(where) as replicas, closing(store):
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
def _replicas_of(where: str) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-c", _REPLICA, where]
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


def _ramps(ramps: int, seed: int, goals: list[Goal]) -> list[Table]:
    plan = plan_of_default()
    bad_rows, good_rows = [], []
    for number, (what, ramp) in enumerate(BAD.items()):
        endings = _endings(what, ramp, plan, ramps, [seed, number])
        missed = ramps - len(endings)
        goals.append(Goal(f"bad ramps not rolled back: {what}", missed, None, 0))
        bad_rows.append([what, f"{len(endings)} of {ramps}", *_described(endings, ramp)])
    for number, (what, ramp) in enumerate(GOOD.items()):
        endings = _endings(what, ramp, plan, ramps, [seed, 100 + number])
        share = len(endings) / ramps
        goals.append(Goal(f"good ramps rolled back: {what}", share, standard_error(share, ramps), 0.05, "%"))
        good_rows.append([what, f"{len(endings)} of {ramps}", _by(endings)])
    usual = ", ".join(f"{name} {100 * share:g} %" for name, share in USUAL.items())
    head = ["candidate", "rolled back", "days after the change", "users hurt", "by"]
    return [
        Table(f"bad ramps (else: {usual})", head, bad_rows),
        Table("good ramps", ["candidate", "rolled back", "by"], good_rows),
    ]


def _endings(what: str, ramp: Ramp, plan: Rollout, ramps: int, seed: list[int]) -> list[Ending]:
    terminal.say(what)
    rng = np.random.default_rng(seed)
    found = [play(ramp, plan, LOOKS_A_DAY, rng) for _ in range(ramps)]
    return [ending for ending in found if ending is not None]


def _described(endings: list[Ending], ramp: Ramp) -> list[str]:
    if not endings:
        return ["-", "-", "-"]
    days = [ending.day - ramp.change for ending in endings]
    hurt = [ending.hurt for ending in endings]
    return [
        f"median {np.median(days):.1f}, last {max(days):.1f}",
        f"median {np.median(hurt):.0f}, most {max(hurt)}",
        _by(endings),
    ]


def _by(endings: list[Ending]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(ending.by for ending in endings).most_common(3))
