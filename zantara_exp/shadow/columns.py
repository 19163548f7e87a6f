"""Reads lines of the comparison log a block at a time, straight into columns.

A line is taken only if it is as the writer writes it (`zantara_exp.shadow._form`), byte by byte, with values of the
right kind. Any other line, wrong or only written in another way, is left to `zantara_exp.shadow.reader`, which says
what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from zantara_exp.packed import reading
from zantara_exp.shadow._form import AGAIN, NAMES, NUMBERS, TEXTS, Form
from zantara_exp.shadow.record import LONGEST_MS, SCHEMA_VERSION

_BLOCK = 4 << 20
"""Each step of the work is done for so much at once: less is more steps, more is more memory."""
_TOO_LARGE = 2**31
"""Arrow's texts count their bytes in 32 bits."""

_SIDES = ("primary", "candidate")
_SAID_AGAIN = {f"{side}_{name}" for side in _SIDES for name in AGAIN}
_ESTIMATED = tuple(f"{side}_estimated" for side in _SIDES)
COLUMNS = ("schema_version", *NAMES[:6], "day", *(name for name in NAMES[6:] if name not in _SAID_AGAIN), *_ESTIMATED)
"""Of the tables that are made of lines."""
_EMPTY = ("query", "primary_response", "candidate_response")
"""Texts that are empty where there is none."""
_NUMBER = r"^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_TIMES = np.array([name.endswith("_ms") for name in NAMES])
_COUNTS = np.array(["_usage_" in name or name == "attempt" for name in NAMES])


class Taken(NamedTuple):
    """What was made of a block."""

    table: Any
    """Comparisons, with the columns of `zantara_exp.shadow.compact`; None where there are none."""
    lines: Any
    """Of each comparison its line in the block, counted from 0."""
    left: list[tuple[int, bytes]]
    """The other lines, with their places."""
    size: int
    """How many lines there are."""


def blocks(source: Path) -> Iterator[bytes]:
    """The file's lines, some megabytes at a time; the last may lack its newline."""
    with reading(source) as file:
        while content := file.read(_BLOCK):
            if not content.endswith(b"\n"):
                content += file.readline()
            yield content
            if not content.endswith(b"\n"):
                return  # a writer may be about to go on with it


def take(content: bytes) -> Taken:
    """Make columns of the lines that are in the writer's form."""
    import pyarrow as pa

    table, lines, size = None, np.array([], np.int64), -1
    if len(content) < _TOO_LARGE:
        form = Form(content)
        size = form.ends.size
        with suppress(pa.ArrowInvalid):  # it is not all UTF-8, or a time of the right form is none
            _spans(content, np.array([[0]]), np.array([[len(content)]])).validate(full=True)
            table, lines = _table(form)
    if lines.size == size and content.endswith(b"\n"):
        return Taken(table, lines, [], size)
    known, every = set(lines.tolist()), list(enumerate(BytesIO(content)))
    return Taken(table, lines, [line for line in every if line[0] not in known], len(every))


def _table(form: Form) -> tuple[Any, Any]:
    """The lines as columns, and which lines; None where there are none. Raises ArrowInvalid for a wrong time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not form.lines.size:
        return None, form.lines
    numbers, right = _numbers(form)
    columns = {"schema_version": pa.array(np.full(form.lines.size, SCHEMA_VERSION)), **_texts(form), **numbers}
    columns |= {name: pa.array(np.zeros(form.lines.size, bool)) for name in _ESTIMATED}
    columns["timestamp"] = columns["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    columns["day"] = columns["timestamp"].cast(pa.date32())
    columns |= {name: pc.fill_null(columns[name], "") for name in _EMPTY}
    columns["attempt"] = pc.fill_null(columns["attempt"], 1)
    columns["scope_movable"] = pc.equal(columns["scope_movable"], "true")
    table = pa.table({name: columns[name] for name in COLUMNS})
    if right.all():
        return table, form.lines
    return (table.filter(pa.array(right)) if right.any() else None), form.lines[right]


def _texts(form: Form) -> dict[str, Any]:
    which = np.flatnonzero(~NUMBERS)
    quote = TEXTS[which].astype(np.int64)
    begins, stops = form.begins.take(which, axis=1) + quote, form.stops.take(which, axis=1) - quote
    null = form.null.take(which, axis=1)
    texts, size = _unescaped(form, _spans(form.content, begins, stops, null), begins, stops, quote), len(begins)
    return {NAMES[column]: texts.slice(place * size, size) for place, column in enumerate(which)}


def _unescaped(form: Form, texts: Any, begins: Any, stops: Any, quote: Any) -> Any:
    """Texts as they are meant, but for messages, which stay JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.escapes is None:
        return texts
    edges = np.stack([begins, stops], axis=2).ravel()
    cells = np.unique(np.searchsorted(edges, form.escapes, side="right") - 1)
    cells = cells[cells % 2 == 0] // 2  # the others are of lines that are left to the reader
    cells = cells[quote[cells % quote.size] > 0]
    cells = cells[np.argsort(cells % quote.size, kind="stable")]  # column after column
    bounds = zip(begins.ravel()[cells].tolist(), stops.ravel()[cells].tolist(), strict=True)
    meant = orjson.loads(b"[%b]" % b",".join(form.content[begin - 1 : stop + 1] for begin, stop in bounds))
    mask = np.zeros(begins.size, bool)
    mask[cells] = True
    mask = mask.reshape(begins.shape).T.ravel()
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(meant, pa.string()))


def _numbers(form: Form) -> tuple[dict[str, Any], Any]:
    """Columns of numbers, and which lines have none that the reader would refuse."""
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
    }
    return columns, good.all(axis=1)


def _spans(content: bytes, begins: Any, stops: Any, null: Any = None) -> Any:
    """What lies between the places, as texts or nulls, column after column."""
    import pyarrow as pa

    edges = np.empty((*begins.shape, 2), np.int32)
    edges[:, :, 0], edges[:, :, 1] = begins, stops
    between = pa.StringArray.from_buffers(edges.size - 1, pa.py_buffer(edges), pa.py_buffer(content))
    # every other text lies between two of ours
    places = np.arange(0, edges.size, 2).reshape(begins.shape).T.ravel()
    return between.take(pa.array(places, mask=None if null is None else null.T.ravel()))
