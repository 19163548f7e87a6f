"""How often the labels are right: language and category of texts that somebody labelled by hand, beside ours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zantara_exp.config.data import CATEGORIES, Dataset
from zantara_exp.config.schema import Config
from zantara_exp.dataset import records
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.importing import json_lines
from zantara_exp.dataset.language import detector
from zantara_exp.errors import ZantaraError

_NAMES = {"language": ("language", "lang"), "category": ("category",)}


def fingerprint(config: Config) -> str:
    """Hash of the file of `dataset.labelled`; "" where there is none."""
    path = Path(config.dataset.labelled or "")
    return records.digest(path) if path.is_file() else ""


def confusion(path: Path, dataset: Dataset) -> dict[str, Any]:
    """For language and category: `matrix` (said by hand -> labelled as -> count), `accuracy` and `macro`, the mean of
    the labels' own shares of right answers. Labels that the config does not know are counted as `other labels`.

    Raises MissingInputError where the file is not there, ZantaraError where a line holds no `text`.
    """
    ask: Mapping[str, Callable[[str], str]] = {
        "language": detector(dataset).detect,
        "category": classifier(dataset).text,
    }
    known = {"language": set(dataset.languages), "category": set(CATEGORIES)}
    matrices: dict[str, dict[str, Counter[str]]] = {side: defaultdict(Counter) for side in ask}
    other: Counter[str] = Counter()
    for number, line in enumerate(json_lines(path), 1):
        if not isinstance(line, Mapping) or not isinstance(line.get("text"), str):
            raise ZantaraError(
                f"dataset.labelled={path}, line {number} has no `text`",
                'write {"text": "...", "language": "it", "category": "business"}',
            )
        for side, label in ask.items():
            said = next((line[name] for name in _NAMES[side] if line.get(name)), None)
            if said in known[side]:
                matrices[side][said][label(line["text"])] += 1
            elif said is not None:
                other[side] += 1
    return {side: _scored(matrix) | {"other labels": other[side]} for side, matrix in matrices.items() if matrix}


def _scored(matrix: Mapping[str, Counter[str]]) -> dict[str, Any]:
    shares = [counts[said] / counts.total() for said, counts in matrix.items()]
    right = sum(counts[said] for said, counts in matrix.items())
    return {
        "matrix": {said: dict(counts.most_common()) for said, counts in sorted(matrix.items())},
        "accuracy": right / sum(counts.total() for counts in matrix.values()),
        "macro": sum(shares) / len(shares),
    }
