"""Business metrics: SQL of the config over a real PostgreSQL, a baseline against now, judged by a gate."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tests.analysis import logs
from tests.dataset.conftest import open_folder
from zantara_exp.analysis.evidence import evidence
from zantara_exp.analysis.log import open_log
from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.gates.collect import collect
from zantara_exp.gates.evidence import EvidenceRequest, Missing, UserDays
from zantara_exp.gates.verdict import Verdict, judge_gate

USERS, BASELINE, NOW = 400, range(1, 15), range(15, 29)
FILL = """
create table conversations (user_id text, created_at timestamptz, metadata jsonb);
create table support_tickets (user_id text, created_at timestamptz);
insert into conversations
    select 'u' || u, '2025-10-01'::timestamptz + (d - 1) * interval '1 day' + interval '9 hours',
        jsonb_build_object('status', case when u % 10 = 0 then 'open' else 'completed' end)
    from generate_series(1, 400) u, generate_series(1, 28) d where (u + d) % 7 = 0;
insert into support_tickets select user_id, created_at from conversations where hashtext(user_id) % 25 = 0;
"""


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """`paths.state` with a running server: users who chat each seventh day, four in a hundred with tickets."""
    with open_folder() as folder, embedded.server(folder) as server:
        server.create_database("shop")
        with psycopg.connect(server.conninfo("shop"), autocommit=True) as connection:
            connection.execute("set timezone to 'UTC'")
            connection.execute(FILL)
        yield folder


@pytest.fixture
def shop(config: Config, state: Path) -> Config:
    """The declared queries of conf/source/postgres_business.yaml, over the embedded server."""
    made = copy.deepcopy(config)
    made.source = compose(["source=postgres_business"]).source
    made.source.kind, made.source.database = "embedded", "shop"
    made.source.business.since, made.source.business.baseline_days = "2025-10-15", 14
    made.paths.state = str(state)
    return made


def asked(config: Config, metric: str, until: str = "2025-10-28") -> UserDays | Missing:
    found = evidence([EvidenceRequest(metric)], date.fromisoformat(until), config, Layout(config))[0]
    assert isinstance(found, UserDays | Missing)
    return found


def judged(config: Config) -> Verdict:
    config.gate = compose(["gate=week1"]).gate
    config.gate.criteria = {"tickets": config.gate.criteria["tickets"]}
    config.gate.criteria["tickets"].required = True
    return judge_gate(config.gate, collect(config, Layout(config), date(2025, 10, 28)).seen)


def test_a_row_per_user_and_day_of_both_periods(shop: Config) -> None:
    found = asked(shop, "completion")
    assert isinstance(found, UserDays)
    arms = found.segments["arm"]
    assert found.trials.sum() == len([1 for u in range(1, 401) for d in (*BASELINE, *NOW) if (u + d) % 7 == 0])
    assert set(found.day[arms == "baseline"] - found.day.min()) == set(range(14))
    assert set(found.day[arms == "candidate"] - found.day.min()) == set(range(14, 28))
    for arm in ("baseline", "candidate"):
        share = found.total[arms == arm].sum() / found.trials[arms == arm].sum()
        assert share == pytest.approx(0.9, abs=0.001)
    back = asked(shop, "return_rate")
    assert isinstance(back, UserDays)
    assert back.total.sum() == back.trials.sum()  # each seventh day, and the last week is left out
    assert back.day.max() == found.day.max() - 7


def test_as_many_tickets_are_no_reason_to_stop(shop: Config) -> None:
    assert judged(shop).criteria[0].decision == "PASS"


def test_more_tickets_are(shop: Config, state: Path) -> None:
    more = "union all select user_id, created_at::date, 1 from conversations where created_at >= '2025-10-15'"
    declared = shop.source.business.queries["tickets"]
    shop.source.business.queries["tickets"] = declared.replace(") d group", f"{more} ) d group")
    assert judged(shop).verdict == "NO_GO"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select * from tickets_of_the_old_system", 'relation "tickets_of_the_old_system" does not exist'),
        ("drop table support_tickets", "syntax error"),
        ("select 1 as user_id", "gives no column day, trials, total"),
        ("select null as user_id, '2025-10-20'::date as day, 1 as trials, 0 as total", "lacks its user"),
        ("select 'u' as user_id, now() as day, 1 as trials, 0 as total", "its day is no date"),
        ("select 'u' as user_id, '2025-10-20'::date as day, 1 as trials, 0 as total", "no row from 2025-10-01"),
        ("select 'u' as user_id, '2025-10-02'::date as day, 1 as trials, 0 as total", "no row from 2025-10-15"),
        ("select 'u' as user_id, %(when)s as day, 1 as trials, 0 as total", "when"),
    ],
)
def test_what_cannot_be_read_is_missing_and_never_passes(shop: Config, query: str, why: str) -> None:
    shop.source.business.queries["tickets"] = query
    found = asked(shop, "tickets")
    assert isinstance(found, Missing)
    assert "source.business.queries.tickets" in found.reason
    assert why in found.reason
    assert judged(shop).verdict == "INCONCLUSIVE"


def test_nothing_declared_is_missing(config: Config) -> None:
    found = asked(config, "tickets")
    assert isinstance(found, Missing)
    assert "set source.business.queries.tickets" in found.reason


def test_a_source_without_a_database_is_missing(shop: Config) -> None:
    shop.source.kind = "jsonl"
    assert "has no database" in str(asked(shop, "tickets"))
    shop.source.kind = "postgres"
    assert "DATABASE_URL, which is not set" in str(asked(shop, "tickets"))


def test_the_log_is_opened_where_it_is_needed_and_then_once(
    shop: Config, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source.business.queries, shop.log.name, shop.log.url_env = {}, "postgres", "NOWHERE_URL"
    assert "no business metrics source" in str(asked(shop, "tickets"))  # and nothing of a log that cannot be had
    opened = []
    counted = "zantara_exp.analysis.evidence.open_log"
    monkeypatch.setattr(counted, lambda *given: opened.append(given) or open_log(*given))
    shop.log.name = "jsonl"
    logs.write(layout.logs, logs.Plan(days=4, per_day=5))
    requests = [EvidenceRequest("success"), EvidenceRequest("similar"), EvidenceRequest("tickets")]
    found = evidence(requests, date(2025, 10, 28), shop, layout)
    assert [type(each) for each in found] == [UserDays, UserDays, Missing]
    assert len(opened) == 1


def test_now_begins_with_the_epoch(shop: Config, layout: Layout) -> None:
    """Without `since` the comparison log says it: its newest epoch's first day."""
    shop.source.business.since = None
    assert "holds no comparison" in str(asked(shop, "tickets"))
    logs.write(layout.logs, logs.Plan(days=4, per_day=5))
    found = asked(shop, "tickets")
    assert isinstance(found, UserDays)
    first = (date(2025, 10, 20) - date(1970, 1, 1)).days
    assert found.day[found.segments["arm"] == "candidate"].min() == first
    assert found.day.max() == first + 3
    assert found.epoch == "e2"
    shop.source.business.since = "2025-11-20"
    assert "lies after the last day" in str(asked(shop, "tickets"))
