"""Some comparisons to read: both answers side by side, what differs marked, everything escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.analysis.texts import comparisons_at
from zantara_exp.shadow.record import Comparison

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.dataset.redact import Redactor

_SHOWN_OF = ("comparison_id", "part", "place", "day", "language", "category", "chrf", "embedding")
_SHOWN = 1_200
"""Characters of a text that are shown; a 1 MB answer must not become a 1 MB page."""


@dataclass(frozen=True)
class Pair:
    """One comparison, ready for the page; the answers are marked up, the rest is plain text."""

    about: str
    query: str
    primary: Markup
    candidate: Markup
    said: Sequence[tuple[str, str, str]] = ()
    """Who said what of it, and why."""


def draw(log: ComparisonLog, facts: ir.Table, count: int, seed: int, redactor: Redactor) -> list[Pair]:
    """`count` answered comparisons drawn at random, the same ones for a seed and a log; the least alike first."""
    if not count:
        return []
    import ibis

    both = facts.filter(facts.candidate_ok & facts.primary_ok)
    order = (both.comparison_id + ibis.literal(f":{seed}")).hexdigest("md5")
    named = both.select(*_SHOWN_OF, order=order)
    drawn = fetched(named.order_by("order").limit(count)).to_pylist()
    return [shown_pair(row) for row in sorted(texts(log, drawn, redactor), key=lambda row: row["chrf"] or 0.0)]


def texts(log: ComparisonLog, facts: Sequence[Mapping[str, Any]], redactor: Redactor) -> list[dict[str, Any]]:
    """The texts of these facts (`comparison_id`, `part`, `place` and others), in their order, without personal data.

    Versions 2 and 3 are written redacted, version 1 is not, so all of it is redacted here.
    """
    found = dict(comparisons_at(log.parts, [(row["part"], row["place"]) for row in facts]))
    return [{**_texts(found[row["part"], row["place"]], redactor), **row} for row in facts]


def _texts(item: Comparison, redactor: Redactor) -> dict[str, Any]:
    clean = redactor.conversation().text
    earlier = [{**message, "content": clean(message["content"])} for message in item.messages]
    return {
        "messages": json.dumps(earlier, ensure_ascii=False),
        "query": clean(item.query),
        "primary_response": clean(item.primary.response),
        "candidate_response": clean(item.candidate.response),
    }


def shown_pair(row: Mapping[str, Any]) -> Pair:
    """A fact with its texts, ready for the page."""
    alike = "not scored" if row["chrf"] is None else f"chrF {row['chrf']:.0f}"
    about = [row["day"].isoformat(), row["language"], row["category"], alike]
    if row["embedding"] is not None:
        about.append(f"embedding {row['embedding']:.2f}")
    primary, candidate = marked(cut(row["primary_response"]), cut(row["candidate_response"]))
    return Pair(" · ".join(about), cut(row["query"]), primary, candidate)


def cut(text: str | None) -> str:
    """The beginning of a text, and how much more there is."""
    text = text or ""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} [... {len(text) - _SHOWN:,} more characters]"


def marked(left: str, right: str) -> tuple[Markup, Markup]:
    """Both texts escaped, with the words that only one of them has in <mark>."""
    ours, theirs = re.findall(r"\s+|\S+", left), re.findall(r"\s+|\S+", right)
    sides = Markup(), Markup()
    for kind, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        pieces = escape("".join(ours[a:b])), escape("".join(theirs[c:d]))
        if kind != "equal":
            pieces = tuple(Markup("<mark>{}</mark>").format(piece) if piece.strip() else piece for piece in pieces)  # type: ignore[assignment]
        sides = sides[0] + pieces[0], sides[1] + pieces[1]
    return sides
