"""A week of the log that production writes today, read by the stages that come after it."""

import json
import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.shadow.examples import version_1

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("workdir")]

ROOT = Path(__file__).resolve().parents[2]
CHATS = {
    "greeting": ("Ciao, come stai?", "Ciao! Tutto bene, e tu?"),
    "casual": ("What do you do today?", "I am helping people with their visas."),
    "business": ("Berapa biaya KITAS?", "Biaya KITAS sekitar sepuluh juta rupiah."),
}


def a_week(folder: Path) -> int:
    """300 lines a day, each day with a line that was torn; returns how many failed."""
    rng, failed = random.Random(7), 0
    folder.mkdir(parents=True)
    for day in range(7):
        began = datetime(2025, 10, 20) + timedelta(days=day)
        lines = []
        for number in range(300):
            category = rng.choices(list(CHATS), [0.3, 0.2, 0.5])[0]
            query, answer = CHATS[category]
            line = version_1(
                timestamp=(began + timedelta(seconds=280 * number)).isoformat(),
                user_id=f"user-{rng.randrange(150)}", query=f"{query} {number}", category=category,
            )  # fmt: skip
            line["claude"] |= {"response": answer}
            if rng.random() < 0.02:
                failed += 1
                line["llama"] |= {"response": "", "error": "Timeout after 10s"}
                line["comparison"]["llama_success"] = False
            else:
                line["llama"] |= {"response": f"{answer} Ok.", "latency_ms": rng.lognormvariate(6, 0.4)}
            lines.append(json.dumps(line, ensure_ascii=False))
        torn = lines[0][:100]
        (folder / f"shadow_comparison_{began.date()}.jsonl").write_text("\n".join([*lines, torn]) + "\n")
    return failed


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=600,
        env={"PYTHONPATH": str(ROOT), "ZANTARA_HASH_KEY": "k" * 40, "PATH": "/usr/bin:/bin", "HOME": str(Path.cwd())},
    )  # fmt: skip


def test_report_review_and_gate_read_it() -> None:
    failed = a_week(Path("logs/shadow_mode"))
    report = ran("-m", "zantara_exp", "stage=report")
    assert report.returncode == 0, report.stderr
    assert f"{failed}" in next(line for line in report.stdout.splitlines() if line.strip().startswith("timeout "))
    assert "2025-10-26   300" in report.stdout
    assert Path("reports/report.html").is_file()
    quarantined = Path("logs/shadow_mode/quarantine.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in quarantined] == ["not JSON"] * 7

    review = ran("-m", "zantara_exp", "stage=review")
    assert review.returncode == 0, review.stderr
    assert "pairs, one per user" in review.stdout

    gate = ran("-m", "zantara_exp", "stage=gate", "gate=go_no_go")
    assert gate.returncode in (3, 4), gate.stderr  # a week that nobody reviewed is never a GO
    verdict = json.loads(Path("reports/verdict.json").read_text())
    assert verdict["verdict"] in ("NO_GO", "INCONCLUSIVE")

    days = ran(str(ROOT / "scripts" / "analyze_shadow_mode_logs.py"), "--stats-only", "--date", "2025-10-22")
    assert days.returncode == 0, days.stderr
    assert "2025-10-22   300" in days.stdout
    assert "2025-10-23   300" not in days.stdout
