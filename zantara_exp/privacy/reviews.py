"""Reviews: the pairs of a forgotten user lose their texts, what people said of them stays.

A sample is sealed by a hash over all that was drawn, so taking texts out of it makes another sample: it is sealed
anew, the labels and the worksheet are moved to the new hash, and the record of removals says old hash and new. Verdicts
and critical bugs stay, since deleting a user must neither hide a bug nor better a score; an unjudged pair has to be
judged `cannot`. A gate that looks once, and has looked, says that its look is spent on the sample as it was.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.io.whole_files import write_whole
from zantara_exp.privacy.what_goes import Whose
from zantara_exp.review import labels as labelled
from zantara_exp.review import sample as sampled
from zantara_exp.review.sample import Check, Item, Sample
from zantara_exp.review.sheet import SEEN, sheet

REMOVED = "[removed]"


def samples(layout: Layout) -> list[Path]:
    """The sample of each candidate, and earlier ones that were set aside."""
    return [path for each in layout.family() for path in _own_samples(each)]


def _own_samples(layout: Layout) -> list[Path]:
    return sorted(layout.review_sample.parent.glob("sample*.json"))


def affected(layout: Layout, whose: Whose) -> dict[str, list[int]]:
    """Hash of a sample -> numbers of its pairs that go. A sample that cannot be read is left to `broken`."""
    found = {}
    for path in samples(layout):
        sample = _loaded(path)
        if sample is not None and (gone := sorted({*_pairs(sample, whose), *_checks(sample, whose)})):
            found[sample.hash] = gone
    return found


def broken(layout: Layout) -> list[Path]:
    """Samples that are no samples: no evidence, and whose texts they hold cannot be told."""
    return [path for path in samples(layout) if _loaded(path) is None]


def _loaded(path: Path) -> Sample | None:
    try:
        return sampled.load(path)
    except ZantaraError:
        return None


def _pairs(sample: Sample, whose: Whose) -> set[int]:
    """Numbers of the pairs whose texts go."""
    left = (item for item in (*sample.items, *sample.beside) if item.question != REMOVED)
    return {item.number for item in left if _is_old(sample, whose) or item.comparison_id in whose.comparisons}


def _checks(sample: Sample, whose: Whose) -> set[int]:
    """Numbers of the hidden checks with a text that goes; what was said of them stays, since it measures who judges."""
    left, old = (check for check in sample.checks if check.sources), _is_old(sample, whose)
    return {check.item.number for check in left if old or not whose.comparisons.isdisjoint(check.sources)}


def _is_old(sample: Sample, whose: Whose) -> bool:
    return whose.before is not None and sample.until < whose.before.date().isoformat()


def forget(layout: Layout, whose: Whose) -> dict[str, str]:
    """Take the texts out; old hash -> new hash of every sample that was sealed anew.

    Labels and worksheet go first, the sample last: after a kill the same command finds what is left to do.
    """
    return {old: new for each in layout.family() for old, new in _forget(each, whose).items()}


def _forget(layout: Layout, whose: Whose) -> dict[str, str]:
    moved = {}
    for path in _own_samples(layout):
        sample = _loaded(path)
        if sample is None:
            path.unlink()
            continue
        gone = _pairs(sample, whose) | _checks(sample, whose)
        if not gone:
            continue
        fresh = replace(
            sample,
            items=_without(sample.items, gone),
            beside=_without(sample.beside, gone),
            checks=tuple(_without_texts(check) if check.item.number in gone else check for check in sample.checks),
        )
        _move_labels(layout.review_labels, sample, fresh, gone)
        for worksheet in _worksheets(layout, path):
            _move_sheet(worksheet, sample, fresh, gone)
        sampled.save(fresh, path)
        moved[sample.hash] = fresh.hash
    return moved


def _without(items: tuple[Item, ...], gone: set[int]) -> tuple[Item, ...]:
    return tuple(_emptied(item, f"removed-{item.number}") if item.number in gone else item for item in items)


def _emptied(item: Item, comparison: str) -> Item:
    return replace(item, comparison_id=comparison, context="", question=REMOVED, answer_a=REMOVED, answer_b=REMOVED)


def _without_texts(check: Check) -> Check:
    return replace(check, item=_emptied(check.item, check.item.comparison_id), sources=())


def _worksheets(layout: Layout, sample: Path) -> list[Path]:
    name = layout.review_sheet.name.replace("review_sheet", sample.stem.replace("sample", "review_sheet", 1))
    return [path for path in [layout.review_sheet.with_name(name)] if path.is_file()]


def _move_labels(path: Path, old: Sample, new: Sample, gone: set[int]) -> None:
    ids = {item.number: item.comparison_id for item in new.shown if item.number in gone}

    def moved(known: list[labelled.Label]) -> list[labelled.Label]:
        return [_moved(label, new, ids) if label.sample == old.hash else label for label in known]

    labelled.change(path, moved)


def _moved(label: labelled.Label, new: Sample, ids: Mapping[int, str]) -> labelled.Label:
    if label.pair not in ids:
        return replace(label, sample=new.hash)
    return replace(label, sample=new.hash, comparison_id=ids[label.pair], comment="")


def _move_sheet(path: Path, old: Sample, new: Sample, gone: set[int]) -> None:
    """What reviewers filled in stays; what they were shown is written anew."""
    shown = {row["pair"]: row for row in csv.DictReader(io.StringIO(sheet(new, ()), newline=""))}
    filled = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    rows, columns = list(filled), list(filled.fieldnames or ())
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\r\n", extrasaction="ignore", restval="")
    writer.writeheader()
    for row in rows:
        fresh = shown.get((row.get("pair") or "").strip())
        if row.get("sample") == old.hash and fresh is not None:
            given = {name: row.get(name) or "" for name in columns if name not in SEEN}
            comment = "" if int(fresh["pair"]) in gone else given.get("comment", "")
            row = {**fresh, **given, "comment": comment}
        writer.writerow(row)
    write_whole(path, out.getvalue().encode("utf-8-sig"))
