"""Scores of answers by the libraries that own them; the local `evaluate` module also loads without the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zantara_exp.evaluation.scores import chrf, exact_match, rouge_l

MODULES = Path(__file__).resolve().parents[2] / "zantara_exp/evaluation/modules"


def test_chrf_is_sacrebleus():
    from sacrebleu import sentence_chrf

    assert chrf(["il visto costa", "halo"], ["il visto costa poco", "halo"]) == [
        sentence_chrf("il visto costa", ["il visto costa poco"]).score, 100.0
    ]  # fmt: skip


def test_rouge_l_knows_accents():
    assert rouge_l(["perché no", "una città", "è vero"], ["perché sì", "una citta", "vero"]) == [
        0.5, 0.5, pytest.approx(2 / 3)
    ]  # fmt: skip


def test_exact_match_ignores_white_space():
    assert exact_match(["a  b\n", "a"], ["a b", "b"]) == [1.0, 0.0]


def test_a_score_needs_a_reference_for_each_answer():
    for score in (exact_match, chrf, rouge_l):
        with pytest.raises(ValueError, match=r"(?i)mismatch|shorter|longer"):
            score(["a", "b"], ["a"])


def test_the_evaluate_module_loads_offline_by_its_path(tmp_path: Path):
    code = (
        "import evaluate, sys; m = evaluate.load(sys.argv[1]);"
        "print(m.compute(predictions=['halo', 'a'], references=['halo', 'b'])['exact_match'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(MODULES / "exact_match")],
        capture_output=True, text=True, env=os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout.strip().endswith("0.5"), done.stderr
