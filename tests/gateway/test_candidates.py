"""Several candidates behind one gateway: users get the primary's answer, whoever else is slow or away."""

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at, series
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for

pytestmark = [pytest.mark.usefixtures("workdir"), pytest.mark.interpreter]  # two threads start a process at once


BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Ciao, come stai?"}]}


def test_one_that_answers_nobody_keeps_neither_users_nor_the_others_waiting() -> None:
    stuck = Candidate()
    stuck.holding = True
    with raw_server(Candidate()) as one, raw_server(stuck) as two, primary_at(Primary()) as url:
        more = [f"+endpoints.v2={{use: openai, base_url: '{two}', model: n, stream: false, concurrency: 1}}"]
        with gateway_at(url, one, *more, "endpoint.timeout_seconds=60", "shadow.drain_seconds=10") as (gate, gateway):
            for number in range(3):
                user = {"x-zantara-user": f"user-{number}"}
                assert httpx.post(f"{gate}/v1/messages", json=BODY, headers=user, timeout=60).status_code == 200
            wait_for(lambda: gateway.mirror.stats.compared == 3)
            shown = series(httpx.get(f"{gate}/metrics", timeout=60))
            assert shown["zantara_mirror_compared_total",] == 3
            assert shown["zantara_candidate_compared_total", "v2"] == 0
            assert shown["zantara_candidate_breaker", "v2", "closed"] == 1
            stuck.holding = False
            wait_for(lambda: gateway.mirror.others["v2"].compared == 3)
    rows = logged()
    assert sorted(row.candidate.provider or "" for row in rows) == ["openai"] * 3 + ["v2"] * 3
    assert len({row.request_id for row in rows}) == 3
