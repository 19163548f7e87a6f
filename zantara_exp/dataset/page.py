"""The findings of `analyze` as one HTML page without scripts or outside assets; `prepare` adds the splits."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from zantara_exp.core.layout import Layout
from zantara_exp.dataset import records

NAME = "analysis.html"
_CONTROLS = dict.fromkeys(
    [code for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
     if chr(code) not in "\n\t"], "\ufffd",
)  # fmt: skip
"""Control characters, and marks that turn the writing direction."""


def write(layout: Layout) -> None:
    """Write the page beside analysis.json, from it and from prepare.json where that is of the same conversations."""
    facts = records.read_json(layout.analysis, "analyze")
    if "raw_sha256" not in facts or "findings" not in facts:
        return  # written by an older version, which made no page
    prepared = records.read_json(layout.prepare_summary, "prepare") if layout.prepare_summary.exists() else {}
    same = prepared.get("raw_sha256") == facts["raw_sha256"]
    records.write_text(layout.dataset / NAME, page(facts, prepared if same else {}))


def page(facts: Mapping[str, Any], prepared: Mapping[str, Any]) -> str:
    """The page's HTML; everything that came from a chat or a config is escaped by the template."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_printable)
    source = files("zantara_exp.dataset").joinpath("analysis.html.jinja").read_text(encoding="utf-8")
    total = facts["conversations"]
    return environment.from_string(source).render(
        first=facts["first"][:10],
        last=facts["last"][:10],
        tiles=_tiles(facts),
        sides=[(side, _bars(facts[side]["shares"], facts[side]["aims"])) for side in ("language", "category")],
        joint_columns=["", *facts["category"]["shares"]],
        joint=_joint(facts),
        week_columns=["week", "conversations", *_labels(facts), "pass the filters"],
        weeks=_weeks(facts),
        findings=facts["findings"],
        refused=_refused(facts),
        same=[[each["answer"], f"{each['questions']:,}", f"{each['share']:.1%}"] for each in facts["same_answers"]],
        lengths=[
            [name, *(f"{values[which]:,.0f}" for which in ("p50", "p95", "mean", "max"))]
            for name, values in facts["lengths"].items()
            if values
        ],
        models=[[name, f"{count:,}", f"{count / total:.1%}"] for name, count in facts["models"].items()],
        users=[[name, _figure(value, name)] for name, value in facts["users"].items()],
        labels=list(facts["label_examples"].items()),
        examples=list(facts["refused_examples"].items()),
        quarantined=list(facts.get("quarantine_examples", {}).items()),
        confusion=[(side, _confusion(found)) for side, found in facts["confusion"].items()],
        splits=_splits(prepared),
    )


def _printable(value: Any) -> Any:
    return value.translate(_CONTROLS) if isinstance(value, str) else value


def _tiles(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    quality, users = facts["quality"], facts["users"]
    low, high = quality["interval"]
    busiest = f"the busiest tenth wrote {users['share of the busiest tenth']:.0%}"
    return [
        ("Conversations", f"{facts['conversations']:,}", f"{len(facts['weeks'])} calendar weeks"),
        ("Users", f"{users['count']:,}", busiest),
        ("Pass the filters", f"{quality['share']:.1%}", f"{low:.1%} to {high:.1%}; target {quality['target']:.0%}"),
        *(
            (f"Farthest off: {side}", f"{100 * facts[side]['deviation']:.1f} points", "from its target")
            for side in ("language", "category")
        ),
    ]


def _bars(shares: Mapping[str, Any], aims: bool) -> list[dict[str, Any]]:
    made = []
    for name, row in shares.items():
        low, high = row["interval"]
        made.append(
            {
                "name": name,
                "share": _percent(row["share"]),
                "low": _percent(low),
                "width": _percent(high - low),
                "target": _percent(row["target"]) if aims else "",
                "text": f"{row['share']:.1%} ({low:.1%} to {high:.1%})",
            }
        )
    return made


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _joint(facts: Mapping[str, Any]) -> list[list[str]]:
    languages, categories = facts["language"]["shares"], facts["category"]["shares"]
    aims = facts["language"]["aims"] and facts["category"]["aims"]
    rows = []
    for language, spoken in languages.items():
        cells = [language]
        for category, asked in categories.items():
            count = facts["joint"].get(language, {}).get(category, 0)
            aim = f" · {spoken['target'] * asked['target']:.0%}" if aims else ""
            cells.append(f"{count:,} · {count / facts['conversations']:.1%}{aim}")
        rows.append(cells)
    return rows


def _labels(facts: Mapping[str, Any]) -> list[str]:
    return [name for side in ("language", "category") for name in facts[side]["shares"]]


def _weeks(facts: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for week in facts["weeks"]:
        shares = [
            f"{week[side].get(name, 0.0):.0%}" for side in ("language", "category") for name in facts[side]["shares"]
        ]
        rows.append([week["week"], f"{week['conversations']:,}", *shares, f"{week['quality']:.0%}"])
    return rows


def _refused(facts: Mapping[str, Any]) -> list[list[str]]:
    turns, rows = facts["turns"]["rejected"], []
    for reason in {**facts["refused"], **turns}:
        chats = facts["refused"].get(reason, 0)
        rows.append([reason, f"{chats:,}", f"{chats / facts['conversations']:.1%}", f"{turns.get(reason, 0):,}"])
    return rows


def _figure(value: float, name: str) -> str:
    return f"{value:.0%}" if name.startswith("share") else f"{value:,.1f}".removesuffix(".0")


def _confusion(found: Mapping[str, Any]) -> dict[str, Any]:
    matrix = found["matrix"]
    labels = sorted({*matrix, *(label for counts in matrix.values() for label in counts)})
    right = {said: counts.get(said, 0) / sum(counts.values()) for said, counts in matrix.items()}
    return {
        "accuracy": f"{found['accuracy']:.1%}",
        "macro": f"{found['macro']:.1%}",
        "other": found["other labels"],
        "columns": ["", *labels, "right"],
        "rows": [
            [said, *(str(counts.get(label, 0)) for label in labels), f"{right[said]:.1%}"]
            for said, counts in matrix.items()
        ],
    }


def _splits(prepared: Mapping[str, Any]) -> dict[str, Any]:
    if not prepared:
        return {}
    return {
        "rows": [[name, f"{count:,}", f"{prepared['users'][name]:,}"] for name, count in prepared["examples"].items()],
        "leakage": [[what, str(count)] for what, count in prepared["leakage"].items()],
        "missing": prepared["missing"],
    }
