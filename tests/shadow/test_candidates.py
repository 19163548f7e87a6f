"""Several candidates on one sample: the same requests, one log, each with its own worker, breaker and budget."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.composing import composed
from tests.endpoints.servers import raw_server, response
from tests.forked import start
from tests.shadow.examples import read_folder
from tests.shadow.recorded import Candidate, conversation, record, run
from tests.shadow.test_mirror import ANSWER, dropped, logged
from zantara_exp.config.candidates import candidates, resolved
from zantara_exp.core import clock
from zantara_exp.core.errors import ConfigError
from zantara_exp.io.ledger import Ledger
from zantara_exp.shadow.mirror import ChatRequest, ShadowMirror
from zantara_exp.shadow.record import Comparison

pytestmark = pytest.mark.usefixtures("workdir")


@pytest.fixture(autouse=True, scope="module")
def _forks() -> None:
    """Before any mirror begins: its threads would start the server at once, which works in another folder meanwhile."""
    start()


SETTINGS = ("endpoint=openai", "endpoint.base_url=http://there", "endpoint.model=m", "endpoint.stream=false")
LIVE = ("shadow=live", "shadow.traffic_percent=100", "shadow.drain_seconds=300", "endpoint.timeout_seconds=60")


PAID = (
    b'{"choices": [{"message": {"content": "Ciao"}, "finish_reason": "stop"}], "model": "claude-haiku-4-5",'
    b' "usage": {"prompt_tokens": 9, "completion_tokens": 1}}'
)


def other(url: str, **more: object) -> dict[str, object]:
    return {"kind": "openai", "base_url": url, "model": "other", "stream": False, "timeout_seconds": 60.0, **more}


class Paid(Candidate):
    """Whose answers say what they used: at claude-haiku-4-5's prices USD 0.000014 each."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = response(PAID)


def mirrored(url: str, others: dict[str, object], count: int, *overrides: str) -> ShadowMirror:
    config = composed(*SETTINGS, *LIVE, *overrides)
    config.endpoint.base_url, config.endpoints = url, dict(resolved(others))
    mirror = ShadowMirror(config)
    for number in range(count):
        mirror.observe(ChatRequest("Ciao, come stai?", user_id=f"user-{number}", request_id=f"r-{number}"), ANSWER)
    asyncio.run(mirror.close())
    return mirror


def test_all_answer_the_same_requests_in_one_log_and_none_is_a_double() -> None:
    said = {"openai": "Uno", "v2": "Due", "v3": "Tre"}
    one, two, three = (raw_server(Candidate(text)) for text in said.values())
    with one as first, two as second, three as third:
        mirror = mirrored(first, {"v2": other(second), "v3": other(third, model="third")}, 5)
    rows = logged()
    by_request: dict[str, dict[str, Comparison]] = {}
    for row in rows:
        by_request.setdefault(row.request_id, {})[row.candidate.provider or ""] = row
    assert len(rows) == len({row.comparison_id for row in rows}) == 15
    assert [sorted(each) for each in by_request.values()] == [["openai", "v2", "v3"]] * 5
    assert all(len({row.timestamp for row in each.values()}) == 1 for each in by_request.values())
    assert {row.candidate.provider: row.candidate.response for row in rows} == said
    assert len({row.epoch for row in rows}) == 3
    assert [mirror.stats.compared, *(each.compared for each in mirror.others.values())] == [5, 5, 5]


def test_one_that_fails_opens_its_own_breaker_alone() -> None:
    with raw_server(Candidate()) as one, raw_server(Candidate(status="500 Broken")) as two:
        more = {"breaker": {"failures": 2, "cooldown_seconds": 600.0}, "concurrency": 1}
        mirror = mirrored(one, {"v2": other(two, **more)}, 8)
    errors = Counter((row.candidate.provider, row.candidate.error) for row in logged())
    assert errors == {("openai", None): 8, ("v2", "server_error"): 2, ("v2", "breaker_open"): 6}
    assert (mirror.stats.breaker, mirror.others["v2"].breaker) == ("closed", "open")


def test_what_the_day_does_not_pay_for_is_dropped_as_budget_over_all_processes_on_the_folder() -> None:
    paid = other("http://there", model="claude-haiku-4-5", billing="tokens", concurrency=1)
    day = clock.now().date().isoformat()
    Ledger(Path("logs/shadow_mode/spent") / f"{day}.jsonl").pay(day, 0.9, "v2")  # by another gateway
    with raw_server(Candidate()) as one, raw_server(Paid()) as two:
        mirror = mirrored(one, {"v2": {**paid, "base_url": two}}, 6, "shadow.max_usd_per_day=0.900029")
    compared = Counter(row.candidate.provider for row in logged())
    assert compared["openai"] == 6, mirror.stats  # whose fee is flat
    assert (compared["v2"], mirror.others["v2"].dropped, dropped()) == (2, {"budget": 4}, {"budget": 4})


