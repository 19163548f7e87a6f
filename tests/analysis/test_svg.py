from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.analysis import svg
from zantara_exp.analysis.pairs import marked

shares = st.none() | st.floats(0, 1)


@given(st.lists(st.tuples(shares, shares, shares), max_size=40), st.lists(st.floats(0.01, 1), max_size=2))
def test_any_days_make_a_drawing(values: list[tuple[float | None, ...]], thresholds: list[float]) -> None:
    points = [svg.Point(f"<{index}>", *value) for index, value in enumerate(values)]
    ElementTree.fromstring(svg.days(points, "%", thresholds))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_any_latencies_make_a_drawing(values: list[float]) -> None:
    ElementTree.fromstring(svg.days([svg.Point("day", value) for value in values], "ms", [1500]))
    pairs = [(value, 1) for value in values]
    ElementTree.fromstring(svg.distributions([("candidate", pairs), ("primary", [])], 1500))


def test_nothing_measured_is_said() -> None:
    assert "Nothing was measured" in svg.days([svg.Point("day", None)], "%")
    assert "Nothing was measured" in svg.distributions([("candidate", [])])


def test_a_day_without_a_value_breaks_the_line() -> None:
    values = [0.9, 0.8, None, 0.7, 0.6]
    drawn = svg.days([svg.Point(str(day), value) for day, value in enumerate(values)], "%")
    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 4


@given(st.text(max_size=80), st.text(max_size=80))
def test_marked_texts_are_escaped_and_whole(left: str, right: str) -> None:
    for said, shown in zip((left, right), marked(left, right), strict=True):
        assert shown.unescape().replace("<mark>", "").replace("</mark>", "") == said or "<" in said or "&" in said
        assert "<" not in shown.replace("<mark>", "").replace("</mark>", "")


def test_what_differs_is_marked() -> None:
    left, right = marked("il visto costa dieci euro", "il visto costa venti euro")
    assert left == "il visto costa <mark>dieci</mark> euro"
    assert right == "il visto costa <mark>venti</mark> euro"


@pytest.mark.parametrize("low", [0.0, 0.5, 0.98, 0.9999])
def test_ticks_are_few_and_inside(low: float) -> None:
    ticks = svg._ticks(svg.Scale(low, 1.0))
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= 1 + 1e-9 for tick in ticks)
