"""Whatever is not in the sample has its reason in the metrics, in the summary and in doctor."""

import signal
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import CHAT, post
from tests.gateway.test_stage import serving
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import wait_for
from zantara_exp.cli.main import run_overrides

pytestmark = pytest.mark.usefixtures("workdir")


def ask_what_is_not_sampled(gate: str) -> None:
    assert post(gate, user=None).status_code == 200
    assert post(gate, path="/v1/embeddings").status_code == 200
    assert httpx.get(f"{gate}/v1/models").status_code == 200
    assert httpx.post(f"{gate}/nowhere", json={}).status_code == 404


def test_every_request_is_observed_or_has_its_reason() -> None:
    primary = Primary()
    with (
        raw_server(Candidate()) as answers,
        primary_at(primary) as url,
        gateway_at(url, answers) as (gate, gateway),
    ):
        ask_what_is_not_sampled(gate)
        body = {"model": "m", "input": "Ciao", "user": "u"}
        assert httpx.post(f"{gate}/v1/responses", json=body).status_code == 200
        wait_for(lambda: gateway.mirror.stats.compared == 1)
        counted = series(httpx.get(f"{gate}/metrics"))
    named = {key[1]: int(value) for key, value in counted.items() if key[0] == "zantara_gateway_unmirrored_total"}
    assert {reason: count for reason, count in named.items() if count} == {"no_user": 1, "other_api": 2}
    requests = sum(value for key, value in counted.items() if key[0] == "zantara_gateway_requests_total")
    refused = sum(value for key, value in counted.items() if key[0] == "zantara_gateway_refused_total")
    assert requests == sum(named.values()) + refused + counted["zantara_mirror_observed_total",] == 5


def test_a_mirror_that_is_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")
    with primary_at(Primary()) as url, gateway_at(url, "http://127.0.0.1:1/v1") as (gate, gateway):
        assert post(gate).status_code == 200
        assert gateway.metrics.unmirrored == {"off": 1}


def test_an_empty_sample_is_explained_by_the_summary_and_by_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = "shadow.traffic_percent=0"
    with (
        primary_at(Primary()) as url,
        serving(url, "http://127.0.0.1:1/v1", nobody, f"gateway.openai_url={url}") as (gateway, address),
    ):
        ask_what_is_not_sampled(address)
        assert post(address, messages=[CHAT]).status_code == 200
        gateway.send_signal(signal.SIGTERM)
        assert gateway.stdout is not None
        said = " ".join(gateway.stdout.read().split())
        assert gateway.wait(60) == 0
    for text in (said, doctor(capsys)):
        assert "2 ask no chat, or by an API that is not read" in text
        assert "1 name no user: send X-Zantara-User" in text
        assert "1 are of users or categories outside of the sample" in text
        assert "1 were sent nowhere (unknown_path)" in text
    assert "gateway.port=0 warning 0 of 5 requests sampled until" in doctor(capsys)
    assert "shadow.traffic_percent warning 0: nobody's requests are mirrored" in doctor(capsys, nobody)


def test_doctor_says_what_keeps_a_sample_empty(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "shadow mode" not in doctor(capsys)
    assert "none of rollout.categories" in doctor(capsys, "shadow.categories=[business]")
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")
    assert "shadow mode warning SHADOW_MODE_ENABLED or" in doctor(capsys)
    folder = Path(".zantara/gateway")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seen_8800.json").write_text("{")
    assert "seen_8800.jsoncannotberead" in doctor(capsys).replace(" ", "")


def doctor(capsys: pytest.CaptureFixture[str], *overrides: str) -> str:
    capsys.readouterr()
    run_overrides(["stage=doctor", *overrides])
    return " ".join(capsys.readouterr().out.split())
