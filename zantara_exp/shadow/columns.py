"""Comparisons as columns, a block of lines at a time: only what facts are made of.

Lines exactly as the writer writes them (`_line_format.py`), with values of the right kind, are read together.
Any other line, wrong or only written in another way, is left to `zantara_exp.shadow.reader`, which parses it. (DuckDB's
JSON functions were tried: with the same checks they take two to three times the processor time, and without them wrong
lines count.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import orjson

from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.io.event_log import Block, Part
from zantara_exp.shadow._line_format import NAMES, NUMBERS, TEXTS, Form
from zantara_exp.shadow.reader import HashUser, Quarantined, read_lines
from zantara_exp.shadow.record import LONGEST_MS, Comparison, Side

_TOO_LARGE = 2**31
"""Arrow's offsets into texts are 32-bit integers."""

_SIDES = ("primary", "candidate")
_PARTS = tuple(f"usage_{name}" for name in Usage.__dataclass_fields__ if name != "estimated")
_ANSWER = (
    *("response", "model", "provider", "error", "latency_ms", "waited_ms"),
    *(*_PARTS, "billed_usd", "billed_seconds"),
)
COLUMNS = (
    *("comparison_id", "epoch", "arm", "timestamp", "user", "query", "category", "language"),
    *(f"{side}_{name}" for side in _SIDES for name in _ANSWER),
    *("sampling_percent", "sampling_reason", "scope_movable", "scope_why_not"),
)
"""The columns that are read from a line."""
_ESTIMATED = tuple(f"{side}_estimated" for side in _SIDES)
_CALLED = {"candidate_id": "epoch"}
"""Names of columns that differ from the line's key."""
_READ = np.array([_CALLED.get(name, name) in COLUMNS for name in NAMES])
_EMPTY = ("query", "primary_response", "candidate_response")
"""Columns in which a missing text is empty instead of null."""
_NUMBER = r"^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_TIMES = np.array([name.endswith("_ms") for name in NAMES])
_COUNTS = np.array(["_usage_" in name or name == "attempt" for name in NAMES])


class Columns:
    """Makes tables of a day's lines, and collects losses, removed rows and bad lines on the way."""

    def __init__(self, hash_user: HashUser) -> None:
        self._hash_user = hash_user
        self.drops: Counter[tuple[str, str, str]] = Counter()
        """Losses that the lines report, by day, epoch and reason."""
        self.removed = 0
        """Rows whose line `stage=forget` has emptied."""
        self.bad: list[Quarantined] = []
        """The lines that could not be read."""

    def of(self, part: Part) -> Iterator[Any]:
        """The comparisons of a part, in order: COLUMNS, `day`, the flags of estimates, and `place`."""
        for block in part.blocks():
            yield from self.of_block(block, part.name)

    def of_block(self, block: Block, name: str) -> Iterator[Any]:
        """The same for a block of lines of the part called `name`."""
        import pyarrow as pa

        taken = take(block.content)
        rows, places = [], []
        for line, text in taken.left:
            self.removed += block.positions is not None and not text.strip()
            for item in read_lines([text], name, block.first + line, self._hash_user):
                if isinstance(item, Quarantined):
                    self.bad.append(item)
                    continue
                day = item.timestamp.astimezone(UTC).date().isoformat()
                self.drops.update({(day, item.epoch, reason): lost for reason, lost in item.dropped.items() if lost})
                if isinstance(item, Comparison):
                    rows.append(item)
                    places.append(line)
        tables = [_placed(taken.table, taken.lines, block, taken.ends)] if taken.table is not None else []
        if rows:
            tables.append(_placed(_of_items(rows), np.array(places), block, taken.ends))
        if len(tables) > 1:
            yield pa.concat_tables(tables).sort_by("place")
        else:
            yield from tables


