"""Files of every format and packing hold the same records; what cannot be read stops nothing."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset.messages import Unreadable
from zantara_exp.dataset.reading import paths_of, placed

CHAT = [{"role": "user", "content": "Ciao, come va?"}, {"role": "assistant", "content": 'Bene,\n"grazie"; e tu?'}]
RECORDS: list[dict[str, Any]] = [{"id": f"c{number}", "messages": CHAT, "user_id": "anna"} for number in range(3)]


def _csv(delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    rows = csv.writer(out, delimiter=delimiter)
    rows.writerow(["id", "messages", "user_id", "rating"])
    rows.writerows([each["id"], json.dumps(each["messages"]), each["user_id"], ""] for each in RECORDS)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _parquet() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(RECORDS), out)
    return out.getvalue()


def _zstd(data: bytes) -> bytes:
    packed: pyarrow.Buffer = pyarrow.compress(data, codec="zstd")
    return packed.to_pybytes()


LINES = "".join(json.dumps(each) + "\n" for each in RECORDS).encode()
FORMATS: dict[str, bytes] = {
    "chats.jsonl": LINES,
    "chats": LINES,
    "chats.ndjson": b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\r\n"),
    "chats.json": json.dumps(RECORDS).encode(),
    "indented.json": json.dumps(RECORDS, indent=2).encode(),
    "api.json": json.dumps({"object": "list", "data": RECORDS, "has_more": False}, indent=2).encode(),
    "chats.csv": _csv(","),
    "excel.csv": _csv(";"),
    "chats.tsv": _csv("\t"),
    "chats.parquet": _parquet(),
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": _zstd,
}  # fmt: skip


def read(path: Path) -> list[Any]:
    found = []
    for each in placed(path):
        record = dict(each.record)
        record["messages"] = (
            json.loads(record["messages"]) if isinstance(record["messages"], str) else record["messages"]
        )
        found.append(record)
    return found


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_the_same(tmp_path: Path, name: str, packing: str) -> None:
    path = tmp_path / f"{name}{packing}"
    path.write_bytes(PACKINGS[packing](FORMATS[name]))
    if name.endswith(".parquet") and packing:
        with pytest.raises(ZantaraError, match="unpack it"):
            read(path)
        return
    assert read(path) == RECORDS
    assert [each.number for each in placed(path)] in ([1, 2, 3], [1, 3, 5])


def test_a_folder_and_a_glob_are_read_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.csv", "sub/c.jsonl.gz", "notes.txt", ".hidden.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in paths_of(str(tmp_path))]
    assert names == ["a.csv", "b.jsonl", "sub/c.jsonl.gz"]
    assert [path.name for path in paths_of(f"{tmp_path}/*.jsonl")] == ["b.jsonl"]
    assert [path.name for path in paths_of(f"{tmp_path}/**/*.gz")] == ["c.jsonl.gz"]
    for nothing in ("none.jsonl", "*.parquet", "none/"):
        with pytest.raises(MissingInputError, match="is not there"):
            paths_of(str(tmp_path / nothing))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="holds no file of these kinds"):
        paths_of(str(tmp_path / "empty"))


def test_a_record_that_cannot_be_read_stands_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": \n{"id": "\xff"}\n' + b"[" * 5000 + b"\n" + b'{"id": 5}\n')
    found = [each.record for each in placed(path)]
    assert found[1] == found[3] == Unreadable("not_json") or found[3] == Unreadable("too_deep")
    assert [found[0], found[4]] == [{"id": 1}, {"id": 5}]
    assert len(found) == 5


def test_a_list_of_messages_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(CHAT) + "\n" + json.dumps({"conversations": [{"from": "human", "value": "Hi"}]}) + "\n")
    assert [each.record for each in placed(path)] == [CHAT, {"conversations": [{"from": "human", "value": "Hi"}]}]


@pytest.mark.parametrize("name", ["chats.parquet", "chats.jsonl.zst", "chats.csv.gz"])
def test_half_a_file_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    base, _, packing = name.rpartition(".") if name.count(".") > 1 else (name, "", "")
    data = FORMATS[base] if packing == "" else PACKINGS[f".{packing}"](FORMATS[base] * 500)
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ZantaraError, match=name):
        list(placed(tmp_path / name))
