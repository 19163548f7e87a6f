"""Requests that real providers answered or refused: who refuses fast must not look fast."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analysis import logs
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.tables import by, cells
from zantara_exp.config import Config
from zantara_exp.layout import Layout

PRIMARY = {"response": "yes", "model": "claude-haiku-4-5", "tokens_input": 1, "tokens_output": 1, "latency_ms": 1.0}


@pytest.fixture
def requests(real_data: Path, layout: Layout) -> list[dict[str, Any]]:
    """The real requests, written as a comparison log of one epoch."""
    with gzip.open(real_data / "llm_requests_dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    layout.logs.mkdir(parents=True)
    with (layout.logs / f"shadow_comparison_{logs.FIRST_DAY:%Y-%m-%d}.jsonl").open("w") as out:
        for number, row in enumerate(rows):
            out.write(json.dumps(_comparison(number, row)) + "\n")
    return rows


def _comparison(number: int, row: dict[str, Any]) -> dict[str, Any]:
    moment = logs.FIRST_DAY + timedelta(seconds=number)
    error = "other" if row["error_code"] or row["error_msg"] else None
    answer = {"response": "" if error else "yes", "model": row["provider_model"], "provider": "real", "error": error}
    return {
        "schema_version": 2,
        "record": "comparison",
        "comparison_id": f"c{number}",
        "request_id": f"r{number}",
        "epoch": "e",
        "arm": "candidate",
        "timestamp": moment.isoformat(),
        "messages": [{"role": "user", "content": "?"}],
        "user": f"u{number}",
        "query": "?",
        "category": "casual",
        "language": "en",
        "primary": PRIMARY,
        "candidate": {**answer, "tokens_input": 1, "tokens_output": 1, "latency_ms": (row["e2e_s"] or 0.0) * 1000},
        "sampling": {"percent": 100.0, "reason": "forced"},
        "dropped": {},
    }


def test_success_and_latency_by_provider(requests: list[dict[str, Any]], config: Config, layout: Layout) -> None:
    with open_log(config, layout) as log:
        found = by(cells(log.facts, config), lambda cell: cell.candidate_model)
    per_provider: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in requests:
        per_provider[row["provider_model"]].append(row)
    assert set(found) == set(per_provider)
    for name, rows in per_provider.items():
        taken = [row["e2e_s"] * 1000 for row in rows if not (row["error_code"] or row["error_msg"])]
        counts = found[name]
        assert counts.success == pytest.approx(len(taken) / len(rows))
        assert counts.latency.count == len(taken)
        for share in (0.5, 0.95):
            if taken:
                exact = np.quantile(taken, share, method="inverted_cdf")
                assert counts.latency.quantile(share) == pytest.approx(exact, rel=0.0026)
    assert min(counts.success or 0.0 for counts in found.values()) < 0.9
