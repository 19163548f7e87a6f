"""The worker process as its parent sees it: fed through one pipe, switched by a second, heard through a third."""

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

from zantara_exp import umask
from zantara_exp.config import OWN_FOLDER, own_folder
from zantara_exp.config.schema import Config
from zantara_exp.endpoints.epoch import epoch_of
from zantara_exp.layout import Layout

_LAST_WORDS_SECONDS = 2.0
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Said:
    """What the worker reports a few times a second."""

    answered: int = 0
    """Requests that are over for the worker: in the log, counted as lost, or of a category that is not mirrored."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Requests in the log that nobody was asked about, by reason."""
    compared: int = 0
    in_flight: int = 0
    breaker: str = "closed"
    lost: Mapping[str, int] = field(default_factory=dict)
    lag_seconds: float = 0.0
    spooled: int = 0
    reported: Mapping[str, int] = field(default_factory=dict)
    """Losses that stand in the log, its own and those it was told of."""
    breakers: Mapping[str, str] = field(default_factory=dict)
    allowed: bool = True
    """What the switch of all replicas says (log=postgres)."""


class WorkerProcess:
    """Starts, feeds, hears, switches and stops the worker. Used by one thread."""

    def __init__(self, config: Config) -> None:
        layout = Layout(config)
        self.epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
        self.asked = 0
        """Requests given to the worker that runs now."""
        self.told: Counter[str] = Counter()
        """Losses that it was told of."""
        self.said = Said()
        self.restarts = -1
        self._announced = 0
        self._setup = orjson.dumps({"config": asdict(config), "epoch": self.epoch}) + b"\n"
        folder = own_folder()
        self._folder = {OWN_FOLDER: os.path.abspath(folder)} if folder else {}
        self._umask = umask.wanted()
        self._process: subprocess.Popen[bytes] | None = None
        self._control = -1
        self._heard = b""
        self._before = self._own = Said()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def unanswered(self) -> int:
        """Requests given to it that it has not reported on."""
        return max(0, self.asked - self._own.answered)

    @property
    def unwritten(self) -> Counter[str]:
        """Losses that the worker knew of, or was told, and had not written to the log when it last spoke."""
        return Counter(self._own.lost) + self.told - Counter(self._own.reported)

    def start(self, enabled: bool) -> None:
        """Start anew, with counts that go on."""
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
                bufsize=0,  # a buffer has a lock, which a fork at the wrong moment would leave locked in the child
                env={**os.environ, **self._folder, "PYTHONPATH": path},
                pass_fds=(control,),
                umask=self._umask,
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
            self._own = Said(**orjson.loads(lines[-1]))
            self.said = self._totals(self._own, self._before)

    @staticmethod
    def _totals(now: Said, before: Said) -> Said:
        """A worker's report with what the workers before it have done."""
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
        """Tell it how much waits here: if this process is killed, the worker counts what never came.

        Not while it reads nothing: the pipe keeps room for what it must be told.
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
        """Close the pipe, which ends the worker once it has finished; at the deadline it gives up what is in flight.

        It then has two seconds to write that down, and is killed after that.
        """
        if self._process is None:
            return
        self._tell(b"=0")  # what does not come any more is counted here
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
        """In a child of the process that started it: let go of it without ending it."""
        self._close_pipes()
        if self._process is not None:
            self._process.returncode = 0  # it is no child of this process, which cannot wait for it
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
