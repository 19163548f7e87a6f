"""How alike two answers are in meaning, where `evaluation.embedding` names a model: the column `embedding`.

Scored are the comparisons that have a chrF. A model on a processor takes minutes for what a query takes milliseconds
for, so scores are kept beside the facts, and a day that has grown is scored where it is new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.embedding import likeness
from zantara_exp.whole import unfinished

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.analysis.engine import Engine

_LONGEST = 4_000
"""Characters of an answer that are compared, as for chrF; a model reads fewer."""


def with_embedding(
    engine: Engine, facts: ir.Table, derived: Sequence[Path], sources: Sequence[Path], cache: Path, model: str
) -> ir.Table:
    """The facts with the cosine of each scored pair, -1 to 1; `sources` are the compacted files that `derived` are of.

    Raises ZantaraError where the model cannot be loaded.
    """
    folder = Path(model).expanduser()
    weights = max((file.stat().st_mtime_ns for file in folder.glob("*.safetensors")), default=0)
    mark = hashlib.sha256(f"{folder.resolve()}:{weights}".encode()).hexdigest()[:8]
    files = [
        _scored(of, source, cache / f"{of.stem}-{mark}.parquet", model)
        for of, source in zip(derived, sources, strict=True)
    ]
    scores = engine.read(files)
    once = scores.group_by("comparison_id").agg(embedding=scores.embedding.max())
    return facts.left_join(once, "comparison_id").drop("comparison_id_right")


def _scored(facts: Path, source: Path, target: Path, model: str) -> Path:
    """The file of scores for one file of facts; a kill leaves the old one or the new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(facts, columns=["comparison_id", "chrf", "candidate_ok"]).to_pylist()
    drawn = {row["comparison_id"]: row["candidate_ok"] for row in rows if row["chrf"] is not None}
    known: dict[str, float] = {}
    if target.is_file():
        old = pq.read_table(target)
        known = dict(zip(old["comparison_id"].to_pylist(), old["embedding"].to_pylist(), strict=True))
    if drawn.keys() == known.keys():
        return target
    # as with chrF: who got no answer where the primary gave one read nothing alike
    scores = {key: known.get(key, 0.0) for key, answered in drawn.items() if key in known or not answered}
    scores |= _measured(source, drawn.keys() - scores.keys(), model)
    table = {"comparison_id": pa.array(scores, pa.string()), "embedding": pa.array(scores.values(), pa.float64())}
    with unfinished(target) as waiting:
        pq.write_table(pa.table(table), waiting)
    return target


def _measured(source: Path, keys: set[str], model: str) -> Mapping[str, float]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted, pairs = pa.array(sorted(keys), pa.string()), dict[str, tuple[str, str]]()
    names = ["comparison_id", "candidate_response", "primary_response"]
    for batch in pq.ParquetFile(source).iter_batches(columns=names):
        rows: Any = batch.filter(pc.is_in(batch["comparison_id"], wanted))
        for key, ours, theirs in zip(*(rows[name].to_pylist() for name in names), strict=True):
            pairs.setdefault(key, (ours[:_LONGEST], theirs[:_LONGEST]))
    different = sorted(set(pairs.values()))
    cosines = likeness(model, [ours for ours, _ in different], [theirs for _, theirs in different]) if different else []
    found = dict(zip(different, cosines, strict=True))
    return {key: found[pair] for key, pair in pairs.items()}
