"""Copies of chats: pages, worksheets and reports on disk, and what MLflow keeps of them with its runs.

Nothing there says whose it is, so it is looked for by its traces (`Whose.traces_in`); a page with one of them goes
whole, because the command that wrote it writes it again without.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.privacy.reviews import samples
from zantara_exp.privacy.what_goes import Whose
from zantara_exp.tracking import Artifact, erase_artifacts, erase_traces, erase_waiting

_TEXTS = (".html", ".csv", ".json", ".jsonl", ".md", ".txt", ".log")
"""Endings of files that may hold a chat; weights and pictures do not."""


def pages(layout: Layout) -> Iterator[Path]:
    """Files that were made from chats and are not handled line by line."""
    own = {layout.incidents, layout.splits, *samples(layout)}
    for at in layout.family():
        own |= {at.review_labels, at.review_sheet, at.judged, at.judged_moved}
    for folder in (layout.reports, layout.dataset, layout.models):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            lines = path.suffix == ".jsonl" and folder != layout.reports
            if path.is_file() and path.suffix in _TEXTS and path not in own and not lines:
                yield path


def forget_pages(layout: Layout, whose: Whose, dry: bool) -> list[str]:
    """Remove the pages that hold a trace; their names."""
    gone = []
    for path in pages(layout):
        old = whose.before is not None and path.stat().st_mtime < whose.before.timestamp() and path.suffix == ".html"
        if old or whose.traces_in(path.read_text(encoding="utf-8", errors="replace")):
            gone.append(path.name)
            if not dry:
                path.unlink()
    return gone


def forget_pending(layout: Layout, whose: Whose, dry: bool) -> int:
    """Remove traces from the runs that wait for MLflow; how many files had one."""
    return erase_waiting(layout, whose.traces_in, dry=dry)


def forget_in_mlflow(
    config: Config, layout: Layout, whose: Whose, pairs: dict[str, list[int]], dry: bool
) -> Counter[str]:
    """Remove artifacts with a trace from all runs of the experiment, and the traces of reviewed pairs; run -> how many.

    Raises what MLflow raises: a store that is away has not forgotten anybody.
    """

    def goes(artifact: Artifact) -> bool:
        old = whose.before is not None and artifact.run_started < whose.before
        quotes = not artifact.path.startswith("config/") and artifact.path.endswith((".html", ".csv", ".jsonl"))
        return (old and quotes) or whose.traces_in(artifact.text)

    done = erase_artifacts(config.tracking, layout, _TEXTS, goes, dry=dry)
    reviewed = {f"review:{sample}": numbers for sample, numbers in pairs.items()}
    done["reviewed pairs"] = erase_traces(config.tracking, layout, reviewed, dry=dry)
    return +done


def forget_caches(folders: list[Path]) -> None:
    """Remove what is made anew from the logs when it is not there."""
    for folder in folders:
        shutil.rmtree(folder)
