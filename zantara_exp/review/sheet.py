"""The worksheet: the blinded sample as a CSV that any spreadsheet opens, and back.

A reviewer fills in `better` (A, B, same, cannot) and, where there is one, `critical_bug` (A, B, both); the rest is
welcome and not needed. Which side is the candidate's stands only in the sealed sample.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.review.sample import Item, Sample

SEEN = ("sample", "pair", "language", "category", "context", "question", "answer_a", "answer_b")
_SAID = ("better", "critical_bug", "comment")
_BEGINS_FORMULA = tuple("=+-@＝＋－＠")
_BETTER = {
    "a": "A",
    "b": "B",
    "same": "same",
    "equal": "same",
    "=": "same",
    "cannot": "cannot",
    "cannot judge": "cannot",
}
_SIDES = {"": "", "a": "A", "b": "B", "both": "AB", "ab": "AB", "neither": "", "none": "", "no": ""}


@dataclass(frozen=True)
class Answer:
    """One filled-in row, still blind."""

    number: int
    better: str
    """A, B, same or cannot."""
    critical: str
    """Sides with a critical bug: a part of `AB`."""
    rubric: dict[str, str] = field(default_factory=dict)
    """Sides that deserve each word of `domain.rubric`: A, B, both or neither."""
    comment: str = ""


def sheet(sample: Sample, rubric: Iterable[str]) -> str:
    """The worksheet of a sample, as CSV, with a column for each word of the rubric."""
    columns = [*SEEN, "better", "critical_bug", *rubric, "comment"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for item in sample.shown:
        writer.writerow([*_seen(sample, item), *([""] * (len(columns) - len(SEEN)))])
    return out.getvalue()


def _seen(sample: Sample, item: Item) -> list[str]:
    texts = (item.language, item.category, item.context, item.question, item.answer_a, item.answer_b)
    return [sample.hash, str(item.number), *(_inert(text) for text in texts)]


def _inert(text: str) -> str:
    """Text that a spreadsheet does not run as a formula, also where it trims, or takes wide signs for plain ones."""
    return f"'{text}" if text.lstrip()[:1] in _BEGINS_FORMULA or text[:1] in ("\t", "\r", "\n") else text


def read(path: Path, sample: Sample) -> Iterator[Answer]:
    """The rows of a worksheet that were filled in.

    Raises MissingInputError without the file, ZantaraError when it is of another sample, when what was shown has
    been changed, or when an entry is none of the valid ones; the message names row and value.
    """
    if not path.is_file():
        raise MissingInputError(
            f"review.labels={path} does not exist", command("stage=review", note="writes the worksheet")
        )
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ZantaraError(f"{path.name} is no CSV in UTF-8: {error}", "save the worksheet as CSV (UTF-8)") from error
    lacking = [name for name in (*SEEN, "better", "critical_bug") if not rows or name not in rows[0]]
    if lacking:
        raise ZantaraError(f"{path.name} has no column {', '.join(lacking)}", "save the worksheet as CSV with commas")
    items = {str(item.number): item for item in sample.shown}
    done: set[str] = set()
    for line, row in enumerate(rows, 2):
        where = f"{path.name}, row {line}"
        item = items.get((row["pair"] or "").strip())
        if row["sample"] != sample.hash or item is None:
            raise ZantaraError(f"{where} belongs to another sample than {sample.hash}", command("stage=review"))
        if row["pair"] in done:
            raise ZantaraError(f"{where}: pair {row['pair']} stands there twice", "remove one of the two")
        done.add(row["pair"])
        _check_unchanged(row, sample, item, where)
        if (row["better"] or "").strip() or (row["critical_bug"] or "").strip():
            yield _answer(row, item, where)


def _check_unchanged(row: dict[str, str], sample: Sample, item: Item, where: str) -> None:
    for name, expected in zip(SEEN, _seen(sample, item), strict=True):
        if _plain(row[name] or "") != _plain(expected):
            raise ZantaraError(
                f"{where}: {name} is not what was drawn, so this row is no evidence", command("stage=review")
            )


def _plain(text: str) -> str:
    """Without what spreadsheets change on their own: line ends, doubled spaces, the guard against formulas."""
    return re.sub(r"\s+", " ", text).strip().removeprefix("'")


def _answer(row: dict[str, str], item: Item, where: str) -> Answer:
    better = _BETTER.get((row["better"] or "").strip().lower())
    if better is None:
        raise ZantaraError(f"{where}: better='{row['better']}'; valid are A, B, same, cannot", "correct the worksheet")
    rubric = {name: _sides(row.get(name) or "", name, where) for name in row if name not in (*SEEN, *_SAID)}
    critical = _sides(row["critical_bug"] or "", "critical_bug", where)
    return Answer(item.number, better, critical, rubric, (row.get("comment") or "").strip())


def _sides(text: str, name: str, where: str) -> str:
    sides = _SIDES.get(text.strip().lower())
    if sides is None:
        raise ZantaraError(f"{where}: {name}='{text}'; valid are A, B, both, neither", "correct the worksheet")
    return sides