def _placed(table: Any, lines: Any, block: Block, ends: Any) -> Any:
    """Add each line's place: its position in the table, or its first byte in the file. `ends` is of all lines."""
    import pyarrow as pa

    if block.positions is not None:
        places = np.asarray(block.positions, np.int64)[lines]
    else:
        places = block.place + np.concatenate([[0], ends + 1])[lines]
    return table.append_column("place", pa.array(places, pa.int64()))


class Taken(NamedTuple):
    """The outcome of reading a block."""

    table: Any
    """The comparisons; None if there are none."""
    lines: Any
    """The line of each comparison, counted from 0."""
    left: list[tuple[int, bytes]]
    """The other lines, with their places."""
    ends: Any
    """The place of each newline in the block."""


def take(content: bytes) -> Taken:
    """Make columns of the lines that are in the writer's form."""
    import pyarrow as pa

    table, lines = None, np.array([], np.int64)
    if len(content) >= _TOO_LARGE:
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    else:
        form = Form(content)
        ends = form.ends
        with suppress(pa.ArrowInvalid):  # not UTF-8, or a time that does not exist
            _spans(content, np.array([[0]]), np.array([[len(content)]])).validate(full=True)
            table, lines = _table(form)
    if lines.size == ends.size and content.endswith(b"\n"):
        return Taken(table, lines, [], ends)
    known = set(lines.tolist())
    return Taken(table, lines, [line for line in enumerate(BytesIO(content)) if line[0] not in known], ends)


def _table(form: Form) -> tuple[Any, Any]:
    """The lines as columns, and their numbers; None if there are none. Raises ArrowInvalid for a wrong time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not form.lines.size:
        return None, form.lines
    numbers, right = _numbers(form)
    columns = _texts(form) | numbers | {name: pa.array(np.zeros(form.lines.size, bool)) for name in _ESTIMATED}
    columns["timestamp"] = columns["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    columns["day"] = columns["timestamp"].cast(pa.date32())
    columns |= {name: pc.fill_null(columns[name], "") for name in _EMPTY}
    columns["scope_movable"] = pc.equal(columns["scope_movable"], "true")
    table = pa.table({name: columns[name] for name in (*COLUMNS, "day", *_ESTIMATED)})
    if right.all():
        return table, form.lines
    return (table.filter(pa.array(right)) if right.any() else None), form.lines[right]


def _texts(form: Form) -> dict[str, Any]:
    which = np.flatnonzero(~NUMBERS & _READ)
    quote = TEXTS[which].astype(np.int64)
    begins, stops = form.begins.take(which, axis=1) + quote, form.stops.take(which, axis=1) - quote
    null = form.null.take(which, axis=1)
    texts, size = _unescaped(form, _spans(form.content, begins, stops, null), begins, stops, quote), len(begins)
    names = [_CALLED.get(NAMES[column], NAMES[column]) for column in which]
    return {name: texts.slice(place * size, size) for place, name in enumerate(names)}


def _unescaped(form: Form, texts: Any, begins: Any, stops: Any, quote: Any) -> Any:
    """The texts with their escapes resolved; messages stay JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.escapes is None:
        return texts
    edges = np.stack([begins, stops], axis=2).ravel()
    cells = np.unique(np.searchsorted(edges, form.escapes, side="right") - 1)
    cells = cells[cells % 2 == 0] // 2  # the others are in lines that are left to the reader
    cells = cells[quote[cells % quote.size] > 0]
    cells = cells[np.argsort(cells % quote.size, kind="stable")]  # column after column
    bounds = zip(begins.ravel()[cells].tolist(), stops.ravel()[cells].tolist(), strict=True)
    meant = orjson.loads(b"[%b]" % b",".join(form.content[begin - 1 : stop + 1] for begin, stop in bounds))
    mask = np.zeros(begins.size, bool)
    mask[cells] = True
    mask = mask.reshape(begins.shape).T.ravel()
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(meant, pa.string()))


