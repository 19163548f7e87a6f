"""`scripts/bench dataset`: what it loads, how it watches, how it draws out."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from tools.bench import dataset
from tools.bench.dataset import Run, conversations


def test_chats_are_of_a_kilobyte_and_differ_but_for_those_that_are_nearly_another() -> None:
    chats = [[message["content"] for message in row.messages] for row in conversations(400, 7)]
    sizes = [sum(map(len, chat)) for chat in chats]
    assert 900 < sum(sizes) / len(sizes) < 1400
    first = [chat[0] for chat in chats]
    assert 5 <= len(first) - len(set(first)) <= 40
    assert [row.id for row in conversations(20, 7)] == [row.id for row in conversations(20, 7)]


def test_a_line_is_drawn_out_and_never_falls() -> None:
    few, many = Run(100, 1.0, 2.0, 300), Run(200, 2.0, 4.0, 250)
    assert dataset._at(1000, few, many, "seconds") == 10
    assert dataset._at(1000, few, many, "megabytes") == 250


def test_all_processes_are_watched() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert dataset._family(process.pid) == [process.pid, child]
        os.kill(child, signal.SIGKILL)
    assert dataset._family(child) == [child]
    assert dataset._megabytes(child) == 0  # it has ended
    with dataset._watched(os.getpid()) as peak:
        time.sleep(0.6)
    assert peak[0] >= dataset._megabytes(os.getpid()) / 2 > 5
