import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.composing import composed
from tests.endpoints.servers import raw_server
from tests.shadow.examples import read_folder
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.core.errors import ConfigError, MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.cost.usage import Usage
from zantara_exp.shadow.identity import warn_once
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror
from zantara_exp.shadow.record import ONLY_PRIMARY, Comparison, Scope

pytestmark = pytest.mark.usefixtures("workdir")

ROOT = Path(__file__).resolve().parents[2]
ANSWER = PrimaryAnswer("Ciao! Come va?", model="claude-3-5-haiku", provider="anthropic", latency_ms=800.0)


def opened(url: str, *overrides: str) -> ShadowMirror:
    """A mirror of everybody's requests, with patience for a machine that does much else."""
    settings = ["endpoint.base_url=http://there", "endpoint.model=m", "endpoint.stream=false"]
    settings += ["shadow.traffic_percent=100", "endpoint.timeout_seconds=60", "shadow.drain_seconds=120"]
    config = composed("endpoint=openai", "shadow=live", *settings, *overrides)
    config.endpoint.base_url = url
    return ShadowMirror(config)


def observe(mirror: ShadowMirror, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        mirror.observe(ChatRequest("Ciao, come stai?", user_id=f"user-{number}", request_id=f"r-{number}"), ANSWER)


def logged() -> list[Comparison]:
    return [row for row in read_folder(Path("logs/shadow_mode"), str) if isinstance(row, Comparison)]


def given_id(row: Comparison) -> str:
    """The id that the app gave the request."""
    return row.request_id.split(".")[0]


def dropped() -> Counter[str]:
    total: Counter[str] = Counter()
    for row in read_folder(Path("logs/shadow_mode"), str):
        total.update(row.dropped)
    return total


def test_a_mirror_that_nobody_holds_any_more_finishes_and_leaves_no_worker() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url)
        link = mirror._link
        observe(mirror, 3)
        del mirror
        wait_for(lambda: link._thread is not None and not link._thread.is_alive())
        assert not link._worker.alive
    assert len(logged()) == 3


def test_three_lines_in_an_app() -> None:
    async def app(url: str) -> ShadowMirror:
        shadow = opened(url, "shadow.out_of_scope=true")
        history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello! I am anna@example.org"}]
        request = ChatRequest(
            "How do I get a KITAS visa?", "user-1", history, memory_context="The user is called Anna."
        )
        shadow.observe(request, ANSWER)
        await shadow.close()
        return shadow

    with raw_server(Candidate("You apply online.")) as url:
        mirror = asyncio.run(app(url))
    (row,) = logged()
    assert [message["role"] for message in row.messages] == ["system", "user", "assistant", "user"]
    assert row.messages[0]["content"].endswith("The user is called Anna.")
    assert row.messages[2]["content"] == "Hello! I am [EMAIL_1]"
    assert (row.category, row.language, row.scope) == ("business", "en", Scope(False, "category_business"))
    assert row.user != "user-1"
    assert len(row.user) == 16
    assert (row.primary.response, row.primary.provider, row.primary.latency_ms) == (ANSWER.text, "anthropic", 800.0)
    assert (row.candidate.response, row.candidate.error) == ("You apply online.", None)
    stats = mirror.stats
    assert (stats.observed, stats.sampled, stats.compared, dict(stats.dropped)) == (1, 1, 1, {})


def test_a_hash_key_of_this_machine_alone_is_warned_of_once_and_can_be_given_to_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mirrored(url: str, number: int) -> None:
        mirror = opened(url)
        mirror.observe(ChatRequest("Ciao, come stai?", user_id="user-1", request_id=f"r-{number}"), ANSWER)
        asyncio.run(mirror.close())

    with raw_server(Candidate()) as url:
        mirrored(url, 1)
        mirrored(url, 2)
        warnings = [record.getMessage() for record in caplog.records if "ZANTARA_HASH_KEY" in record.getMessage()]
        assert len(warnings) == 1
        assert f"hashed with the key in {Path('.zantara/hash_key').absolute()}" in warnings[0]
        monkeypatch.setenv("ZANTARA_HASH_KEY", Path(".zantara/hash_key").read_text().strip())
        warn_once.cache_clear()
        caplog.clear()
        mirrored(url, 3)
    assert "ZANTARA_HASH_KEY" not in caplog.text
    assert len({row.user for row in logged()}) == 1


