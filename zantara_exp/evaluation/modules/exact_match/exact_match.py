"""Exact match: the share of answers that are the reference, differences in white space aside."""

from typing import Any

import datasets
import evaluate


class ExactMatch(evaluate.Metric):  # type: ignore[misc]
    """1 where an answer equals its reference, else 0."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        scores = [float(said.split() == wanted.split()) for said, wanted in pairs]
        return {"exact_match": sum(scores) / len(scores), "scores": scores}
