"""Measures how often language and category are right, on texts that somebody labelled by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import records
from zantara_exp.dataset.category import classifier, examples_of, kept_in
from zantara_exp.dataset.importing import json_lines
from zantara_exp.dataset.labelling.rows import UNSURE, load
from zantara_exp.dataset.language import detector
from zantara_exp.gates.intervals import exact_upper

_NAMES = {"language": ("language", "lang"), "category": ("category",)}


def fingerprint(config: Config) -> str:
    """Hash of the rows labelled by hand; "" where there are none."""
    path = file_of(config)
    return records.digest(path) if path is not None and path.is_file() else ""


def file_of(config: Config) -> Path | None:
    """The rows labelled by hand: `dataset.labelled`, or what stage=label kept; None where there are none."""
    if config.dataset.labelled:
        return Path(config.dataset.labelled)
    kept = Layout(config).labelled
    return kept if kept.is_file() else None


def labelled(config: Config) -> set[str]:
    """Conversations that somebody has labelled by hand."""
    path = file_of(config)
    return set(load(path)) if path is not None else set()


def confusion(path: Path, config: Config) -> dict[str, Any]:
    """For language and category: `matrix` (said by hand -> labelled as -> count), `accuracy` and `macro`, the mean of
    the labels' own shares of right answers. Labels that the config does not know are counted as `other labels`.

    Raises MissingInputError where the file is not there, ZantaraError where a line holds no `text`.
    """
    ask: Mapping[str, Callable[[str], str]] = {
        "language": detector(config).detect,
        "category": classifier(config).text,
    }
    known = {"language": set(config.dataset.languages), "category": set(config.domain.categories)}
    matrices: dict[str, dict[str, Counter[str]]] = {side: defaultdict(Counter) for side in ask}
    other: Counter[str] = Counter()
    for line in _by_chance(path, config):
        for side, label in ask.items():
            said = next((line[name] for name in _NAMES[side] if line.get(name)), None)
            if said in known[side]:
                matrices[side][said][label(line["text"])] += 1
            elif said is not None:
                other[side] += 1
    return {side: _scored(matrix) | {"other labels": other[side]} for side, matrix in matrices.items() if matrix}


def by_examples(config: Config) -> dict[str, Any] | None:
    """How right categories by `domain.examples` are, each example told by a model that has not seen it (nor a copy of
    it): as `confusion`; None without examples, or with too few. Told once for the same examples, and kept."""
    path = examples_of(config.domain)
    if path is None:
        return None
    kept = kept_in(path, Layout(config).state) / f"crossval-{records.digest(path)[:16]}.json"
    if kept.is_file():
        return records.read_json(kept, "analyze")
    from zantara_exp.dataset import crossval, examples

    try:
        found = crossval.scored(crossval.left_out(examples.read(path, "category")))
    except ZantaraError:
        return None
    with suppress(OSError):
        records.write_json(kept, found)
    return found


class Promise(NamedTuple):
    """Of the rows that have to stay with the primary, as labelled by hand."""

    rows: int
    moved: int
    """How many a rollout would move."""
    most: float
    """Upper bound of that share of all such messages, at 95 % (Clopper & Pearson 1934)."""


def promise(path: Path, config: Config) -> Promise:
    """How well is kept what `domain.moves` promises. Raises as `confusion` does."""
    sort, moves = classifier(config), set(config.domain.moves)
    stays = [
        line["text"]
        for line in _by_chance(path, config)
        if line.get("category") in config.domain.categories and line["category"] not in moves
    ]
    told = [sort.conversation([text]) for text in stays]
    moved = sum(each.category in moves and each.sure for each in told)
    most = float(exact_upper(moved, len(stays) - moved, 0.05)) if stays else 1.0
    return Promise(len(stays), moved, most)


def _by_chance(path: Path, config: Config) -> Iterator[Mapping[str, Any]]:
    """The rows that say something of all: not those that were asked because nothing told them well."""
    return (line for line in _lines(path, config) if line.get("drawn") != UNSURE)


def _lines(path: Path, config: Config) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(json_lines(path), 1):
        if not isinstance(line, Mapping) or not isinstance(line.get("text"), str):
            raise ZantaraError(f"dataset.labelled={path}, line {number} has no `text`", _written_as(config))
        yield line


def _written_as(config: Config) -> str:
    language, category = next(iter(config.domain.languages)), next(iter(config.domain.categories))
    return f'write {{"text": "...", "language": "{language}", "category": "{category}"}}'


def _scored(matrix: Mapping[str, Counter[str]]) -> dict[str, Any]:
    shares = [counts[said] / counts.total() for said, counts in matrix.items()]
    right = sum(counts[said] for said, counts in matrix.items())
    return {
        "matrix": {said: dict(counts.most_common()) for said, counts in sorted(matrix.items())},
        "accuracy": right / sum(counts.total() for counts in matrix.values()),
        "macro": sum(shares) / len(shares),
    }
