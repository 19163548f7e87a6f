"""The worker process as its parent sees it: fed through one pipe, switched by a second, heard through a third."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.endpoints.epoch import epoch_of
from zantara_exp.layout import Layout

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Said:
    """What the worker reports a few times a second."""

    answered: int = 0
    """Requests that are over for the worker: compared or counted as lost."""
    compared: int = 0
    in_flight: int = 0
    breaker: str = "closed"
    lost: Mapping[str, int] = field(default_factory=dict)
    lag_seconds: float = 0.0
    spooled: int = 0


class WorkerProcess:
    """Starts, feeds, hears, switches and stops the worker. Used by one thread."""

    def __init__(self, config: Config) -> None:
        layout = Layout(config)
        self.epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
        self.asked = 0
        """Requests given to the worker that runs now."""
        self.said = Said()
        self.restarts = -1
        self._setup = orjson.dumps({"config": asdict(config), "epoch": self.epoch}) + b"\n"
        self._process: subprocess.Popen[bytes] | None = None
        self._control = -1
        self._heard = b""
        self._before = Said()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def unanswered(self) -> int:
        """Requests given to it that it has not reported on."""
        return self.asked - (self.said.answered - self._before.answered)

    def start(self, enabled: bool) -> None:
        """Start anew, with counts that go on."""
        self._close_pipes()
        self._before, self.asked, self._heard = self.said, 0, b""
        self.restarts += 1
        path = os.pathsep.join(filter(None, [_PACKAGE_PARENT, os.environ.get("PYTHONPATH", "")]))
        control, self._control = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", "zantara_exp.shadow._worker", str(control)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=(control,),
                start_new_session=True,  # Ctrl-C is the app's; the worker ends when the pipe does
            )
        finally:
            os.close(control)
        assert self._process.stdin is not None  # noqa: S101  asked for above
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(self._setup)
        self._process.stdin.flush()
        self.switch(enabled)
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)

    def send(self, data: bytes) -> int:
        """Write what the pipe takes now; the number of bytes taken."""
        if self._process is None or self._process.stdin is None:
            return 0
        try:
            return os.write(self._process.stdin.fileno(), data)
        except (BlockingIOError, BrokenPipeError):
            return 0

    def listen(self) -> None:
        """Take in what the worker has reported."""
        if self._process is None or self._process.stdout is None:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self._process.stdout.fileno(), 65536):
                self._heard += chunk
        *lines, self._heard = self._heard.split(b"\n")
        if lines:
            self.said = self._totals(orjson.loads(lines[-1]))

    def _totals(self, said: Mapping[str, int]) -> Said:
        """The report with what the workers before it have done."""
        now, before = Said(**said), self._before  # type: ignore[arg-type]
        lost = {reason: now.lost.get(reason, 0) + before.lost.get(reason, 0) for reason in {*now.lost, *before.lost}}
        answered, compared = now.answered + before.answered, now.compared + before.compared
        return Said(answered, compared, now.in_flight, now.breaker, lost, now.lag_seconds, now.spooled)

    def switch(self, on: bool) -> None:
        """Tell it that shadow mode is on or off."""
        if self._control >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._control, b"1" if on else b"0")

    def stop(self, deadline: float) -> None:
        """Close the pipe, which ends the worker once it has finished, and kill it at the deadline."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        while self.alive and time.monotonic() < deadline:
            self.listen()
            time.sleep(0.01)
        if self.alive:
            self._process.kill()
        self._process.wait()
        self.listen()
        self._close_pipes()

    def _close_pipes(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
