"""`stage=serve`: a gateway that a product joins by changing a base URL.

python -m zantara_exp stage=serve shadow=live endpoint=runpod
ANTHROPIC_BASE_URL=http://127.0.0.1:8800  or  OPENAI_BASE_URL=http://127.0.0.1:8800/v1  in the product
"""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zantara_exp.config.gateway import Gateway as GatewayConfig
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gateway.app import Gateway
from zantara_exp.gateway.dialects import CUT
from zantara_exp.gateway.target import keeping_targets
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, PRIMARY
from zantara_exp.shadow.identity import only_here
from zantara_exp.spans import collector
from zantara_exp.spans import trouble as spans_trouble

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn


def serve(config: Config, context: Context) -> StageResult:
    """Run the gateway until SIGINT or SIGTERM. Raises ZantaraError where it cannot start."""
    listening = _listening(config.gateway)
    with listening:
        gateway = Gateway(config)
        server = _server(config.gateway, gateway, lambda: _announce(config, context, listening, gateway))
        gc.collect()
        gc.freeze()  # the objects of start-up live to the end; collecting among them would delay answers
        server.run(sockets=[listening])
        gc.unfreeze()
    stats, seen = gateway.mirror.stats, gateway.seen
    return StageResult(
        {
            "requests": str(seen.requests),
            "sampled": str(stats.sampled),
            **({"not sampled": seen.why} if seen.why else {}),
            "compared": str(stats.compared),
            "out of scope": _shown(stats.set_aside),
            "dropped": _shown(stats.dropped),
            **{
                f"candidate {name}": f"{each.compared} compared; dropped {_shown(each.dropped)}"
                for name, each in gateway.mirror.others.items()
            },
            **_of_rollout(gateway),
            **({} if gateway.spans is None else {"spans": f"{gateway.spans.sent} sent, {gateway.spans.lost} lost"}),
            "log": str(context.layout.logs),
        },
        metrics={"serve/requests": float(seen.requests), "shadow/comparisons": float(stats.compared)},
        next_command=command("stage=report"),
    )


def _shown(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items()) or "none"


def _of_rollout(gateway: Gateway) -> dict[str, str]:
    """Counts of both arms of the rollout, and of requests in no arm; empty if no rollout ran."""
    unrouted = ", ".join(f"{reason}: {count}" for reason, count in sorted(gateway.metrics.unrouted.items()))
    stays = {"stayed with the primary": unrouted} if unrouted else {}
    by: Counter[tuple[str, str]] = Counter()
    for (arm, answered_by, _, error), amount in gateway.metrics.served.items():
        broken_off = answered_by == CANDIDATE and error == CUT
        by[arm, error if error == CLIENT_GONE or broken_off else answered_by] += amount
    if not by:
        return stays
    lost = f"; {gateway.routing.lost_lines} lines of the served log lost" if gateway.routing.lost_lines else ""
    moved = f"{by[CANDIDATE, CANDIDATE]} answered by the candidate, {by[CANDIDATE, PRIMARY]} fell back to the primary"
    moved += f", {by[CANDIDATE, CUT]} broken off by it" if by[CANDIDATE, CUT] else ""
    moved += f", {by[CANDIDATE, CLIENT_GONE]} hung up" if by[CANDIDATE, CLIENT_GONE] else ""
    return {"moved users": moved + lost, "control": f"{by[PRIMARY, PRIMARY]} answered by the primary", **stays}


def _listening(config: GatewayConfig) -> socket.socket:
    """A socket bound to the configured address. Raises ZantaraError if it cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise ZantaraError(
            f"gateway.host={config.host} gateway.port={config.port}: {(error.strerror or str(error)).lower()}",
            hint="choose another gateway.port (0 is a free one), or a gateway.host that this machine has",
        ) from error
    return bound


def _announce(config: Config, context: Context, listening: socket.socket, gateway: Gateway) -> None:
    host = f"[{config.gateway.host}]" if ":" in config.gateway.host else config.gateway.host
    port = listening.getsockname()[1]
    context.say(f"gateway on http://{host}:{port}: {config.shadow.traffic_percent:g} % of users mirrored")
    for trouble in filter(None, (only_here(config), spans_trouble())):
        context.say(f"  warning: {trouble}")
    if gateway.spans is not None:
        context.say(f"  spans go to {collector()}")
    context.say("  ANTHROPIC_BASE_URL is this address, OPENAI_BASE_URL this address with /v1; Ctrl-C ends it")


def _server(config: GatewayConfig, gateway: Gateway, listens: Callable[[], None]) -> uvicorn.Server:
    """Uvicorn without headers of its own; `listens` is called when it takes requests."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                listens()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """On SIGTERM, say by /readyz that no more requests should come, and take them for a while longer."""
            if sig != signal.SIGTERM or not gateway.ready or not config.lame_duck_seconds:
                super().handle_exit(sig, frame)
                return
            gateway.ready = False
            asyncio.get_running_loop().call_later(config.lame_duck_seconds, super().handle_exit, sig, frame)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            caught = (signal.SIGINT, signal.SIGTERM)
            before = {number: signal.signal(number, self.handle_exit) for number in caught}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    settings = uvicorn.Config(
        gateway,
        access_log=False,
        log_level="error",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=math.ceil(config.drain_seconds),
        timeout_keep_alive=config.keep_alive_seconds,
        ws="none",
        http=keeping_targets(),
    )
    return Server(settings)
