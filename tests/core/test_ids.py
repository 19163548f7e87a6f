from __future__ import annotations

import os
import random

from zantara_exp.core.ids import new_id


def test_ids_differ_whatever_the_app_seeds_and_in_a_forked_process() -> None:
    random.seed(1)
    first = new_id()
    random.seed(1)
    assert len({first, *(new_id() for _ in range(1000))}) == 1001
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 32).decode()
    assert len(theirs) == 32
    assert theirs != new_id()
