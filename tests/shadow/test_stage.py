import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.endpoints.servers import address_of, closed_port, raw_server, response
from tests.shadow.examples import read_folder
from tests.shadow.recorded import Candidate, against, conversation, record, run
from tests.shadow.waiting import wait_for
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.shadow.record import Comparison

pytestmark = pytest.mark.usefixtures("workdir")


def logged() -> list[Comparison]:
    return [row for row in read_folder(Path("logs/shadow_mode"), str) if isinstance(row, Comparison)]


def forty() -> None:
    record([conversation(number, "Ciao", "Ciao! Come va?") for number in range(40)], train_users=["u-0", "u-1"])


def test_every_answer_of_a_held_out_user_is_compared_once() -> None:
    chats = [conversation(number, "Ciao", "Ciao!", "Come va?", "Bene") for number in range(20)]
    record(chats, train_users=["u-3", "u-4"])
    candidate = Candidate(together=4)
    with raw_server(candidate) as url:
        result = against(url, "endpoint.concurrency=4", "endpoint.timeout_seconds=60", "primary.every_turn=true")
    rows = {row.request_id: row for row in logged()}
    assert len(rows) == len(logged()) == 2 * 16
    assert {row.user for row in rows.values()} == {f"u-{number}" for number in range(10)} - {"u-3", "u-4"}
    second = rows["c-0:1"]
    assert [message["role"] for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[0]["content"].startswith("You are ZANTARA")
    assert (second.query, second.primary.response, second.primary.latency_ms) == ("Come va?", "Bene", 900.0)
    assert (rows["c-0:0"].primary.response, rows["c-0:0"].primary.latency_ms) == ("Ciao!", None)
    assert second.timestamp.isoformat() == "2025-10-01T12:00:00+00:00"
    assert (second.candidate.response, second.candidate.usage.read, second.candidate.error) == ("Ciao a te!", 9, None)
    assert (second.sampling.percent, second.sampling.reason, second.arm) == (100.0, "replay", "candidate")
    assert second.candidate.billed.usd == pytest.approx(3.78 * 1.08 / 30_000)
    assert second.candidate.billed.basis == "EUR 3.78 a month over 30000 requests"
    assert second.primary.billed.usd == pytest.approx((50 * 0.8 + 7 * 4.0) / 1e6)
    assert rows["c-0:0"].primary.billed.usd is None  # its tokens were not recorded
    assert candidate.calls == 33  # and one to warm up
    assert candidate.most_at_once == 4
    assert result.metrics["shadow/success_rate"] == 1.0
    assert result.tags["epoch"] == second.epoch


def test_a_rerun_adds_nothing_and_a_new_model_adds_its_own() -> None:
    forty()
    candidate = Candidate()
    with raw_server(candidate) as url:
        first = against(url)
        again = against(url)
        assert candidate.calls == 33
        other = against(url, "endpoint.model=m2")
    assert len(logged()) == 64
    assert set(Counter(row.epoch for row in logged()).values()) == {32}
    assert again.metrics["shadow/new_comparisons"] == 0
    assert again.metrics["shadow/success_rate"] == first.metrics["shadow/success_rate"]
    assert other.tags["epoch"] != first.tags["epoch"]


def test_only_the_share_of_users_that_was_asked_for() -> None:
    record([conversation(number, "Ciao", "Ciao!") | {"user": f"u-{number}"} for number in range(400)], train_users=[])
    with raw_server(Candidate()) as url:
        against(url, "shadow=live", "shadow.traffic_percent=20")
        some = {row.user for row in logged()}
        against(url, "shadow=live", "shadow.traffic_percent=50")
    more = {row.user for row in logged()}
    assert 50 < len(some) < 110
    assert some < more  # who was in stays in
    assert 160 < len(more) < 240


@pytest.mark.parametrize(
    "wrong", [{"timestamp": "yesterday"}, {"timestamp": 5}, {"messages": [{"role": "user"}]}, {"metadata": "none"}]
)
def test_a_line_that_is_no_conversation_is_named(wrong: dict[str, object]) -> None:
    record([conversation(1, "Ciao", "Ciao!"), conversation(2, "Ciao", "Ciao!") | wrong], train_users=[])
    with pytest.raises(ZantaraError, match=r"raw_conversations\.jsonl, line 2: not a conversation"):
        against("http://127.0.0.1:1/v1")


def test_errors_of_the_primary_stay_errors() -> None:
    record([conversation(1, "Ciao", "Si è verificato un errore"), conversation(2, "Ciao", "Ciao!")], train_users=[])
    with raw_server(Candidate()) as url:
        against(url)
    assert {row.request_id: row.primary.error for row in logged()} == {"c-1:0": "recorded_error", "c-2:0": None}


def test_personal_data_in_the_candidates_answer_is_redacted() -> None:
    forty()
    with raw_server(Candidate("scrivi a anna.rossi@example.org")) as url:
        against(url)
    assert {row.candidate.response for row in logged()} == {"scrivi a [EMAIL_1]"}


def test_a_failing_candidate_is_logged_and_the_breaker_leaves_it_alone() -> None:
    forty()
    candidate = Candidate(status="503 Service Unavailable")
    with raw_server(candidate) as url:
        result = against(url, "endpoint.concurrency=1", "endpoint.breaker.cooldown_seconds=3600")
    errors = Counter(row.candidate.error for row in logged())
    assert errors == {"overloaded": 4, "breaker_open": 28}  # the call to warm up failed as well
    assert candidate.calls == 5
    assert result.metrics["shadow/success_rate"] == 0.0
    assert "shadow/latency_p95_ms" not in result.metrics  # nothing was measured: not 0
    assert result.tables[0].rows == [("breaker_open", "28"), ("overloaded", "4")]


def test_a_hanging_candidate_times_out() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(3)], train_users=[])
    candidate = Candidate()
    candidate.holding = True
    with raw_server(candidate) as url:
        against(url, "endpoint.timeout_seconds=0.2", "endpoint.concurrency=3")
    assert [row.candidate.error for row in logged()] == ["timeout"] * 3
    assert all((row.candidate.latency_ms or 0) > 190 for row in logged())