def _numbers(form: Form) -> tuple[dict[str, Any], Any]:
    """The columns of numbers, and which lines have only numbers that the reader would accept."""
    import pyarrow as pa
    import pyarrow.compute as pc

    which = np.flatnonzero(NUMBERS)
    begins, stops = form.begins.take(which, axis=1), form.stops.take(which, axis=1)
    said = ~form.null.take(which, axis=1)
    texts = _spans(form.content, begins[said][:, None], stops[said][:, None])
    good = np.ones(said.shape, bool)
    good[said] = pc.match_substring_regex(texts, _NUMBER).to_numpy(zero_copy_only=False)
    said &= good
    if not good.all():
        texts = _spans(form.content, begins[said][:, None], stops[said][:, None])
    values = np.zeros(said.shape)
    values[said] = texts.cast(pa.float64()).to_numpy()
    whole = _COUNTS[which]
    good &= np.isfinite(values) & (~_TIMES[which] | (values <= LONGEST_MS))
    good &= ~whole | ((values < 2**63) & (values == np.floor(values)))
    values[~good] = 0
    columns = {
        NAMES[column]: pa.array(values[:, place].astype(np.int64 if whole[place] else np.float64), mask=~said[:, place])
        for place, column in enumerate(which)
        if _READ[column]
    }
    return columns, good.all(axis=1)


def _spans(content: bytes, begins: Any, stops: Any, null: Any = None) -> Any:
    """The bytes between the places, as texts or nulls, column after column."""
    import pyarrow as pa

    edges = np.empty((*begins.shape, 2), np.int32)
    edges[:, :, 0], edges[:, :, 1] = begins, stops
    between = pa.StringArray.from_buffers(edges.size - 1, pa.py_buffer(edges), pa.py_buffer(content))
    # every second text is the gap between two of ours
    places = np.arange(0, edges.size, 2).reshape(begins.shape).T.ravel()
    return between.take(pa.array(places, mask=None if null is None else null.T.ravel()))


def no_rows() -> Any:
    """An empty table with all columns."""
    return _placed(_of_items([]), np.array([], np.int64), Block(b"", 1, 0), np.array([], np.int64))


def _of_items(rows: Sequence[Comparison]) -> Any:
    """The reader's records in the same columns."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    moments = [row.timestamp.astimezone(UTC).replace(tzinfo=None) for row in rows]
    columns: dict[str, Any] = {"timestamp": pa.array(moments, pa.timestamp("us"))}
    columns["day"] = columns["timestamp"].cast(pa.date32())
    for name in ("comparison_id", "epoch", "arm", "user", "query", "category", "language"):
        columns[name] = pa.array([getattr(row, name) for row in rows], text)
    for side in _SIDES:
        answers = [_flat(getattr(row, side)) for row in rows]
        for name in (*_ANSWER, "estimated"):
            measured = name.endswith(("_ms", "_usd", "_seconds"))
            kind = pa.bool_() if name == "estimated" else whole if name in _PARTS else real if measured else text
            columns[f"{side}_{name}"] = pa.array([answer[name] for answer in answers], kind)
    columns["sampling_percent"] = pa.array([row.sampling.percent for row in rows], real)
    columns["sampling_reason"] = pa.array([row.sampling.reason for row in rows], text)
    columns["scope_movable"] = pa.array([row.scope.movable for row in rows], pa.bool_())
    columns["scope_why_not"] = pa.array([row.scope.why_not for row in rows], text)
    return pa.table({name: columns[name] for name in (*COLUMNS, "day", *_ESTIMATED)})


def _flat(side: Side) -> dict[str, Any]:
    billed = {f"billed_{name}": getattr(side.billed, name) for name in Billed.__dataclass_fields__}
    usage = {name: getattr(side.usage, name.removeprefix("usage_")) for name in _PARTS}
    own = {name: getattr(side, name) for name in Side.__dataclass_fields__}
    return {name: (own | usage | billed)[name] for name in _ANSWER} | {"estimated": side.usage.estimated}
