"""chrF: F-score over character n-grams up to 6, 0 to 100. Popovic 2015, https://aclanthology.org/W15-3049.

It needs no word list, so it treats Italian, English and Indonesian alike; beta is 2, sacrebleu's default.
"""

from typing import Any

import datasets
import evaluate
import sacrebleu


class Chrf(evaluate.Metric):  # type: ignore[misc]
    """Character n-gram F-score of each answer against its reference."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        scores = [float(sacrebleu.sentence_chrf(said, [wanted]).score) for said, wanted in pairs]
        return {"chrf": sum(scores) / len(scores), "scores": scores}