def test_a_wrong_address_is_said_and_nothing_is_logged() -> None:
    forty()
    with closed_port() as port, pytest.raises(ZantaraError, match="first call failed: refused"):
        against(address_of(port))
    with raw_server(Candidate(status="401 Unauthorized")) as url, pytest.raises(ZantaraError, match="unauthorized"):
        against(url)
    assert logged() == []


def test_nobody_in_the_sample_is_said() -> None:
    forty()
    with pytest.raises(MissingInputError, match=r"32 recorded requests of users held out.*shadow.traffic_percent=0"):
        against("http://127.0.0.1:1/v1", "shadow.traffic_percent=0")
    record([conversation(1, "Ciao", "Ciao!")], train_users=["u-1"])
    with pytest.raises(MissingInputError, match="0 recorded requests"):
        against("http://127.0.0.1:1/v1")


def test_a_log_that_cannot_be_written_is_an_error() -> None:
    forty()
    Path("logs").write_text("not a folder")
    with raw_server(Candidate()) as url, pytest.raises(ZantaraError, match="32 comparisons could not be written"):
        against(url)


def test_a_missing_model_is_said_before_anything_starts() -> None:
    forty()
    with pytest.raises(MissingInputError, match="no trained model") as caught:
        run()
    assert caught.value.hint == "python -m zantara_exp stage=train"


class HalfWay(Candidate):
    """Answers only so many calls."""

    last = 150

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        while self.calls >= self.last:
            await asyncio.sleep(0.005)
        await super().__call__(request, writer)


_RUN = """
import sys
from tests.shadow.recorded import against
against(sys.argv[1], "endpoint.concurrency=4", "endpoint.timeout_seconds=600")
"""


def test_a_killed_run_goes_on_without_a_doubled_comparison() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(300)], train_users=[])
    root = Path(__file__).resolve().parents[2]
    candidate = HalfWay()
    with raw_server(candidate) as url:
        environment = {**os.environ, "PYTHONPATH": str(root)}
        with subprocess.Popen([sys.executable, "-c", _RUN, url], env=environment, stdout=subprocess.DEVNULL) as killed:
            wait_for(lambda: len(logged()) >= 100)
            killed.send_signal(signal.SIGKILL)
        before = len(logged())
        assert 100 <= before <= 150
        candidate.last = 10_000
        result = against(url, "endpoint.concurrency=4", "endpoint.timeout_seconds=600")
    assert result.metrics["shadow/new_comparisons"] == 300 - before
    assert len({row.comparison_id for row in logged()}) == len(logged()) == 300