def test_what_an_app_says_of_a_request_names_nobody_and_makes_no_two_comparisons_one() -> None:
    phone, mail = "whatsapp:+393331234567", "bob@example.com-1"
    with raw_server(Candidate()) as url:
        mirror = opened(url, "shadow.categories=[business]")
        for _ in range(2):
            asked = ChatRequest(
                "Ciao", "u", category="Business", language="Mario", conversation_id=phone, request_id=mail
            )
            mirror.observe(asked, ANSWER)
        mirror.observe(ChatRequest("How do I get a KITAS visa?", "u", category="+39333", conversation_id="c-1"), ANSWER)
        asyncio.run(mirror.close())
    first, second, third = sorted(logged(), key=lambda row: row.timestamp)
    assert {(row.category, row.language, row.conversation_id) for row in (first, second)} == {
        ("business", "it", first.conversation_id)
    }
    assert given_id(first) == given_id(second)
    assert len({row.comparison_id for row in logged()}) == len({row.request_id for row in logged()}) == 3
    assert (third.category, third.conversation_id) == ("business", "c-1")
    text = "".join(path.read_text() for path in Path("logs/shadow_mode").iterdir())
    assert not any(said in text for said in ("whatsapp", "393331234567", "bob", "Mario", "+39333"))


def test_what_is_sampled_is_compared_or_dropped_and_says_why() -> None:
    candidate = Candidate()
    candidate.holding = True
    observed = 0

    def enough() -> bool:
        nonlocal observed
        observe(mirror, 100, first=observed)
        observed += 100
        return candidate.calls == 2 and mirror.stats.dropped.get("queue_full", 0) > 100

    with raw_server(candidate) as url:
        mirror = opened(url, "shadow.queue_requests=20", "endpoint.concurrency=2")
        wait_for(enough)
        candidate.holding = False
        asyncio.run(mirror.close())
    drops = dropped()
    assert set(drops) == {"queue_full"}
    assert len(logged()) + drops.total() == observed
    assert candidate.most_at_once == 2
    assert mirror.stats.compared == len(logged())
    assert mirror.stats.dropped == drops


def test_sampling_is_sticky_by_user() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url, "shadow.traffic_percent=30", "endpoint.concurrency=32")
        for _ in range(3):
            observe(mirror, 200)
        asyncio.run(mirror.close())
    counts = Counter(row.user for row in logged())
    assert set(counts.values()) == {3} or mirror.stats.dropped
    assert 30 < len(counts) < 90


@pytest.mark.parametrize("how", ["variable", "file"])
def test_a_kill_switch_gives_up_what_is_in_flight_and_lets_in_again(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Path(".zantara/shadow_mode")

    def turn(on: bool) -> None:
        if how == "variable":
            monkeypatch.setenv("SHADOW_MODE_ENABLED", "true" if on else "false")
        else:
            state.write_text("on\n" if on else "off\n")

    candidate = Candidate()
    candidate.holding = True
    with raw_server(candidate) as url:
        mirror = opened(url, "endpoint.concurrency=4")
        observe(mirror, 60)
        wait_for(lambda: candidate.calls == 4)
        turn(on=False)
        wait_for(lambda: mirror.stats.dropped == {"disabled": 60} and mirror.stats.in_flight == 0)
        assert not mirror.stats.enabled
        observe(mirror, 50)
        assert candidate.calls == 4
        candidate.holding = False
        turn(on=True)
        wait_for(lambda: mirror.stats.enabled)
        observe(mirror, 5, first=1000)
        asyncio.run(mirror.close())
    assert {given_id(row) for row in logged()} == {f"r-{number}" for number in range(1000, 1005)}
    assert (candidate.calls, mirror.stats.sampled) == (9, 65)
    assert dropped() == {"disabled": 60}


def test_what_a_request_waits_for_the_candidate_is_logged_and_the_start_of_the_worker_is_not() -> None:
    with raw_server(Candidate(seconds=0.3)) as url:
        mirror = opened(url, "endpoint.concurrency=1")
        observe(mirror, 1)
        wait_for(lambda: mirror.stats.compared == 1)
        observe(mirror, 4, first=1)
        asyncio.run(mirror.close(deadline_seconds=60))
    waited = [row.candidate.waited_ms for row in logged()]
    assert waited[0] == 0.0
    assert all(later is not None and later >= 280 * place for place, later in enumerate(waited[1:]))


def test_switched_off_from_the_start_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "False")
    candidate = Candidate()
    with raw_server(candidate) as url:
        mirror = opened(url)
        observe(mirror, 10)
        asyncio.run(mirror.close())
    assert candidate.calls == 0
    assert mirror.stats.observed == 10


