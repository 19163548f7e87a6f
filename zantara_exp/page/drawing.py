"""What draws plots on a page: uPlot, which travels in the package, and the script that report and live page share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any


def plots_style() -> str:
    """The style of plots, uPlot's and ours."""
    own = files("zantara_exp.page")
    return "\n".join(
        own.joinpath(name).read_text(encoding="utf-8").strip() for name in ("uplot/uPlot.min.css", "plots.css")
    )


def plots_script() -> str:
    """uPlot with its licence, and what draws with it; its first line, a comment with an address, stays behind."""
    own = files("zantara_exp.page")
    licence, library, ours = (
        own.joinpath(name).read_text(encoding="utf-8").strip()
        for name in ("uplot/LICENSE", "uplot/uPlot.iife.min.js", "plots.js")
    )
    return f"/*! uPlot 1.6.32\n{licence}\n*/\n{library.partition('*/')[2].strip()}\n{ours}\n"


def plots_data(plots: Sequence[Any]) -> str:
    """Plots as JSON that stays data within a page, whatever the texts in it say."""
    text = json.dumps(plots, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
