"""Serves a page until it is interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from zantara_exp.core.errors import MissingRequirementError, ZantaraError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_ENDS_WITHIN = 2
"""Seconds."""


def token_of(group: str, variable: str | None) -> str | None:
    """The page's token, where GROUP.token_env names a variable. Raises MissingRequirementError where it is not set."""
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if not token:
        raise MissingRequirementError(
            f"{group}.token_env={variable}: this environment variable is not set",
            f'export {variable}="$(openssl rand -hex 32)"',
        )
    return token


def free_port(host: str) -> int:
    """A port that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def serve(made: ASGIApp, group: str, host: str, port: int, leaving: Callable[[], None] = lambda: None) -> None:
    """Serve until interrupted; `leaving` is called then, to end answers that have no end of their own.

    Raises ZantaraError when the address is taken.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            leaving()
            super().handle_exit(sig, frame)

    try:
        Server(
            uvicorn.Config(made, host=host, port=port, log_level="warning", timeout_graceful_shutdown=_ENDS_WITHIN)
        ).run()
    except KeyboardInterrupt:
        return
    except SystemExit as error:  # uvicorn's way of saying that it could not bind
        raise ZantaraError(
            f"{group}.port={port} at {host} cannot be served: is it taken?", f"{group}.port=0 takes a free one"
        ) from error
