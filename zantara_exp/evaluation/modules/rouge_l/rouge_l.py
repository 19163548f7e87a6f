"""ROUGE-L: F-score of the longest common subsequence of words, 0 to 1. Lin 2004, https://aclanthology.org/W04-1013.

Words are runs of letters and digits of any alphabet; the stock tokenizer would drop accented letters.
"""

import re
from typing import Any

import datasets
import evaluate
from rouge_score import rouge_scorer


class _Words:
    def tokenize(self, text: str) -> list[str]:
        """Lower-case words."""
        return re.findall(r"\w+", text.lower())


class RougeL(evaluate.Metric):  # type: ignore[misc]
    """Longest-common-subsequence F-score of each answer against its reference."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=_Words())
        pairs = zip(predictions, references, strict=True)
        scores = [float(scorer.score(wanted, said)["rougeL"].fmeasure) for said, wanted in pairs]
        return {"rouge_l": sum(scores) / len(scores), "scores": scores}
