"""What was found with each client, as docs/clients.md shows it: compared with the page, or written there anew.

WRITE_CLIENTS=yes .venv/bin/python -m pytest tests/clients/test_official.py
WRITE_CLIENTS=yes scripts/extras clients node
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clients.ways import Row

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clients.md"
CLIENTS = {
    "official": ("anthropic", "openai"),
    "others": ("litellm", "langchain-anthropic", "langchain-openai"),
    "node": ("@anthropic-ai/sdk", "openai", "ai", "@ai-sdk/anthropic", "@ai-sdk/openai"),
}
"""The packages of each part of the page."""
_HEADS = ("client", "call", "as directly", "mirrored", "tokens in the log", "moved, `whole`", "moved, `live`")
_SEVERAL = "; "


def compare(part: str, rows: Sequence[Row], *, whole: bool) -> None:
    """Hold what was found against the page; `whole`: these are all rows. Where WRITE_CLIENTS is set, write it first."""
    if whole and os.environ.get("WRITE_CLIENTS"):
        _write(part, rows)
    told = [line for line in _section(part).splitlines() if line.startswith("| ")]
    if whole:
        assert _lines(rows) == told
    else:
        assert _calls(_lines(rows)) <= _calls(told)


def versions_said(part: str) -> Mapping[str, str]:
    """Those with which the page says that a part was found."""
    return dict(re.findall(r"`([\w@/-]+)` ([\d.]+\d)", _section(part)))


def versions_locked(part: str) -> Mapping[str, str]:
    """Those that are installed for its tests."""
    locks = "".join((ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8") for name in ("dev", "clients"))
    named = dict(re.findall(r"^([\w-]+)==([\w.]+)", locks, re.MULTILINE))
    if part == "node":
        named = json.loads((ROOT / "tests/clients/node/package.json").read_text(encoding="utf-8"))["dependencies"]
    return {name: named[name] for name in CLIENTS[part]}


def _section(part: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"<!-- {part} -->\n")[2].partition(f"<!-- end of {part} -->")[0]


def _write(part: str, rows: Sequence[Row]) -> None:
    said = ", ".join(f"`{name}` {version}" for name, version in versions_locked(part).items())
    section = "\n".join([f"Found with {said}.", "", *_lines(rows), ""])
    before, start, rest = PAGE.read_text(encoding="utf-8").partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- end of {part} -->")
    PAGE.write_text("".join([before, start, section, end, after]), encoding="utf-8")


def _lines(rows: Sequence[Row]) -> list[str]:
    """A table; calls of one client that fare alike share a line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in rows:
        fate = (each.client, each.same, each.mirrored, each.tokens, each.whole, each.live)
        alike.setdefault(fate, []).append(each.call)
    lines = [_line([client, _SEVERAL.join(calls), *fate]) for (client, *fate), calls in alike.items()]
    return [_line(_HEADS), _line(["---"] * len(_HEADS)), *lines]


def _calls(lines: Sequence[str]) -> set[tuple[str, ...]]:
    """Client, call and how it fared, one by one."""
    rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[2:]]
    return {(client, call, *fate) for client, calls, *fate in rows for call in calls.split(_SEVERAL)}


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
