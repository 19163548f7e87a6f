"""A file of payments, which several processes append to and sum up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson


class Ledger:
    """Payments by day and by whom, one JSON object a line: each process reads on where it stopped.

    A line is one append, which the file system does not mix with another's.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self._paid: Counter[tuple[str, str]] = Counter()

    def pay(self, day: str, usd: float, by: str = "") -> None:
        """Write down one payment."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            file.write(orjson.dumps({"day": day, "usd": usd, **({"by": by} if by else {})}) + b"\n")

    def paid(self, day: str, by: str = "") -> float:
        """What was paid on a day, by this process and by all others."""
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.read()
            lines = lines[: lines.rfind(b"\n") + 1]
            self._read += len(lines)
            for of, usd in _payments(lines):
                self._paid[of] += usd  # type: ignore[assignment]  # a Counter adds up whatever adds up
        return float(self._paid[day, by])


def _payments(lines: bytes) -> Iterator[tuple[tuple[str, str], float]]:
    for line in lines.split(b"\n"):
        try:
            row = orjson.loads(line)
            yield (str(row["day"]), str(row.get("by", ""))), float(row["usd"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue  # cut off by a kill
