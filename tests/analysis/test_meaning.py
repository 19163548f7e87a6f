"""Likeness in meaning beside chrF: a real, tiny sentence-transformers model on a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.analysis import logs
from tests.analysis.test_report import run
from tests.text.test_embedding import folder
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.pairs import texts
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.redact import Redactor
from zantara_exp.text.embedding import likeness

__all__ = ["folder"]

SMALL = logs.Plan(days=2, per_day=40, success=0.8, aa_percent=10.0)


def test_what_has_a_chrf_has_a_cosine_and_a_failure_none_alike(config: Config, layout: Layout, folder: Path) -> None:
    logs.write(layout.logs, SMALL)
    config.engine.scored_per_file = 25
    config.evaluation.embedding = str(folder)
    with open_log(config, layout) as log:
        shown = log.facts.select("part", "place", "chrf", "embedding", "candidate_ok")
        rows = shown.to_pyarrow().to_pylist()
        answered = [row for row in rows if row["chrf"] is not None and row["candidate_ok"]]
        said = texts(log, answered, Redactor())
    assert [row["embedding"] is None for row in rows] == [row["chrf"] is None for row in rows]
    assert {row["embedding"] for row in rows if row["chrf"] is not None and not row["candidate_ok"]} == {0.0}
    cosines = likeness(str(folder), [r["candidate_response"] for r in said], [r["primary_response"] for r in said])
    assert [row["embedding"] for row in answered] == pytest.approx(cosines, abs=1e-5)


def test_the_report_shows_it_where_there_is_a_model(config: Config, layout: Layout, folder: Path) -> None:
    logs.write(layout.logs, SMALL)
    without = run(config)
    assert "shadow/embedding_mean" not in without.metrics
    assert "embedding" not in layout.report.read_text()
    config.evaluation.embedding = str(folder)
    shown = run(config)
    assert -1 <= shown.metrics["shadow/embedding_mean"] <= 1
    assert shown.metrics["shadow/chrf_mean"] == pytest.approx(without.metrics["shadow/chrf_mean"], rel=1e-12)  # a sum
    languages = next(table for table in shown.tables if table.title == "By language")
    assert languages.columns[-2:] == ["chrF", "embedding"]
    page = layout.report.read_text()
    assert f"mean cosine by {folder.name}" in page
    assert "· embedding 0." in page


def test_a_day_that_grew_is_scored_where_it_is_new(
    config: Config, layout: Layout, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(model: str, answers: list[str], references: list[str]) -> list[float]:
        asked.append(len(answers))
        return likeness(model, answers, references)

    monkeypatch.setattr("zantara_exp.analysis.meaning.likeness", counted)
    config.evaluation.embedding = str(folder)
    for seed in (1, 2):
        logs.write(layout.logs, replace(SMALL, days=1, seed=seed))
        for _ in range(2):
            with open_log(config, layout) as log:
                scored = log.facts.filter(log.facts.chrf.notnull())
                assert not scored.embedding.isnull().any().to_pyarrow().as_py()
        assert len(asked) == seed
    assert asked[1] <= SMALL.per_day


def test_a_folder_without_a_model_is_named(config: Config, layout: Layout, tmp_path: Path) -> None:
    logs.write(layout.logs, SMALL)
    config.evaluation.embedding = str(tmp_path)
    with pytest.raises(MissingRequirementError, match=r"evaluation\.embedding="), open_log(config, layout):
        pass
