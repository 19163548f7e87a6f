"""The parent's handle on the worker process: one pipe for requests, one for commands, one for reports."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from zantara_exp.config import OWN_FOLDER, own_folder
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.io import file_modes

_LAST_WORDS_SECONDS = 2.0
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Said:
    """What the worker reports a few times a second."""

    answered: int = 0
    """Requests that the worker has finished: logged, lost, or of a category that is not mirrored."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Logged requests for which no model was asked, by reason."""
    compared: int = 0
    in_flight: int = 0
    breaker: str = "closed"
    lost: Mapping[str, int] = field(default_factory=dict)
    lag_seconds: float = 0.0
    spooled: int = 0
    reported: Mapping[str, int] = field(default_factory=dict)
    """Losses that are in the log: the worker's own, and those that the app told it."""
    breakers: Mapping[str, str] = field(default_factory=dict)
    allowed: bool = True
    """Whether the switch of all replicas is on (log=postgres)."""


class WorkerProcess:
    """Starts, feeds, commands and stops the worker, and reads its reports. For one thread."""

    def __init__(self, config: Config) -> None:
        layout = Layout(config)
        self.epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
        self.asked = 0
        """Requests given to the present worker."""
        self.told: Counter[str] = Counter()
        """Losses that it was told."""
        self.said = Said()
        self.restarts = -1
        self._announced = 0
        self._setup = orjson.dumps({"config": asdict(config), "epoch": self.epoch}) + b"\n"
        folder = own_folder()
        self._folder = {OWN_FOLDER: os.path.abspath(folder)} if folder else {}
        self._umask = file_modes.wanted()
        self._process: subprocess.Popen[bytes] | None = None
        self._control = -1
        self._heard = b""
        self._before = self._own = Said()

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def unanswered(self) -> int:
        """Requests that it got and has not reported as finished."""
        return max(0, self.asked - self._own.answered)

    @property
    def unwritten(self) -> Counter[str]:
        """Losses that the worker knew and had not logged when it last reported."""
        return Counter(self._own.lost) + self.told - Counter(self._own.reported)

    def start(self, enabled: bool) -> None:
        """Start a worker; counts continue from those before it."""
        self._close_pipes()
        self._before, self._own, self.asked, self.told, self._heard = self.said, Said(), 0, Counter(), b""
        self._announced = 0
        self.restarts += 1
        path = os.pathsep.join(filter(None, [_PACKAGE_PARENT, os.environ.get("PYTHONPATH", "")]))
        control, self._control = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", "zantara_exp.shadow._worker", str(control)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,  # a buffer has a lock, which a fork at the wrong moment would copy in its locked state
                env={**os.environ, **self._folder, "PYTHONPATH": path},
                pass_fds=(control,),
                umask=self._umask,
                start_new_session=True,  # so that Ctrl-C reaches only the app; the worker ends when the pipe closes
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
        """Write as much as the pipe takes now; return the number of bytes."""
        if self._process is None or self._process.stdin is None:
            return 0
        try:
            return os.write(self._process.stdin.fileno(), data)
        except (BlockingIOError, BrokenPipeError):
            return 0

    def listen(self) -> None:
        """Read the worker's new reports."""
        if self._process is None or self._process.stdout is None:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self._process.stdout.fileno(), 65536):
                self._heard += chunk
        *lines, self._heard = self._heard.split(b"\n")
        if lines:
            self._own = Said(**orjson.loads(lines[-1]))
            self.said = self._totals(self._own, self._before)

    @staticmethod
    def _totals(now: Said, before: Said) -> Said:
        """The present worker's report plus the totals of the workers before it."""
        return replace(
            now,
            answered=now.answered + before.answered,
            compared=now.compared + before.compared,
            lost=Counter(now.lost) + Counter(before.lost),
            set_aside=Counter(now.set_aside) + Counter(before.set_aside),
        )

    def switch(self, on: bool) -> None:
        """Tell it that shadow mode is on or off."""
        self._tell(b"1" if on else b"0")

    def announce(self, waiting: int) -> None:
        """Tell the worker how many requests wait here. If this process is killed, it counts those that never came.

        Nothing is sent while it does not read, so that the pipe has room for what it must be told.
        """
        total = self.asked + self.told.total() + waiting
        if total != self._announced and self._control >= 0 and select.select([], [self._control], [], 0)[1]:
            self._announced = total
            self._tell(b"=%d" % total)

    def _tell(self, word: bytes) -> None:
        if self._control >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._control, word + b"\n")

    def _hear_until(self, moment: float) -> None:
        while self.alive and time.monotonic() < moment:
            self.listen()
            time.sleep(0.01)

    def stop(self, deadline: float) -> None:
        """Close the pipe: the worker finishes its requests and ends. At the deadline it gives up those in flight.

        It then has two seconds to log that, and is killed afterwards.
        """
        if self._process is None:
            return
        self._tell(b"=0")  # from now on this process counts what was not sent
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._hear_until(deadline)
        if self.alive:
            self._tell(b"q")
            self._hear_until(time.monotonic() + _LAST_WORDS_SECONDS)
        if self.alive:
            self._process.kill()
        self._process.wait()
        self.listen()
        self._close_pipes()

    def abandon(self) -> None:
        """In a forked child: close the handles without ending the parent's worker."""
        self._close_pipes()
        if self._process is not None:
            self._process.returncode = 0  # the worker is no child of this process, so it cannot be waited for
            self._process = None

    def _close_pipes(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
