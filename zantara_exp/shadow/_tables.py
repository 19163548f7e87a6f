"""Lines of the comparison log as tables: those in the writer's form at once, the others as the reader has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from zantara_exp.shadow.columns import COLUMNS, Taken, blocks, take
from zantara_exp.shadow.reader import HashUser, Quarantined, read_lines
from zantara_exp.shadow.record import Comparison, Drops, Side
from zantara_exp.usage import Billed, Usage

_ROWS = 20_000


class Tables:
    """Makes tables of comparisons, and gathers on the way what else the lines say."""

    def __init__(self, hash_user: HashUser) -> None:
        self._hash_user = hash_user
        self._drops: list[tuple[date, str, str, int]] = []
        """Day, epoch, reason, how many."""
        self.bad: list[Quarantined] = []
        """The lines that could not be read."""

    def of(self, source: Path) -> Iterator[Any]:
        """The comparisons of a file, in the order of its lines."""
        first = 1
        for content in blocks(source):
            taken = take(content)
            yield from self.merged(taken, source.name, first)
            first += taken.size

    def merged(self, taken: Taken, name: str, first: int) -> Iterator[Any]:
        """What was taken of a block of the file called `name`, and what the reader says of its other lines."""
        import pyarrow as pa

        items: list[Comparison | Drops | Quarantined] = []
        places = taken.lines.tolist()
        for place, line in taken.left:
            for item in read_lines([line], name, first + place, self._hash_user):
                items.append(item)
                places += [place] if isinstance(item, Comparison) else []
        tables = [table for table in (taken.table, *self.of_items(items)) if table is not None]
        if len(tables) > 1:
            yield pa.concat_tables(tables).take(np.argsort(places))
        else:
            yield from tables

    def of_items(self, items: Iterable[Comparison | Drops | Quarantined]) -> Iterator[Any]:
        """The comparisons among what the reader read."""
        rows: list[Comparison] = []
        for item in items:
            if isinstance(item, Quarantined):
                self.bad.append(item)
                continue
            day = item.timestamp.astimezone(UTC).date()
            self._drops += [(day, item.epoch, reason, lost) for reason, lost in item.dropped.items() if lost]
            if isinstance(item, Comparison):
                rows.append(item)
            if len(rows) == _ROWS:
                yield _table(rows)
                rows = []
        if rows:
            yield _table(rows)

    def of_drops(self) -> list[Any]:
        """What the lines read so far say was lost: a table, or none."""
        import pyarrow as pa

        if not self._drops:
            return []
        kinds = {"day": pa.date32(), "epoch": pa.string(), "reason": pa.string(), "count": pa.int64()}
        columns = zip(kinds.items(), zip(*self._drops, strict=True), strict=True)
        return [pa.table({name: pa.array(values, kind) for (name, kind), values in columns})]


def _table(rows: Sequence[Comparison]) -> Any:
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    moments = [row.timestamp.astimezone(UTC).replace(tzinfo=None) for row in rows]
    columns: dict[str, Any] = {"schema_version": pa.array([row.schema_version for row in rows], whole)}
    for name in ("comparison_id", "request_id", "conversation_id", "epoch", "arm"):
        columns[name] = pa.array([getattr(row, name) for row in rows], text)
    columns["timestamp"] = pa.array(moments, pa.timestamp("us"))
    columns["day"] = pa.array([moment.date() for moment in moments], pa.date32())
    columns["messages"] = pa.array([orjson.dumps(list(row.messages)).decode() for row in rows], text)
    for name in ("user", "query", "category", "language"):
        columns[name] = pa.array([getattr(row, name) for row in rows], text)
    for side in ("primary", "candidate"):
        answers = [_flat(getattr(row, side)) for row in rows]
        for name in answers[0]:
            counted, measured = name.startswith("usage"), name.endswith(("_ms", "_usd", "_seconds"))
            kind = pa.bool_() if name == "estimated" else whole if counted else real if measured else text
            columns[f"{side}_{name}"] = pa.array([answer[name] for answer in answers], kind)
    columns["attempt"] = pa.array([row.attempt for row in rows], whole)
    columns["sampling_percent"] = pa.array([row.sampling.percent for row in rows], real)
    columns["sampling_reason"] = pa.array([row.sampling.reason for row in rows], text)
    columns["scope_movable"] = pa.array([row.scope.movable for row in rows], pa.bool_())
    columns["scope_why_not"] = pa.array([row.scope.why_not for row in rows], text)
    return pa.table({name: columns[name] for name in COLUMNS})


def _flat(side: Side) -> dict[str, Any]:
    own = {name: getattr(side, name) for name in Side.__dataclass_fields__ if name not in ("usage", "billed")}
    usage = {f"usage_{name}": getattr(side.usage, name) for name in Usage.__dataclass_fields__ if name != "estimated"}
    billed = {f"billed_{name}": getattr(side.billed, name) for name in Billed.__dataclass_fields__}
    return own | usage | billed | {"estimated": side.usage.estimated}
