"""Whose word counts, and what a pair is settled as."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zantara_exp.config import Config, compose
from zantara_exp.config.decision import Checks, Review
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.failed_requests import _lost_reviews
from zantara_exp.review.adjudication import adjudicated, agreement, panel, reads
from zantara_exp.review.labels import BETTER, CANNOT, EQUIVALENT, WORSE, Label, load, rewrite
from zantara_exp.review.not_evidence import uncounted
from zantara_exp.review.opinions import opinions
from zantara_exp.review.sample import CUT, IDENTICAL, Check, Item, Sample, check_id, save


def item(number: int, comparison: str, language: str = "it") -> Item:
    return Item(number, comparison, language, "casual", "", "q", "a", "b", "A")


CHECKS = tuple(
    Check(item(number, check_id(number)), IDENTICAL if number < 13 else CUT, ("x",)) for number in range(11, 17)
)
SAMPLE = Sample("e1", "2025-11-03", 7, 2, (item(1, "c1"), item(2, "c2", "id")), CHECKS)
RIGHT = {11: EQUIVALENT, 12: EQUIVALENT, 13: WORSE, 14: WORSE, 15: WORSE, 16: WORSE}


def label(name: str, verdict: str, pair: int = 1) -> Label:
    comparison = check_id(pair) if pair > 10 else f"c{pair}"
    return Label(SAMPLE.hash, pair, comparison, name, verdict, False)


def on_checks(name: str, **other: str) -> list[Label]:
    """Right answers to all checks, but for those that are given."""
    return [label(name, other.get(f"c{pair}", verdict), pair) for pair, verdict in RIGHT.items()]


@pytest.mark.parametrize(
    ("other", "wrong", "counts"),
    [
        ({}, 0, True),
        ({"c11": BETTER}, 1, True),  # a slip
        ({"c11": BETTER, "c13": EQUIVALENT}, 2, False),
        ({"c11": CANNOT, "c12": CANNOT, "c13": CANNOT}, 0, True),  # which abstains, and three are left
        ({"c11": CANNOT, "c12": CANNOT, "c13": CANNOT, "c14": CANNOT}, 0, False),
    ],
)
def test_who_counts(other: dict[str, str], wrong: int, counts: bool) -> None:
    found = panel([*on_checks("ayu", **other), label("ayu", BETTER)], SAMPLE, Review())
    rater = found.raters[0]
    assert (rater.wrong, rater.counts, rater.failed, rater.pairs) == (wrong, counts, not counts, 1)
    assert found.settled == ({1: BETTER} if counts else {})
    assert bool(found.note("boss")) is not counts


def test_who_has_met_few_checks_does_not_count_yet_and_has_not_failed() -> None:
    rater = panel([*on_checks("ayu")[:2], label("ayu", WORSE)], SAMPLE, Review()).raters[0]
    assert (rater.counts, rater.failed, rater.why) == (False, False, "2 hidden checks answered, 3 are asked for")


def test_whose_language_has_a_single_check_may_not_fail_it() -> None:
    sample = replace(SAMPLE, checks=CHECKS[5:])
    known = [replace(label("ayu", EQUIVALENT, pair), sample=sample.hash) for pair in (16, 1)]
    rater = panel(known, sample, Review()).raters[0]
    assert (rater.wrong, rater.answered, rater.counts, rater.failed) == (1, 1, False, True)


def test_a_limit_of_config_decides() -> None:
    labels = [*on_checks("ayu", c11=BETTER, c13=BETTER), label("ayu", WORSE)]
    assert panel(labels, SAMPLE, Review(checks=Checks(most_wrong=0.5))).settled == {1: WORSE}


def test_without_checks_everybody_counts_and_an_old_sample_keeps_its_hash() -> None:
    plain = replace(SAMPLE, checks=())
    assert "checks" not in plain.content()
    mine = replace(label("ayu", WORSE), sample=plain.hash)
    assert panel([mine], plain, Review()).settled == {1: WORSE}


@pytest.mark.parametrize(
    ("verdicts", "settled"),
    [
        ([BETTER], BETTER),
        ([WORSE, BETTER], None),
        ([BETTER, EQUIVALENT, WORSE], EQUIVALENT),
        ([BETTER, BETTER, WORSE], BETTER),
        ([WORSE, WORSE, BETTER], WORSE),
        ([CANNOT, EQUIVALENT], EQUIVALENT),
        ([CANNOT, WORSE, BETTER], None),
        ([CANNOT, CANNOT], CANNOT),
    ],
)
def test_one_verdict_per_pair(verdicts: list[str], settled: str | None) -> None:
    given = [label(f"r{number}", verdict) for number, verdict in enumerate(verdicts)]
    assert adjudicated(given, "boss") == ({} if settled is None else {1: settled})
    assert adjudicated([*given, label("boss", WORSE)], "boss") == {1: settled or WORSE}  # a dispute, and no other pair


TWO = Review(labels_per_pair=2)
NAMED = Review(labels_per_pair=2, reviewers={"ayu": ["it"], "budi": ["it"], "citra": ["it"]})


@pytest.mark.parametrize(
    ("terms", "verdicts", "settled", "disputed"),
    [
        (TWO, [BETTER], {}, ()),
        (TWO, [BETTER, EQUIVALENT], {1: EQUIVALENT}, ()),
        (TWO, [BETTER, WORSE], {}, (1,)),
        (TWO, [BETTER, CANNOT], {1: BETTER}, ()),  # nobody is named whom to ask
        (NAMED, [BETTER, CANNOT], {}, ()),  # citra is
        (NAMED, [BETTER, CANNOT, WORSE], {}, (1,)),
        (NAMED, [CANNOT, CANNOT, CANNOT], {1: CANNOT}, ()),
    ],
)
def test_a_pair_waits_for_its_labels(
    terms: Review, verdicts: list[str], settled: dict[int, str], disputed: tuple[int, ...]
) -> None:
    plain = replace(SAMPLE, checks=())
    given = [
        replace(label(name, verdict), sample=plain.hash)
        for name, verdict in zip(["ayu", "budi", "citra"], verdicts, strict=False)
    ]
    found = panel(given, plain, terms)
    assert (found.settled, found.disputed) == (settled, disputed)


def test_reviewers_get_their_languages_and_what_is_nobodys() -> None:
    terms = Review(reviewers={"ayu": ["id", "en"], "budi": ["it"]})
    assert [reads(terms, "ayu", language) for language in ("id", "it", "unknown")] == [True, False, True]
    assert reads(Review(), "anybody", "it")
    assert not reads(terms, "stranger", "unknown")
    labels = [*on_checks("eve"), label("eve", WORSE), *on_checks("budi"), label("budi", WORSE, 2)]
    found = panel(labels, SAMPLE, terms)
    assert (found.settled, [rater.why for rater in found.raters]) == ({}, ["not among review.reviewers", ""])


@pytest.mark.parametrize(
    ("wrong", "key", "words"),
    [
        ({"reviewers": {"boss": ["it"]}, "adjudicator": "boss"}, "adjudicator", "boss is among review.reviewers"),
        ({"reviewers": {"ayu": ["it"]}, "labels": "x.csv"}, "reviewer", "valid: ayu, adjudicator"),
        ({"reviewers": {"ayu": ["it"], "budi": ["id"]}, "labels_per_pair": 2}, "labels_per_pair", "ayu alone reads it"),
        ({"reviewers": {"ayu": []}, "labels_per_pair": 2}, "labels_per_pair", "names ayu alone"),
        ({"adjudicator": " "}, "adjudicator", "is empty"),
    ],
)
def test_reviewers_who_cannot_be_are_refused(wrong: dict[str, Any], key: str, words: str) -> None:
    assert any(found == key and words in said for found, said in Review(categories=["casual"], **wrong).rules())


def test_a_language_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"review\.reviewers\.ayu=.*not among dataset\.languages: xx; \(valid"):
        compose(["+review.reviewers={ayu: [id, xx]}"])


def test_a_word_that_stands_twice_is_one_vote_and_the_later_one_counts() -> None:
    known = [label("ayu", BETTER), label("budi", WORSE), label("ayu", BETTER), label("ayu", WORSE)]
    sample = replace(SAMPLE, checks=())
    known = [replace(each, sample=sample.hash) for each in known]
    found = panel(known[:3], sample, Review())
    assert found.disputed == (1,)
    assert [rater.pairs for rater in found.raters] == [1, 1]
    assert panel(known, sample, Review()).settled == {1: WORSE}


def test_labels_given_with_the_sides_known_are_refused() -> None:
    with pytest.raises(ZantaraError, match="unblinded"):
        panel([replace(label("ayu", WORSE), blind=False)], SAMPLE, Review())


def test_agreement_against_a_worked_example() -> None:
    """Two reviewers, three pairs, one of them disputed; an abstention is no vote."""
    votes = [(EQUIVALENT, BETTER), (EQUIVALENT, WORSE), (WORSE, WORSE), (CANNOT, WORSE)]
    labels = [
        label(name, verdict, pair)
        for pair, pair_votes in enumerate(votes, 1)
        for name, verdict in zip(("ayu", "budi"), pair_votes, strict=True)
    ]
    # values: 3 as good, 3 worse; observed disagreement 2/6, expected 18/30
    assert agreement(labels) == pytest.approx(1 - (2 / 6) / (18 / 30))
    assert agreement(labels[:1]) is None


def test_what_is_no_evidence_is_none_elsewhere(layout: Layout, config: Config) -> None:
    """Whose word does not count tells the report and the next training set nothing, but for critical bugs."""
    save(SAMPLE, layout.review_sample)
    fails = {"c11": BETTER, "c13": EQUIVALENT}
    heard = [*on_checks("ayu"), label("ayu", WORSE)]
    unheard = [*on_checks("budi", **fails), label("budi", WORSE, 2), label("candra", WORSE, 2)]
    rewrite(layout.review_labels, [*heard, *unheard])
    left_out = {(SAMPLE.hash, "budi"), (SAMPLE.hash, "candra")}
    assert uncounted(load(layout.review_labels), layout, config.review) == left_out
    assert "c1" in opinions(config, layout, print)
    assert "c2" not in opinions(config, layout, print)
    assert _lost_reviews(config, layout) == {"c1": ["review: worse"]}
    rewrite(layout.review_labels, [*heard, *unheard, replace(label("dewi", BETTER, 2), critical_bug=True)])
    assert [said.by for said in opinions(config, layout, print)["c2"]] == ["dewi"]
    assert set(_lost_reviews(config, layout)) == {"c1", "c2"}


def test_a_file_that_cannot_be_read_is_named_in_the_report(
    layout: Layout, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.review_labels.parent.mkdir(parents=True, exist_ok=True)
    layout.review_labels.write_text('{"sample": ')
    assert opinions(config, layout, print) == {}
    assert "review.jsonl, line 1, is no label" in capsys.readouterr().out
