"""The product's database stopped and started again while extract reads it.

Under rollout and log=postgres: tests/rollout/test_controllers.py, test_postgres.py and tests/shadow/test_postgres.py.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import World
from tests.faults.processes import At, ended, halted
from tests.faults.test_kill import as_undisturbed
from zantara_exp.dataset import embedded
from zantara_exp.dataset.embedded import Server


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_extract_while_its_database_is_restarted(
    small_world: World, production: tuple[Path, Server], number: int
) -> None:
    changes = small_world.before("extract").changes
    halt = At(random.Random(number).randint(1, changes), signal.SIGSTOP)
    stage = small_world.start("extract", at=halt)
    halted(stage)
    assert embedded.stop(production[0])
    with embedded.server(production[0]):  # the outer one goes on with it
        os.kill(stage.pid, signal.SIGCONT)
        done = ended(small_world.folder, stage)
        if done.status:
            assert done.status == 1
            assert "the database of DATABASE_URL refuses" in done.said
            assert "Traceback" not in done.said
            done = small_world.run("extract")
    as_undisturbed(small_world, "extract", done, halt)