@pytest.mark.slow
def test_a_run_that_is_terminated_says_how_to_go_on() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(40)], train_users=[])
    root, candidate = Path(__file__).resolve().parents[2], HalfWay()
    candidate.last = 20
    with raw_server(candidate) as url:
        command = [sys.executable, "-m", "zantara_exp", "stage=shadow", "endpoint=openai", "endpoint.stream=false"]
        command += [f"endpoint.base_url={url}", "endpoint.model=m", "endpoint.timeout_seconds=600"]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as stage:
            wait_for(lambda: len(logged()) >= 10)
            stage.terminate()
            _, said = stage.communicate(timeout=120)
    assert stage.returncode == 130
    assert "the same command goes on where this one stopped" in said
    assert "Traceback" not in said


def test_the_trained_model_is_served_and_compared(tiny_model: Path) -> None:
    record([conversation(number, "ciao come stai", "Ciao!") for number in range(12)], train_users=[])
    shutil.copytree(tiny_model, "models/zantara-tiny")
    result = run("endpoint.max_tokens=8", "model.output=zantara-tiny")
    rows = logged()
    assert len(rows) == 12
    assert {row.candidate.error for row in rows} == {None}
    assert {row.candidate.provider for row in rows} == {"local"}
    assert all(row.candidate.usage.output and row.candidate.ttft_ms for row in rows)
    assert result.metrics["shadow/latency_p95_ms"] > 0
    assert Path("outputs/test/candidate_server.log").is_file()


@pytest.mark.slow
def test_a_server_that_dies_ends_the_stage_with_its_last_words(tiny_model: Path) -> None:
    record([conversation(number, "ciao come stai", "Ciao!") for number in range(2000)], train_users=[])
    shutil.copytree(tiny_model, "models/zantara-tiny")
    code = "from tests.shadow.recorded import run; run('endpoint.max_tokens=8')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True) as stage:
        wait_for(lambda: len(logged()) >= 20)
        server = int(Path(f"/proc/{stage.pid}/task/{stage.pid}/children").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        _, said = stage.communicate(timeout=120)
    assert "the candidate's server ended with status -9" in said
    errors = Counter(row.candidate.error for row in logged())
    assert 1 <= sum(count for error, count in errors.items() if error) <= 32  # what was in flight, and little more
    assert len(logged()) < 2000


def test_garbage_is_a_failure() -> None:
    forty()
    candidate = Candidate()
    candidate.raw = response(b"<html>gateway</html>")
    with raw_server(candidate) as url:
        against(url, "endpoint.breaker.failures=1000")
    assert {row.candidate.error for row in logged()} == {"bad_answer"}


def test_answers_that_follow_no_question_are_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    chats = [conversation(number, "Ciao", "Ciao! Come va?") for number in range(12)]
    for chat in chats[:3]:
        chat["messages"] = chat["messages"][1:]  # it opens with the assistant
    record(chats, train_users=[])
    with raw_server(Candidate()) as url:
        against(url)
    assert "3 recorded answers follow no question, and are not compared" in capsys.readouterr().out
    assert len(logged()) == 9


def test_a_replay_sets_aside_what_would_not_move_and_says_so() -> None:
    chats = [conversation(number, "Ciao", "Ciao! Come va?") for number in range(10)]
    for chat in chats[:4]:
        chat["metadata"] |= {"category": "business"}
    record(chats, train_users=[])
    candidate = Candidate()
    with raw_server(candidate) as url:
        result = against(url)
        again = against(url)
        every = against(url, "shadow.out_of_scope=true")
    assert candidate.calls == (6 + 1) + 0 + (4 + 1)  # each time one to warm up, where anything is asked
    arms = Counter((row.arm, row.scope.movable, row.scope.why_not) for row in logged())
    assert arms == {
        ("candidate", True, None): 6, ("primary", False, "category_business"): 4,
        ("candidate", False, "category_business"): 4,
    }  # fmt: skip
    assert result.summary["out of scope"] == again.summary["out of scope"] == "category_business: 4"
    assert "out of scope" not in every.summary
    assert (result.metrics["shadow/comparisons"], again.metrics["shadow/new_comparisons"]) == (6, 0)


def test_a_replay_of_nothing_that_would_move_names_what_keeps_it() -> None:
    record([conversation(1, "Ciao", "Ciao!") | {"metadata": {"category": "business"}}], train_users=[])
    with (
        raw_server(Candidate()) as url,
        pytest.raises(MissingInputError, match=r"move none of the 1 sampled requests \(category_business: 1\)"),
    ):
        against(url)