def test_nothing_that_is_observed_raises() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url)
        mirror.observe(None, None)  # type: ignore[arg-type]
        mirror.observe(ChatRequest(5, "u"), ANSWER)  # type: ignore[arg-type]
        mirror.observe(ChatRequest("a", "u", history=["x"]), ANSWER)  # type: ignore[list-item]
        mirror.observe(ChatRequest("a", "u", history=[{"role": "user", "content": object()}]), ANSWER)  # type: ignore[dict-item]
        mirror.observe(ChatRequest("\ud800", "\ud800"), ANSWER)
        mirror.observe(ChatRequest("x" * 5_000_000, "u"), ANSWER)  # too long to be moved
        mirror.observe(ChatRequest("Ciao", "u"), replace(ANSWER, text="x" * 5_000_000))
        mirror.observe(ChatRequest("Ciao", "u"), PrimaryAnswer("", error="timeout"))
        asyncio.run(mirror.close())
        mirror.observe(ChatRequest("Ciao", "u"), ANSWER)  # after closing
    assert sorted((row.scope.why_not or "", row.primary.error or "") for row in logged()) == [
        ("", "timeout"),
        ("long", ""),
    ]
    assert mirror.stats.dropped["too_large"] == 1
    assert mirror.stats.dropped["shutdown"] == 1
    assert mirror.stats.dropped["unreadable"] >= 4


def test_numbers_and_uuids_are_users_by_their_text() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url)
        ids = [1042, uuid.UUID(int=7)]
        for user in [*ids, *map(str, ids)]:
            mirror.observe(ChatRequest("Ciao", user, conversation_id="c-1", request_id="r-1"), ANSWER)  # type: ignore[arg-type]
        mirror.observe(ChatRequest("Ciao", None), ANSWER)  # type: ignore[arg-type]
        asyncio.run(mirror.close())
    assert sorted(Counter(row.user for row in logged()).values()) == [2, 2]
    assert mirror.stats.dropped == {"unreadable": 1}


FORKING = """
import asyncio, os, sys
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror

mirror = ShadowMirror.from_config(*sys.argv[1:])
mirror.lose("cut")
pids = []
for child in range(2):
    pid = os.fork()
    if pid == 0:
        for number in range(3):
            mirror.observe(ChatRequest("Ciao", f"u-{number}", request_id=f"c-{child}"), PrimaryAnswer("Ciao!"))
        asyncio.run(mirror.close())
        os._exit(mirror.stats.compared)
    pids.append(pid)
mirror.observe(ChatRequest("Ciao", "u-9", request_id="c-9"), PrimaryAnswer("Ciao!"))
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
asyncio.run(mirror.close())
"""


@pytest.mark.interpreter
def test_each_process_of_an_app_that_forks_mirrors_its_own_requests() -> None:
    settings = ["endpoint=openai", "shadow=live", "endpoint.model=m", "endpoint.stream=false"]
    settings += ["shadow.traffic_percent=100", "endpoint.timeout_seconds=60", "shadow.drain_seconds=120"]
    with raw_server(Candidate()) as url:
        command = [sys.executable, "-c", FORKING, *settings, f"endpoint.base_url={url}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "[3, 3]"
    assert Counter(given_id(row) for row in logged()) == {"c-0": 3, "c-1": 3, "c-9": 1}
    assert dropped() == {"cut": 1}


@pytest.mark.interpreter
def test_a_worker_that_dies_is_replaced_and_what_it_had_is_counted() -> None:
    candidate = Candidate()
    candidate.holding = True
    with raw_server(candidate) as url:
        mirror = opened(url, "endpoint.concurrency=4")
        observe(mirror, 40)
        wait_for(lambda: candidate.calls >= 4)
        os.kill(_worker(), signal.SIGKILL)
        wait_for(lambda: mirror.stats.restarts == 1)
        candidate.holding = False
        observe(mirror, 5, first=100)
        asyncio.run(mirror.close())
    assert {f"r-{number}" for number in range(100, 105)} <= {given_id(row) for row in logged()}
    assert dropped()["worker_died"] >= 4
    assert len(logged()) + dropped().total() == 45


def _worker() -> int:
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    (worker,) = {int(pid) for path in children for pid in path.read_text().split() if _is_worker(int(pid))}
    return worker


def _is_worker(pid: int) -> bool:
    return b"\0-m\0zantara_exp.shadow._worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()


_APP = """
import sys, time
from tests.shadow.test_mirror import observe, opened
mirror = opened(sys.argv[1], "endpoint.concurrency=8")
observe(mirror, 100)
while mirror.stats.queued or mirror.stats.in_flight < 8:
    time.sleep(0.05)
print("handed over", flush=True)
time.sleep(600)
"""


def test_a_killed_app_leaves_a_worker_that_finishes_and_ends() -> None:
    candidate = Candidate()
    candidate.holding = True
    with raw_server(candidate) as url:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _APP, url]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as app:
            assert app.stdout is not None
            assert app.stdout.readline() == "handed over\n"
            app.kill()
        candidate.holding = False
        wait_for(lambda: len(logged()) == 100)


