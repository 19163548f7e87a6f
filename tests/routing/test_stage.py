"""From a log, labels and a judge's verdicts to a certificate, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.gates.test_stage import Kept
from tests.routing import logged
from zantara_exp.analysis.report import report
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.routing.certificate import load
from zantara_exp.routing.score import Known
from zantara_exp.routing.stage import certify

EASY = Known(" ".join(logged.EASY[:5]), "it", "casual", 1, 9)
HARD = Known(" ".join(logged.HARD[:5]), "it", "casual", 1, 9)


def run(config: Config) -> StageResult:
    return certify(config, Context(config, Kept(), Path.cwd()))


def write(layout: Layout, seed: int = 1, easy: float = 0.97, hard: float = 0.1, **more: object) -> None:
    rng = np.random.default_rng(seed)
    logged.write(layout, logged.requests(1400, rng, easy, hard), rng, **more)  # type: ignore[arg-type]


def test_what_is_as_good_may_move_and_the_rest_stays(config: Config, layout: Layout) -> None:
    write(layout)
    found = run(config)
    assert found.tags["certified"] == "yes", found.tables[0].rows
    certificate = load(layout.certificate)
    assert (certificate.moves(EASY), certificate.moves(HARD)) == (True, False)
    assert not certificate.moves(EASY._replace(category="business"))
    assert certificate.candidate == "e1"
    assert 0.4 <= found.metrics["routing/moved"] <= 0.9
    assert found.metrics["routing/lower"] >= 0.8
    said = json.loads(layout.routing.read_text())
    assert [round(point["moved"], 1) for point in said["curve"]] == pytest.approx(np.arange(1, 11) / 10)
    assert said["certified"] == certificate.threshold
    assert found.tables[0].rows[-1][0] == "100 %"


def test_no_user_fits_and_certifies(config: Config, layout: Layout) -> None:
    from zantara_exp.analysis.log import open_log
    from zantara_exp.routing.evidence import CERTIFY, FIT, read

    for judge in (0, 300):
        layout.judged.unlink(missing_ok=True)
        layout.review_labels.unlink(missing_ok=True)
        write(layout, judge=judge)
        with open_log(config, layout) as log:
            found = read(config, layout, log, frozenset())
        users = {part: {row.user for row in rows} for part, rows in found.rows.items()}
        assert users[FIT]
        assert not users[FIT] & users[CERTIFY]
        certifying = sum(row.comparison_id in found.labels for row in found.rows[CERTIFY])
        assert certifying == 200 if judge else 75 < certifying < 125


def test_labels_are_asked_for_where_there_are_none(config: Config, layout: Layout) -> None:
    write(layout)
    layout.review_labels.write_text("")
    with pytest.raises(MissingInputError, match="a judge alone vouches for nothing") as refused:
        run(config)
    assert "stage=review" in str(refused.value)
    assert not layout.certificate_looks.exists()


def test_labels_of_another_candidate_are_none(config: Config, layout: Layout) -> None:
    write(layout, epoch="e1")
    sample, labels = layout.review_sample.read_bytes(), layout.review_labels.read_bytes()
    write(layout, epoch="e2")
    layout.review_sample.write_bytes(sample)
    layout.review_labels.write_bytes(labels)
    with pytest.raises(MissingInputError, match="the sample is of candidate e1"):
        run(config)


def test_too_few_labels_are_no_look(config: Config, layout: Layout) -> None:
    write(layout, labels=20)
    with pytest.raises(MissingInputError, match=r"\d+ of 20 labels are of requests that would move first") as why:
        run(config)
    assert "review.size=" in str(why.value)
    assert not layout.certificate_looks.exists()


def test_too_few_verdicts_fit_nothing(config: Config, layout: Layout) -> None:
    write(layout, labels=30, judge=0)
    with pytest.raises(MissingInputError, match="50 are needed: have a judge look at those of some 200 users"):
        run(config)


def test_a_candidate_that_is_not_good_enough_takes_the_certificate_away(config: Config, layout: Layout) -> None:
    write(layout)
    run(config)
    layout.review_labels.unlink()
    layout.judged.unlink()
    write(layout, seed=2, easy=0.7, hard=0.7)
    found = run(config)
    assert found.summary["certified"].startswith("no threshold is shown to keep 80 %: everything stays")
    assert not layout.certificate.exists()
    looks = [json.loads(line) for line in layout.certificate_looks.read_text().splitlines()]
    assert [(look["look"], look["passed"]) for look in looks] == [(1, True), (2, False)]
    assert json.loads(layout.routing.read_text())["alpha"] == pytest.approx(0.008)


def test_labels_are_not_looked_at_again_with_other_settings(config: Config, layout: Layout) -> None:
    write(layout)
    run(config)
    config.rollout.certify.quality = 0.7
    with pytest.raises(ZantaraError, match="what is chosen after looking shows nothing") as refused:
        run(config)
    assert "draws another sample" in str(refused.value)


@pytest.mark.parametrize("change", [b"", b"{", b"[]", b'{"hash": "x"}'])
def test_a_certificate_that_was_changed_is_none(config: Config, layout: Layout, change: bytes) -> None:
    write(layout)
    run(config)
    whole = json.loads(layout.certificate.read_bytes())
    layout.certificate.write_bytes(change or json.dumps(whole | {"threshold": 0.0}).encode())
    with pytest.raises(ZantaraError, match="is not as stage=certify of this version wrote it"):
        load(layout.certificate)


def test_the_report_draws_the_curve_of_the_candidate_it_is_about(config: Config, layout: Layout) -> None:
    write(layout)
    found = run(config)
    config.report.language = "it"
    told = report(config, Context(config, Kept(), Path.cwd()))
    page = layout.report.read_text().replace("\xa0", " ")
    assert "Quali richieste si possono spostare" in page
    assert "% delle richieste e il" in page
    curve = next(
        plot
        for plot in json.loads(page.partition('id="plots">')[2].partition("</script>")[0])
        if plot.get("axis") == "spostate"
    )
    said = json.loads(layout.routing.read_text())["curve"]
    assert (curve["limits"], curve["values"]) == ([0.8], [point["estimate"] for point in said])
    assert curve["low"] == [point["lower"] for point in said]
    assert told.tables[-1].rows[-1][0] == found.tables[0].rows[-1][0] == "100 %"
    layout.routing.write_text(json.dumps({"candidate": "another"}))
    report(config, Context(config, Kept(), Path.cwd()))
    assert "Quali richieste" not in layout.report.read_text()
    layout.routing.write_text("{}")
    with pytest.raises(ZantaraError, match=r"routing\.json cannot be read"):
        report(config, Context(config, Kept(), Path.cwd()))
