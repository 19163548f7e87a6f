"""A folder through which workers hand over files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from zantara_exp.io.whole_files import beside, remove_leftovers


@contextmanager
def scratch(dataset: Path, name: str) -> Iterator[Path]:
    """A folder within the dataset's, which workers see as well; it is gone afterwards, and what a kill left before."""
    place = dataset / name
    dataset.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place)
    made = beside(place)
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        rmtree(made, ignore_errors=True)
