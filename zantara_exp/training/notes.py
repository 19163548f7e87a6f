"""What a model registry says of a model: its card, and what it was measured to be."""

from __future__ import annotations

import re

from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import ModelNotes
from zantara_exp.training.files import read_json

_PICTURE = re.compile(r"^!\[.*\]\(.*\)\n\n?", re.MULTILINE)


def notes_of(at: Layout) -> ModelNotes:
    """The card without its header and pictures, which lie in the model's folder; how it did on the test split."""
    card = (at.model / "README.md").read_text(encoding="utf-8")
    told = card.split("---\n", 2)[-1].strip() if card.startswith("---\n") else card
    told = _PICTURE.sub("", told)
    measured = (read_json(at.evaluation) or {}).get("splits", {}).get("test", {})
    metrics = {f"test/{name}": found["value"] for name, found in measured.items() if isinstance(found, dict)}
    return ModelNotes(told, metrics)