def test_closing_keeps_its_deadline_and_counts_the_rest() -> None:
    candidate = Candidate()
    candidate.holding = True
    with raw_server(candidate) as url:
        mirror = opened(url, "endpoint.concurrency=2", "endpoint.timeout_seconds=600", "shadow.drain_seconds=600")
        observe(mirror, 30)
        started = time.monotonic()
        asyncio.run(mirror.close(deadline_seconds=1.0))
        assert time.monotonic() - started < 300  # half of what the call in flight would take
    assert dropped() == {"shutdown": 30}
    assert mirror.stats.dropped == {"shutdown": 30}


@pytest.mark.interpreter
def test_a_worker_that_has_to_be_killed_at_the_deadline_leaves_log_and_counts_that_agree() -> None:
    candidate = Candidate()
    with raw_server(candidate) as url:
        mirror = opened(url, "endpoint.concurrency=2", "shadow.queue_requests=20")
        observe(mirror, 10)
        wait_for(lambda: mirror.stats.compared == 10)
        candidate.holding = True
        observe(mirror, 2, first=10)
        wait_for(lambda: mirror.stats.in_flight == 2)
        assert os.getpriority(os.PRIO_PROCESS, _worker()) > os.getpriority(os.PRIO_PROCESS, 0)  # the app goes first
        os.kill(_worker(), signal.SIGSTOP)
        observe(mirror, 2000, first=100)
        asyncio.run(mirror.close(deadline_seconds=0.2))
    stats = mirror.stats
    assert (stats.sampled, stats.compared, len(logged())) == (2012, 10, 10)
    assert set(stats.dropped) == {"queue_full", "shutdown"}
    assert dropped() == stats.dropped
    assert dropped().total() == 2002


def test_categories_that_only_the_worker_can_tell_are_left_out_and_not_lost() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url, "shadow.categories=[business]")
        mirror.observe(ChatRequest("Ciao", "u1"), ANSWER)
        mirror.observe(ChatRequest("How do I get a KITAS visa?", "u2"), ANSWER)
        asyncio.run(mirror.close())
    assert [row.category for row in logged()] == ["business"]
    assert dropped() == mirror.stats.dropped == {}


TOOLS = {"tools": [{"name": "visa"}]}


def test_what_a_rollout_would_not_move_is_counted_with_its_cost_and_nobody_is_asked() -> None:
    paid = PrimaryAnswer("Certo!", "claude-haiku-4-5", "anthropic", Usage(100, output=20), 800.0)
    gone = PrimaryAnswer("", error="client_gone")
    candidate = Candidate()
    with raw_server(candidate) as url:
        mirror = opened(url)
        mirror.observe(ChatRequest("Ciao", "u1", options={"max_tokens": 256, "tools": []}), paid)
        mirror.observe(ChatRequest("Ciao", "u2", options=TOOLS, category="casual"), paid)
        mirror.observe(ChatRequest("How do I get a KITAS visa?", "u3"), paid)
        mirror.observe(ChatRequest("", "u4", unshowable="not_text"), paid)
        mirror.observe(ChatRequest("Ciao, come stai?", "u5"), gone)
        asyncio.run(mirror.close())
    assert candidate.calls == 1
    rows = {row.scope.why_not or row.primary.error or row.arm: row for row in logged()}
    assert rows["candidate"].scope == Scope(True)
    assert {name: row.scope.movable for name, row in rows.items() if row.arm == ONLY_PRIMARY} == {
        "tools": False, "category_business": False, "not_text": False, "client_gone": True
    }  # fmt: skip
    for name, row in rows.items():
        if row.arm == ONLY_PRIMARY:
            texts = row.query, row.primary.response, row.candidate.response, row.messages
            assert (texts, row.candidate.model) == (("", "", "", []), None)
            assert (row.primary.usage.input, row.primary.billed.usd is None) == (
                (None, True) if name == "client_gone" else (100, False)
            )
    assert (rows["tools"].category, rows["category_business"].language) == ("casual", "en")
    assert mirror.stats.set_aside == dict.fromkeys(["tools", "category_business", "not_text", "client_gone"], 1)
    assert (mirror.stats.sampled, mirror.stats.compared, mirror.stats.dropped) == (5, 1, {})


