"""The picture of stage=power: probability of a pass by day, one panel per criterion, one line per truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zantara_exp.config.gate import Gate
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.operating import Curve
from zantara_exp.io.whole_files import unfinished


def draw_power(
    criteria: Mapping[str, Sequence[Curve]], expected: Curve | None, gate: Gate, days: int, path: Path
) -> None:
    """Write a PNG; criteria without a go threshold show the probability of NO_GO instead."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(criteria.items()) + ([("all together, as expected", [expected])] if expected else [])
    columns = min(3, max(1, len(panels)))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.2 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    axis_days = range(1, days + 1)
    for axis, (name, curves) in zip(axes, panels, strict=False):
        criterion = gate.criteria.get(name)
        passing = criterion is None or bool(criterion.go.given)
        for place, curve in enumerate(curves):
            value = next(iter(curve.case.truths.values()))
            shade = 0.15 + 0.75 * place / max(1, len(curves) - 1)
            share = [curve.go_by(day) if passing else curve.no_go_by(day) for day in axis_days]
            label = "P(GO)" if criterion is None else f"{value:g}"
            axis.plot(axis_days, share, color=(0.1, 0.2 + 0.5 * shade, 0.9 - 0.7 * shade), label=label, linewidth=1.6)
        wanted = ""
        if criterion is not None:
            bound = criterion.go if passing else criterion.no_go
            wanted = kind_named(criterion.kind).shown_threshold(criterion, bound)
        axis.set_title(f"{name} {wanted}" + ("" if passing else " (NO_GO)"), fontsize=10)
        axis.axvline(gate.horizon_days, color="0.6", linestyle=":", linewidth=1)
        axis.axhline(gate.alpha, color="0.8", linewidth=0.8)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel("day")
        axis.legend(title="truth", fontsize=7, title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.supylabel("probability, by day")
    with unfinished(path) as partial:
        figure.savefig(partial, dpi=110, format=path.suffix[1:])
