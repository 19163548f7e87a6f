from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.analysis import plots
from zantara_exp.analysis.metrics import Latencies
from zantara_exp.analysis.pairs import marked
from zantara_exp.page.drawing import plots_data


def test_nothing_measured_is_no_plot() -> None:
    assert plots.days([plots.Point("day", None)], "Success", "%") is None
    assert plots.spread([("candidate", [])]) is None
    assert plots.evidence({}) is None
    assert plots.interval(None, (None, -math.inf), 0.98, None, "%") is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_shares_of_latencies_add_up(values: list[float]) -> None:
    drawn = plots.spread([("candidate", [(value, 2) for value in values]), ("primary", [])], 1500)
    assert drawn is not None
    assert [series["name"] for series in drawn["series"]] == ["candidate"]
    assert sum(drawn["series"][0]["values"]) == pytest.approx(1)
    assert drawn["at"] == sorted(drawn["at"])


def test_a_bound_that_is_none_reaches_to_the_end() -> None:
    drawn = plots.interval(0.5, (0.4, math.inf), 0.98, None, "%")
    assert drawn is not None
    assert (drawn["low"], drawn["high"], drawn["no_go"]) == (0.4, None, None)


def test_names_stay_data_in_a_page() -> None:
    assert "<" not in plots_data([{"name": "</script><script>alert(1)//&amp;"}])
    with pytest.raises(ValueError, match="not JSON compliant"):
        plots_data([math.nan])


def test_a_quantile_of_alike_requests_is_less_certain() -> None:
    taken = Latencies()
    taken.buckets.update(dict.fromkeys(range(1200, 1300), 10))
    alone, alike = taken.interval(0.95), taken.interval(0.95, spread=9)
    assert alone is not None
    assert alike is not None
    assert alike[0] < alone[0] < alone[1] < alike[1]


@given(st.text(max_size=80), st.text(max_size=80))
def test_marked_texts_are_escaped_and_whole(left: str, right: str) -> None:
    for said, shown in zip((left, right), marked(left, right), strict=True):
        assert shown.unescape().replace("<mark>", "").replace("</mark>", "") == said or "<" in said or "&" in said
        assert "<" not in shown.replace("<mark>", "").replace("</mark>", "")


def test_what_differs_is_marked() -> None:
    left, right = marked("il visto costa dieci euro", "il visto costa venti euro")
    assert left == "il visto costa <mark>dieci</mark> euro"
    assert right == "il visto costa <mark>venti</mark> euro"