def test_what_is_out_of_scope_can_be_mirrored_for_looking_at() -> None:
    candidate = Candidate()
    with raw_server(candidate) as url:
        mirror = opened(url, "shadow.out_of_scope=true")
        mirror.observe(ChatRequest("Ciao", "u1", options=TOOLS), ANSWER)
        mirror.observe(ChatRequest("", "u2", unshowable="not_text"), ANSWER)  # nobody could be shown an image
        asyncio.run(mirror.close())
    assert candidate.calls == 1
    assert {(row.arm, row.scope.movable, row.scope.why_not) for row in logged()} == {
        ("candidate", False, "tools"), (ONLY_PRIMARY, False, "not_text")
    }  # fmt: skip


def test_a_candidate_that_is_away_is_a_failure_that_the_breaker_cuts_short() -> None:
    candidate = Candidate(status="503 Service Unavailable")
    with raw_server(candidate) as url:
        mirror = opened(url, "endpoint.concurrency=1", "endpoint.breaker.cooldown_seconds=3600")
        observe(mirror, 50)
        asyncio.run(mirror.close())
    assert candidate.calls == 5
    assert Counter(row.candidate.error for row in logged()) == {"overloaded": 5, "breaker_open": 45}
    assert mirror.stats.breaker == "open"


def test_a_config_that_cannot_work_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"shadow\.traffic_percent"):
        opened("http://127.0.0.1:1/v1", "shadow.traffic_percent=200")
    with pytest.raises(MissingRequirementError, match="ZANTARA_HASH_KEY"):
        opened("http://127.0.0.1:1/v1", "source=postgres")
    with pytest.raises(MissingRequirementError, match="RUNPOD_ENDPOINT"):
        ShadowMirror.from_config("endpoint=runpod")
    with pytest.raises(MissingRequirementError, match="HF_TOKEN"):
        opened("http://127.0.0.1:1/v1", "endpoint.fallback=[huggingface]")
    with pytest.raises(MissingInputError, match="no trained model"):
        ShadowMirror.from_config("endpoint=local")


def own_product() -> list[str]:
    """Overrides of a mirror by a folder of one's own, whose domain has examples and a primary that is asked again."""
    assert run_overrides(["init", "conf-x"]) == 0
    said = {"smalltalk": "hello there, how are you", "other": "my train is late"}
    domain = Path("conf-x/domain/ours.yaml")
    domain.write_text(domain.read_text().replace("examples: null", "examples: mine"))
    domain.with_name("examples").mkdir()
    rows = [
        {"text": f"{text} {number}", "language": "en", "category": kind}
        for kind, text in said.items()
        for number in range(9)
    ]
    (domain.parent / "examples" / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = ["endpoint.base_url=http://there", "endpoint.model=m", "endpoint.stream=false", "primary=replay"]
    settings += ["shadow.traffic_percent=100", "endpoint.timeout_seconds=60", "shadow.drain_seconds=120"]
    return ["experiment=ours", "endpoint=openai", "shadow=live", *settings]


def test_the_worker_knows_the_folder_that_the_app_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k" * 32)
    overrides = own_product()
    with raw_server(Candidate()) as url:
        mirror = ShadowMirror.from_config(*overrides, f"endpoint.base_url={url}", config_dir="conf-x")
        observe(mirror, 3)
        asyncio.run(mirror.close())
    assert (mirror.stats.compared + sum(mirror.stats.set_aside.values()), mirror.stats.dropped) == (3, {})
    with pytest.raises(ConfigError, match=r"domain\.examples=mine: there is no domain/examples/mine\.jsonl"):
        ShadowMirror(compose(overrides, "conf-x"))  # nobody says where it lies


def test_a_spool_that_cannot_be_made_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k" * 32)
    Path("taken").touch()
    with pytest.raises(ZantaraError, match="taken/log_spool cannot be made: Not a directory"):
        opened("http://127.0.0.1:1/v1", "log=postgres", "paths.state=taken")


def test_no_content_in_what_the_app_prints(capfd: pytest.CaptureFixture[str]) -> None:
    async def app(url: str) -> None:
        mirror = opened(url)
        mirror.observe(ChatRequest("a secret question", "u", history=[{"role": "x"}]), ANSWER)
        mirror.observe(ChatRequest("a secret question", "u"), ANSWER)
        await mirror.close()

    with raw_server(Candidate(json.dumps("a secret answer"))) as url:
        asyncio.run(app(url))
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err
