"""The local `evaluate` modules: as classes, and loaded from their folder without the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = Path(__file__).resolve().parents[2] / "zantara_exp/evaluation/modules"


def compute(module, predictions: list[str], references: list[str], scratch: Path) -> dict:
    return module(keep_in_memory=True, cache_dir=str(scratch)).compute(predictions=predictions, references=references)


def test_chrf_is_sacrebleus(tmp_path: Path):
    from sacrebleu import sentence_chrf

    from zantara_exp.evaluation.modules.chrf.chrf import Chrf

    found = compute(Chrf, ["il visto costa", "halo"], ["il visto costa poco", "halo"], tmp_path)
    assert found["scores"] == [sentence_chrf("il visto costa", ["il visto costa poco"]).score, 100.0]
    assert found["chrf"] == pytest.approx(sum(found["scores"]) / 2)


def test_rouge_l_knows_accents(tmp_path: Path):
    from zantara_exp.evaluation.modules.rouge_l.rouge_l import RougeL

    found = compute(RougeL, ["perché no", "una città"], ["perché sì", "una citta"], tmp_path)
    assert found["scores"] == [0.5, 0.5]


def test_exact_match_ignores_white_space(tmp_path: Path):
    from zantara_exp.evaluation.modules.exact_match.exact_match import ExactMatch

    found = compute(ExactMatch, ["a  b\n", "a"], ["a b", "b"], tmp_path)
    assert (found["exact_match"], found["scores"]) == (0.5, [1.0, 0.0])


def test_a_folder_loads_offline_by_its_path(tmp_path: Path):
    code = (
        "import evaluate, sys; m = evaluate.load(sys.argv[1]);"
        "print(m.compute(predictions=['halo'], references=['halo'])['chrf'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(MODULES / "chrf")],
        capture_output=True, text=True, env=os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout.strip().endswith("100.0"), done.stderr
