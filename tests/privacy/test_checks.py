"""Hidden checks of a review hold texts of the log: those of a forgotten user go, and what they measured stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from zantara_exp.config import compose
from zantara_exp.config.decision import Review
from zantara_exp.core.layout import Layout
from zantara_exp.privacy.reviews import REMOVED, affected, forget
from zantara_exp.privacy.what_goes import Whose
from zantara_exp.review.adjudication import panel
from zantara_exp.review.labels import EQUIVALENT, Label, load, rewrite
from zantara_exp.review.sample import CUT, OTHER, Check, Item, Sample, check_id, save
from zantara_exp.review.sample import load as load_sample
from zantara_exp.review.sheet import sheet


def item(number: int, comparison: str) -> Item:
    return Item(number, comparison, "it", "casual", "seen before", "asked", "answer a", "answer b", "A")


@pytest.fixture
def layout(workdir: Path) -> Layout:
    layout = Layout(compose([]))
    checks = (Check(item(2, check_id(2)), OTHER, ("c8", "c9")), Check(item(3, check_id(3)), CUT, ("c7",)))
    sample = Sample("e1", "2025-11-03", 7, 1, (item(1, "c1"),), checks)
    save(sample, layout.review_sample)
    layout.reports.mkdir()
    layout.review_sheet.write_text(sheet(sample, ()), encoding="utf-8-sig", newline="")
    labels = [
        Label(sample.hash, shown.number, shown.comparison_id, "ayu", EQUIVALENT, False, comment="of the text")
        for shown in sample.shown
    ]
    rewrite(layout.review_labels, labels)
    return layout


def test_the_texts_of_a_check_go_and_who_failed_it_stays_failed(layout: Layout) -> None:
    before = load_sample(layout.review_sample)
    whose = Whose(frozenset(), frozenset(), b"k", comparisons={"c9"})  # whose answer stands under c8's question
    assert affected(layout, whose) == {before.hash: [2]}
    moved = forget(layout, whose)
    after = load_sample(layout.review_sample)
    assert moved == {before.hash: after.hash}
    gone = after.checks[0]
    assert (gone.item.question, gone.item.answer_a, gone.item.context, gone.sources) == (REMOVED, REMOVED, "", ())
    assert (after.items, after.checks[1]) == (before.items, before.checks[1])
    comments = {label.pair: label.comment for label in load(layout.review_labels)}
    assert comments == {1: "of the text", 2: "", 3: "of the text"}
    assert panel(load(layout.review_labels), after, Review()).raters[0].wrong == 2
    assert "answer a" in layout.review_sheet.read_text(encoding="utf-8-sig")
    assert affected(layout, whose) == {}
