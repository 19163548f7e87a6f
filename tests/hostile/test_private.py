"""Whatever a command writes is its account's alone: no other account reads chats, keys, labels or verdicts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.privacy.world import chats
from tests.shadow.waiting import wait_for
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.io import file_modes
from zantara_exp.shadow._worker_process import WorkerProcess

SOURCE = ("source=jsonl", "source.path=chats.jsonl", "source.models=[]", "dataset.balance=none")
KEY = "0123456789abcdef0123456789abcdef"


def open_to_others(folder: Path, bits: int) -> list[str]:
    """What below the folder gives one of these rights, and lies in no closed folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink() and path.stat().st_mode & bits:
            found.append(f"{path.relative_to(folder)} {stat.S_IMODE(path.stat().st_mode):o}")
    return found


@pytest.fixture
def careless(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where new files are readable by all, as most are."""
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    chats(Path("chats.jsonl"))
    Path("chats.jsonl").chmod(0o600)
    before = os.umask(0o022)
    yield workdir
    assert os.umask(before) == 0o022  # a command leaves the program's own as it was


def test_a_stage_writes_for_its_account_alone(careless: Path) -> None:
    assert run_overrides(["stage=extract", *SOURCE]) == 0
    assert (careless / "data" / "llama_ft_dataset" / "raw_conversations.jsonl").is_file()
    assert (careless / "mlruns" / "mlflow.db").is_file()
    assert open_to_others(careless, 0o077) == []


def test_a_team_may_share_with_its_group_and_with_nobody_else(
    careless: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(file_modes.VARIABLE, "027")
    assert run_overrides(["stage=extract", *SOURCE, "source.limit=5"]) == 0
    assert stat.S_IMODE((careless / "data/llama_ft_dataset/raw_conversations.jsonl").stat().st_mode) == 0o640
    assert open_to_others(careless, 0o027) == []
    for wrong in ("022", "0", "rw", "-1", "0777777"):
        monkeypatch.setenv(file_modes.VARIABLE, wrong)
        assert run_overrides(["stage=extract", *SOURCE]) == 2
        assert f"ZANTARA_UMASK={wrong}: must be 077" in capsys.readouterr().err


def test_the_mirrors_process_writes_for_its_account_alone(careless: Path) -> None:
    """In an app the program's own umask stays; the process that writes the log is ours."""
    process = WorkerProcess(compose(["endpoint=openai", "endpoint.base_url=http://127.0.0.1:9/v1", "endpoint.model=m"]))
    process.start(enabled=True)
    try:
        assert process._process is not None
        status = Path(f"/proc/{process._process.pid}/status")
        wait_for(lambda: "Umask:\t0077" in status.read_text())
    finally:
        process.stop(0)
