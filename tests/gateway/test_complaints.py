"""Complaints as the gateway takes them: the user's hash alone is kept, and a stranger is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate

pytestmark = pytest.mark.usefixtures("workdir")


@pytest.fixture
def gateway() -> Iterator[str]:
    with raw_server(Candidate()) as answers, primary_at(Primary()) as url, gateway_at(url, answers) as (address, _):
        yield address


def test_a_complaint_is_written_for_the_guardrails(gateway: str) -> None:
    url = gateway + "/complaints"
    assert httpx.post(url).status_code == 400
    assert httpx.get(url).status_code == 405
    told = httpx.post(url, headers={"x-zantara-user": "user-1"})
    assert (told.status_code, told.text) == (202, "noted\n")
    (file,) = Path("logs/shadow_mode").glob("complaints_*.jsonl")
    assert "user-1" not in file.read_text()
    assert file.read_text().count("\n") == 1


def test_a_complaint_without_the_gateways_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "s3same")
    with raw_server(Candidate()) as answers, primary_at(Primary()) as url, \
            gateway_at(url, answers, "gateway.token_env=GATEWAY_TOKEN") as (address, _):  # fmt: skip
        headers = {"x-zantara-user": "user-1"}
        assert httpx.post(f"{address}/complaints", headers=headers).status_code == 401
        assert httpx.post(f"{address}/complaints", headers={**headers, "x-zantara-token": "s3same"}).status_code == 202
