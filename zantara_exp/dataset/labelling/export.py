"""Rows to label, as a file: chats drawn at random, and the ones whose category is the least sure.

  {"conversation_id": "...", "user": "...", "text": "...", "language": "", "category": "", "by": "", "drawn": "random"}

Fill in `language` and `category`. The file is what `dataset.labelled` names, what stage=label keeps, and what a
domain's examples are made of. The rows at random measure our labels; the least sure ones teach the most, and measure
nothing: a share of them is a share of nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.dataset.category import classifier
from zantara_exp.dataset.labelling.rows import UNSURE, Item, Label, drawn, keep, load
from zantara_exp.dataset.records import Record

_RANDOM, _LEAST_SURE = 100, 100
_LOOKED_AT = 20_000
"""Users among whose questions the least sure are looked for."""


class Exported(NamedTuple):
    """What there is to label."""

    rows: int
    filled: int
    """Rows that somebody has filled in: then the file is left as it is."""
    unsure: int
    """Rows that were drawn because their category is not sure."""


def export(conversations: Sequence[Record], known: Collection[str], path: Path, config: Config) -> Exported:
    """Write the rows, one per user, without conversations that are `known`, labelled already."""
    there = load(path, empty=True)
    filled = sum(bool(row.category) for row in there.values())
    if not filled:
        left = [record for record in conversations if record["conversation_id"] not in known]
        there = {row.conversation_id: row for row in _rows(drawn(left, _LOOKED_AT, config.seed), config)}
        keep(path, there)
    return Exported(len(there), filled, sum(row.drawn == UNSURE for row in there.values()))


def _rows(items: Sequence[Item], config: Config) -> list[Label]:
    """`items` are in an order that is chance. A text that stands twice is asked once."""
    once = list({item.text: item for item in reversed(items)}.values())[::-1]
    doubt = classifier(config).doubt
    least_sure = sorted(once[_RANDOM:], key=lambda item: -doubt(item.text))[:_LEAST_SURE]
    chosen = [*((item, "random") for item in once[:_RANDOM]), *((item, UNSURE) for item in least_sure)]
    return [Label(item.id, item.user, item.text, "", "", "", why) for item, why in chosen]