def test_a_replay_that_may_pay_no_more_goes_on_the_next_day(monkeypatch: pytest.MonkeyPatch) -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(6)], train_users=["u-9"])
    with raw_server(Paid()) as url:
        told = [*SETTINGS[:1], f"endpoint.base_url={url}", *SETTINGS[2:], "endpoint.concurrency=1"]
        told += ["endpoint.model=claude-haiku-4-5", "endpoint.billing=tokens", "shadow.max_usd_per_day=0.00003"]
        first = run(*told)
        assert first.summary["not asked"] == "4: shadow.max_usd_per_day is spent; the next run asks for them"
        tomorrow = clock.now().replace(year=clock.now().year + 1)
        monkeypatch.setattr(clock, "now", lambda: tomorrow)
        second = run(*told)
    assert [first.summary["comparisons"].split(" (")[1], second.summary["comparisons"].split(" (")[1]] == ["2 new)"] * 2
    assert len(list(read_folder(Path("logs/shadow_mode"), str))) == 4


def test_a_replay_asks_each_of_them_for_what_is_missing() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(4)], train_users=["u-9"])
    with raw_server(Candidate()) as one, raw_server(Candidate("Altro")) as two:
        told = [*SETTINGS[:1], f"endpoint.base_url={one}", *SETTINGS[2:]]
        run(*told)
        both = run(*told, f"+endpoints.v2={{use: openai, base_url: '{two}', model: n, stream: false}}")
    rows = logged()
    assert Counter(row.candidate.provider for row in rows) == {"openai": 4, "v2": 4}
    assert len({row.request_id for row in rows}) == 4
    assert [row[0] for row in both.tables[0].rows] == ["openai", "v2"]
    assert both.metrics["v2/success_rate"] == 1.0


def test_a_live_primary_is_asked_once_whoever_else_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record([conversation(number, f"Ciao {number}", "Ciao!") for number in range(3)], train_users=["u-9"])
    primary = Candidate("Primario")
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", str(tmp_path / "own"))
    (tmp_path / "own" / "endpoint").mkdir(parents=True)
    with raw_server(primary) as asked, raw_server(Candidate()) as one, raw_server(Candidate()) as two:
        said = f"name: prod\nkind: openai\nbase_url: {asked}\nmodel: p\nstream: false\nconcurrency: 1\n"
        (tmp_path / "own" / "endpoint" / "prod.yaml").write_text(said)
        told = [*SETTINGS[:1], f"endpoint.base_url={one}", *SETTINGS[2:], "primary=anthropic", "primary.endpoint=prod"]
        told += ["primary.aa_percent=0", f"+endpoints.v2={{use: openai, base_url: '{two}', model: n, stream: false}}"]
        run(*told)
    assert {row.primary.response for row in logged()} == {"Primario"}
    assert (len(logged()), primary.calls) == (6, 3)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("+endpoints={v2: nowhere}", "no such option of conf/endpoint"),
        ("+endpoints={v2: {use: openai, modle: x}}", "endpoints.v2.modle=x: no such key; did you mean model"),
        ("+endpoints={openai: anthropic}", "other than endpoint.name=openai"),
        ("+endpoints={v2: {use: openai, timeout_seconds: 0}}", "endpoints.v2.timeout_seconds=0: must be above 0"),
        ("+endpoints={v2: 3}", "must be an option of conf/endpoint, or settings such as"),
        ("candidate=v9", "candidate=v9: is no candidate"),
        ("rollout.candidate=v9", "rollout.candidate=v9: is no candidate"),
        ("+gate.alpha_shares={v2: 1.0}", "must give each of openai a part above 0"),
    ],
)
def test_mistakes_are_named(said: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why.replace("(", r"\(")):
        composed("stage=shadow", "endpoint=openai", said)


def test_two_that_are_the_same_are_refused() -> None:
    with pytest.raises(ConfigError, match="openai and v2 are the same model, address and settings"):
        run(*SETTINGS, "+endpoints.v2={use: openai, base_url: 'http://there', model: m}")


def test_one_alone_is_its_own_config() -> None:
    config = composed("stage=shadow", "endpoint=openai")
    assert candidates(config) == {"openai": config}
