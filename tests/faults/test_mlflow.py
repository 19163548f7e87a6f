"""MLflow's server down, hanging or failing under a stage: its work is done, and its record is sent later, once."""

from __future__ import annotations

import asyncio

import pytest

from tests.endpoints.servers import Handler, answering, raw_server, response
from tests.faults.conftest import World
from tests.faults.test_kill import as_undisturbed, runs


async def _hangs(_: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


SERVERS: dict[str, Handler | None] = {
    "down": None,
    "slow": _hangs,
    "refusing": answering(response(b'{"error_code": "INTERNAL_ERROR"}', "500 Internal Server Error")),
    "somebody else": answering(response(b"<html>a proxy's login</html>", content_type="text/html")),
}


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", ["train", "shadow", "gate"])
def test_a_stage_without_its_mlflow(small_world: World, name: str, server: str) -> None:
    small_world.before(name)
    earlier, handler = runs(small_world), SERVERS[server]
    settings = ("tracking=server", "tracking.timeout_seconds=1")
    with raw_server(handler or answering(b"")) as url:
        address = "http://127.0.0.1:1" if handler is None else url.removesuffix("/v1")
        without = small_world.run(name, *settings, MLFLOW_TRACKING_URI=address)
    assert without.status == small_world.undisturbed[name].status, without.said
    assert "Traceback" not in without.said
    assert "the run is kept" in without.said
    (kept,) = (small_world.folder / ".zantara/pending/server").iterdir()
    # The server is back: here, the store of this machine stands in for it.
    kept.rename(small_world.folder / ".zantara/pending/local" / kept.name)
    again = small_world.run(name)
    assert "MLflow: 1 earlier run(s) sent" in again.said
    as_undisturbed(small_world, name, again, server)
    new = runs(small_world) - earlier
    assert set(new) == {(name, "FINISHED")}
    assert new[name, "FINISHED"] == (2 if name in ("shadow", "gate") else 1) or "reused" in again.said
