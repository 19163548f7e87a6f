"""How alike two answers are in meaning, where `evaluation.embedding` names a model: the column `embedding`.

Scored are the comparisons that have a chrF. A model on a processor takes minutes for what a query takes milliseconds
for, so scores are kept beside the facts, and a day that has grown is scored where it is new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.analysis.kept_scores import keep, kept
from zantara_exp.analysis.texts import pairs_at
from zantara_exp.io.event_log import Part
from zantara_exp.text.embedding import likeness

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.analysis.engine import Engine

_LONGEST = 4_000
"""Characters of an answer that are compared, as for chrF; a model reads fewer."""


def with_embedding(
    engine: Engine, facts: ir.Table, derived: Sequence[Path], parts: Sequence[Part], cache: Path, model: str
) -> ir.Table:
    """The facts with the cosine of each scored pair, -1 to 1; `derived` are their files, `parts` the log's.

    Raises ZantaraError where the model cannot be loaded.
    """
    folder = Path(model).expanduser()
    weights = max((file.stat().st_mtime_ns for file in folder.glob("*.safetensors")), default=0)
    mark = hashlib.sha256(f"{folder.resolve()}:{weights}".encode()).hexdigest()[:8]
    files = [_scored(of, parts, cache / f"{of.parent.name}-{of.stem}-{mark}.parquet", model) for of in derived]
    scores = engine.read(files)
    once = scores.group_by("comparison_id").agg(embedding=scores.embedding.max())
    return facts.left_join(once, "comparison_id").drop("comparison_id_right")


def _scored(facts: Path, parts: Sequence[Part], target: Path, model: str) -> Path:
    """The file of scores for one file of facts."""
    import pyarrow.parquet as pq

    table = pq.read_table(facts, columns=["comparison_id", "chrf", "candidate_ok", "part", "place"])
    drawn = {row["comparison_id"]: row for row in table.filter(table["chrf"].is_valid()).to_pylist()}
    known = kept(target, "embedding")
    if target.is_file() and drawn.keys() == known.keys():
        return target
    # as with chrF: who got no answer where the primary gave one read nothing alike
    scores = {key: known.get(key, 0.0) for key, row in drawn.items() if key in known or not row["candidate_ok"]}
    new = [row for key, row in drawn.items() if key not in scores]
    scores |= dict(zip((row["comparison_id"] for row in new), _measured(pairs_at(parts, new), model), strict=True))
    keep(target, "embedding", scores)
    return target


def _measured(pairs: Sequence[tuple[str, str]], model: str) -> list[float]:
    cut = [(ours[:_LONGEST], theirs[:_LONGEST]) for ours, theirs in pairs]
    different = sorted(set(cut))
    cosines = likeness(model, [ours for ours, _ in different], [theirs for _, theirs in different]) if different else []
    found = dict(zip(different, cosines, strict=True))
    return [found[pair] for pair in cut]
