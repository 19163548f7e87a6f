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

import orjson

from zantara_exp.shadow.record import SCHEMA_VERSION, Side

_BLOCK = 8 << 20
_MOMENT = r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$"
_NEEDED = ("comparison_id", "request_id", "epoch", "arm", "user")
_BEGIN, _END = b'"messages":[', b'],"user":"'


class Block(NamedTuple):
    """Whole lines of a file."""

    first: int
    """Number of the first line, counted from 1."""
    content: bytes


def blocks(source: Path) -> Iterator[Block]:
    """The file's lines in blocks of some megabytes; the last line may lack its newline."""
    number, rest = 1, b""
    with source.open("rb") as file:
        while chunk := file.read(_BLOCK):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                rest += chunk
                continue
            content, rest = rest + chunk[:cut], chunk[cut:]
            yield Block(number, content)
            number += content.count(b"\n")
    if rest:
        yield Block(number, rest)


def plain(block: Block) -> Any:
    """The block as a table with the columns of `zantara_exp.shadow.compact`; None where it needs the reader."""
    import pyarrow as pa

    lines = block.content.split(b"\n")
    if lines.pop() or not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return None
    try:
        block.content.decode()
        rows = _parsed(block.content)
        # as many rows as lines, each line whole: then each line is one row
        return _table(rows, lines) if rows.num_rows == len(lines) and _as_written(rows) else None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _parsed(content: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import json

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    side = pa.struct([(item.name, _type(item.name)) for item in fields(Side)])
    ids = ("comparison_id", "request_id", "conversation_id", "epoch", "arm", "timestamp")
    schema = pa.schema(
        [
            ("schema_version", whole),
            ("record", text),
            *((name, text) for name in ids),
            *((name, text) for name in ("user", "query", "category", "language")),
            ("messages", pa.list_(pa.struct([("role", text), ("content", text)]))),
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
    return table.combine_chunks()


def _as_written(rows: Any) -> bool:
    """Whether every row is a comparison of version 2 that the reader would take as it stands."""
    import pyarrow.compute as pc

    def always(condition: Any) -> bool:
        return bool(pc.all(pc.fill_null(condition, False)).as_py())

    said = pc.list_flatten(rows["messages"]).combine_chunks()
    known = [item.name for item in fields(Side) if _type(item.name) != "string"]
    numbers = [pc.struct_field(rows[side], name) for side in ("primary", "candidate") for name in known]
    numbers.append(pc.struct_field(rows["sampling"], "percent"))
    return (
        always(pc.equal(rows["schema_version"], SCHEMA_VERSION))
        and always(pc.equal(rows["record"], "comparison"))
        and all(always(pc.not_equal(rows[name], "")) for name in _NEEDED)
        and always(pc.match_substring_regex(rows["timestamp"], _MOMENT))
        and not any(rows[name].null_count for name in ("messages", "primary", "candidate", "sampling"))
        and not said.null_count
        and not any(said.field(name).null_count for name in range(2))
        and all(pc.all(pc.is_finite(values.cast("float64"))).as_py() is not False for values in numbers)
        and all((pc.min(values).as_py() or 0) >= 0 for values in numbers if values.type == "int64")
    )


def _type(name: str) -> Any:
    """The type of a column that a side has."""
    import pyarrow as pa

    if name.startswith("tokens"):
        return pa.int64()
    return pa.float64() if name.endswith(("_ms", "_usd")) else pa.string()


def _table(rows: Any, lines: list[bytes]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = rows["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    ready = {
        "timestamp": moments,
        "messages": pa.array([_messages(line) for line in lines], pa.string()),
        "query": pc.fill_null(rows["query"], ""),
    }
    columns: dict[str, Any] = {}
    for name in rows.schema.names:
        if name in ("primary", "candidate", "sampling"):
            parts = rows[name].combine_chunks()
            columns |= {f"{name}_{part.name}": pc.struct_field(parts, part.name) for part in parts.type}
        elif name not in ("record", "dropped"):
            columns[name] = ready.get(name, rows[name])
        if name == "timestamp":
            columns["day"] = moments.cast(pa.date32())
    for side in ("primary", "candidate"):
        columns[f"{side}_response"] = pc.fill_null(columns[f"{side}_response"], "")
    return pa.table(columns)


def _messages(line: bytes) -> bytes:
    """The messages as the line has them: as JSON. No text of a line can hold these marks, its quotes are escaped."""
    begin = line.find(_BEGIN)
    end = line.find(_END, begin)
    if begin < 0 or end < 0:
        return orjson.dumps(orjson.loads(line)["messages"])
    return line[begin + len(_BEGIN) - 1 : end + 1]
