"""Measured requests of providers, analysed by the definitions of the comparison log."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.requests import import_requests
from zantara_exp.analysis.tables import by, cells
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout

SCRIPT = Path(__file__).parents[2] / "scripts" / "import_requests.py"


def request(model: str, seconds: float, code: int | None = None, **more: Any) -> dict[str, Any]:
    return {"provider_model": model, "e2e_s": seconds, "error_code": code, "in_tok": 550, "out_tok": 150, **more}


def write(path: Path) -> Path:
    """A provider that refuses nine in ten at once, and one that answers all in two seconds."""
    rows = [request("refuser", 0.0 if n % 10 else 0.5, 429 if n % 10 else None) for n in range(100)]
    rows += [request("steady", 2.0) for _ in range(50)]
    rows += [request("odd", 1.0, None, error_msg="connection lost"), request("odd", 30.0, 408), request("odd", 0.0, -1)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["requests.jsonl", "requests.jsonl.gz"])
def test_who_refuses_fast_does_not_look_fast(config: Config, layout: Layout, name: str) -> None:
    assert import_requests(write(Path(name)), layout.logs, date(2024, 1, 1)) == 153
    with open_log(config, layout) as log:
        found = by(cells(log.facts, config), lambda cell: cell.candidate_model)
        assert log.bad == ()
    assert (found["refuser"].success, found["refuser"].latency.count) == (0.1, 10)
    assert found["refuser"].latency.quantile(0.5) == pytest.approx(500, rel=0.0026)
    assert (found["steady"].success, found["steady"].mean_chrf) == (1.0, None)
    assert (found["odd"].answered, found["odd"].timeouts) == (0, 1)


def test_what_is_no_request_is_said(layout: Layout) -> None:
    with pytest.raises(MissingInputError, match="absent.jsonl is not there"):
        import_requests(Path("absent.jsonl"), layout.logs, date(2024, 1, 1))
    Path("broken.jsonl").write_text(json.dumps(request("a", 1.0)) + "\n{}\n")
    with pytest.raises(ZantaraError, match="broken.jsonl, line 2: no request"):
        import_requests(Path("broken.jsonl"), layout.logs, date(2024, 1, 1))
    assert not layout.logs.exists()


def test_the_script_says_what_to_run_next(workdir: Path) -> None:
    source = write(workdir / "requests.jsonl")
    done = subprocess.run(
        [sys.executable, SCRIPT, source, "--log-dir", "logs/requests"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "next: scripts/analyze_shadow_mode_logs.py --log-dir logs/requests --stats-only" in done.stdout
    assert len(list((workdir / "logs" / "requests").iterdir())) == 1
