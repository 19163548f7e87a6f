"""Reads lines of the comparison log a block at a time, straight into columns.

Arrow's JSON reader is strict: with a schema it refuses a value of another type, an unknown or doubled field and a torn
line. So a block that it takes, and whose rows pass the few checks below, holds comparisons of version 2 and nothing
else, and becomes columns several times faster than line by line. Any other block is for `zantara_exp.shadow.reader`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from zantara_exp.shadow.record import LONGEST_MS, SCHEMA_VERSION, Side

_BLOCK = 2 << 20
"""What is made of so much stays in the processor's cache."""
_NEWLINE = ord("\n")
_NEEDED = ("comparison_id", "request_id", "epoch", "arm", "user")
_MOMENTS = (len("2025-10-21T08:14:05Z"), len("2025-10-21T08:14:05.120000Z"))
_BEGIN, _END = b'"messages":[', b'],"user":"'


class Block(NamedTuple):
    """Whole lines of a file."""

    first: int
    """Number of the first line, counted from 1."""
    content: bytes


def blocks(source: Path) -> Iterator[Block]:
    """The file's lines in blocks of some megabytes; the last line may lack its newline."""
    number = 1
    with source.open("rb") as file:
        while content := file.read(_BLOCK):
            if not content.endswith(b"\n"):
                content += file.readline()
            yield Block(number, content)
            if not content.endswith(b"\n"):
                return  # a writer may be about to go on with it
            number += int(np.count_nonzero(np.frombuffer(content, np.uint8) == _NEWLINE))


def plain(block: Block) -> Any:
    """The block as a table with the columns of `zantara_exp.shadow.compact`; None where it needs the reader."""
    import pyarrow as pa

    data = np.frombuffer(block.content, np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    starts = np.concatenate([[0], ends + 1])
    # each line whole, as many rows as lines: then each line is one row
    if starts[-1] != data.size or (data[starts[:-1]] != ord("{")).any() or (data[ends - 1] != ord("}")).any():
        return None
    try:
        _texts(block.content, starts).validate(full=True)  # UTF-8, which the parser does not look at
        rows = _parsed(block.content)
        if rows is None or rows.num_rows != ends.size or not _as_written(rows):
            return None
        return _table(rows, _messages(block.content, starts[:-1], ends))
    except pa.ArrowInvalid:
        return None


def _texts(content: bytes, offsets: Any) -> Any:
    """What lies between the offsets, as an array of texts that is no copy."""
    import pyarrow as pa

    places = pa.py_buffer(np.ascontiguousarray(offsets, np.int64))
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, places, pa.py_buffer(content))


def _parsed(content: bytes) -> Any:
    """The lines as one batch; None where the parser did not take them as one."""
    import pyarrow as pa
    from pyarrow import json

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    side = pa.struct([(item.name, _type(item.name)) for item in fields(Side)])
    ids = ("record", "comparison_id", "request_id", "conversation_id", "epoch", "arm", "timestamp")
    schema = pa.schema(
        [
            ("schema_version", whole),
            *((name, text) for name in ids),
            ("messages", pa.list_(pa.struct([("role", text), ("content", text)]))),
            *((name, text) for name in ("user", "query", "category", "language")),
            ("primary", side),
            ("candidate", side),
            ("sampling", pa.struct([("percent", real), ("reason", text)])),
            ("dropped", pa.struct([])),  # whoever lost something is read line by line
        ]
    )
    table = json.read_json(
        pa.BufferReader(content),
        read_options=json.ReadOptions(use_threads=False, block_size=len(content) + 1),
        parse_options=json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    parts = table.to_batches()
    return parts[0] if len(parts) == 1 else None


def _as_written(rows: Any) -> bool:
    """Whether every row is a comparison of version 2 that the reader would take as it stands, if its time is one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def always(condition: Any) -> bool:
        return bool(pc.all(pc.fill_null(condition, False)).as_py())

    said = pc.list_flatten(rows["messages"])
    sides = [rows[side] for side in ("primary", "candidate")]
    whole = [side.field(item.name) for side in sides for item in fields(Side) if _type(item.name) == "int64"]
    real = [side.field(item.name) for side in sides for item in fields(Side) if _type(item.name) == "double"]
    taken = [side.field(name) for side in sides for name in ("latency_ms", "ttft_ms")]
    percent = pc.struct_field(rows["sampling"], "percent")
    return (
        always(pc.equal(rows["schema_version"], SCHEMA_VERSION))
        and always(pc.equal(rows["record"], "comparison"))
        and all(always(pc.not_equal(rows[name], "")) for name in _NEEDED)
        and always(pc.is_in(pc.binary_length(rows["timestamp"]), pa.array(_MOMENTS, pa.int32())))
        and always(pc.ends_with(rows["timestamp"], "Z"))
        and always(pc.greater_equal(rows["timestamp"], "0001"))
        and not any(rows[name].null_count for name in ("messages", "primary", "candidate", "sampling"))
        and not said.null_count
        and not any(said.field(name).null_count for name in range(2))
        and all(pc.all(pc.is_finite(values)).as_py() is not False for values in (*real, percent))
        and all((pc.max(values).as_py() or 0) <= LONGEST_MS for values in taken)
        and all((pc.min(values).as_py() or 0) >= 0 for values in whole)
    )


def _type(name: str) -> Any:
    """The type of a column that a side has."""
    import pyarrow as pa

    if name.startswith("tokens"):
        return pa.int64()
    return pa.float64() if name.endswith(("_ms", "_usd")) else pa.string()


def _table(rows: Any, messages: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = rows["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    ready = {"timestamp": moments, "messages": messages, "query": pc.fill_null(rows["query"], "")}
    columns: dict[str, Any] = {}
    for name in rows.schema.names:
        if name in ("primary", "candidate", "sampling"):
            columns |= {f"{name}_{part.name}": pc.struct_field(rows[name], part.name) for part in rows[name].type}
        elif name not in ("record", "dropped"):
            columns[name] = ready.get(name, rows[name])
        if name == "timestamp":
            columns["day"] = moments.cast(pa.date32())
    for side in ("primary", "candidate"):
        columns[f"{side}_response"] = pc.fill_null(columns[f"{side}_response"], "")
    return pa.table(columns)


def _messages(content: bytes, starts: Any, ends: Any) -> Any:
    """The messages as each line has them: as JSON. No text of a line can hold these marks, its quotes are escaped."""
    import pyarrow as pa

    bounds = list(zip(starts.tolist(), ends.tolist(), strict=True))
    begins = [content.find(_BEGIN, start, end) for start, end in bounds]
    closes = [content.find(_END, begin, end) for begin, (_, end) in zip(begins, bounds, strict=True)]
    if min(begins) < 0 or min(closes) < 0:  # written in another order
        found = (orjson.loads(content[start:end])["messages"] for start, end in bounds)
        return pa.array([orjson.dumps(messages) for messages in found], pa.string())
    edges = np.stack([np.array(begins) + len(_BEGIN) - 1, np.array(closes) + 1], axis=1).ravel()
    # every second text is a line's messages, the others lie between
    return _texts(content, edges).take(pa.array(np.arange(0, edges.size, 2))).cast(pa.string())
