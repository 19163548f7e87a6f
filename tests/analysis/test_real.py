"""Requests that real providers answered or refused: who refuses fast must not look fast."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.requests import import_requests
from zantara_exp.analysis.tables import by, cells
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout


@pytest.fixture
def requests(real_data: Path, layout: Layout) -> list[dict[str, Any]]:
    """The real requests, imported as a comparison log."""
    source = real_data / "llm_requests_dev.jsonl.gz"
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    assert import_requests(source, layout.logs, date(2024, 1, 1)) == len(rows)
    return rows


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
