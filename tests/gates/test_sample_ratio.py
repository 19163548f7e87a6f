"""Sample ratio mismatch: the closed form, its errors at all looks together, and what a gate makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import beta, binom, chisquare, dirichlet

from tests.gates.evidence import above, crowd, gate_of
from tests.gates.test_verdict import SCHEMA
from zantara_exp.gates import gate_hash, judge_gate, junit_xml
from zantara_exp.gates.evidence import Drawn, Sampled
from zantara_exp.gates.sample_ratio import (
    CONCENTRATION,
    TENTHS,
    log_evidence,
    log_evidence_path,
    ratio,
    sample_ratio,
    share_of_alpha,
)
from zantara_exp.gates.table import sample_table, shown_sample, summary

HALVES = np.array([0.5, 0.5])
EVEN = np.full(TENTHS, 1 / TENTHS)


def arms(sizes: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """Users' parts in a random order."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize(("counts", "share"), [((0, 0), 0.5), ((30, 10), 0.5), ((7, 13), 0.1), ((3, 90), 0.25)])
def test_two_parts_are_the_beta_mixture(counts, share):
    declared = np.array([share, 1 - share])
    prior = beta(*(CONCENTRATION * declared))

    def wealth(theta: float) -> float:
        return float(prior.pdf(theta) * np.prod((np.array([theta, 1 - theta]) / declared) ** counts))

    direct, _ = quad(wealth, 0, 1, points=[share], limit=200)
    assert log_evidence(counts, declared) == pytest.approx(np.log(direct), abs=1e-6)


def test_three_parts_are_the_dirichlet_mixture():
    declared, counts = np.array([0.2, 0.3, 0.5]), np.array([4, 14, 9])
    prior = dirichlet(CONCENTRATION * declared)

    def wealth(second: float, first: float) -> float:
        theta = np.array([first, second, 1 - first - second])
        return float(prior.pdf(theta) * np.prod((theta / declared) ** counts))

    direct, _ = dblquad(wealth, 1e-9, 1 - 1e-9, 1e-9, lambda first: 1 - first - 1e-9, epsabs=1e-7)
    assert log_evidence(counts, declared) == pytest.approx(np.log(direct), abs=1e-4)


def test_the_path_is_the_closed_form_at_every_user():
    parts = np.random.default_rng(5).integers(0, TENTHS, (3, 200))
    counts = (parts[..., None] == np.arange(TENTHS)).cumsum(axis=1)
    assert log_evidence_path(parts, EVEN) == pytest.approx(log_evidence(counts, EVEN), abs=1e-9)


@pytest.mark.parametrize("declared", [HALVES, np.array([0.1, 0.9]), EVEN], ids=["50:50", "10:90", "tenths"])
def test_looking_after_every_user_finds_no_more_than_alpha(declared):
    runs, users = 4000, 1000
    rng = np.random.default_rng(7)
    parts = np.minimum(np.searchsorted(np.cumsum(declared), rng.random((runs, users))), declared.size - 1)
    most = log_evidence_path(parts, declared).max(axis=1)
    for alpha in (0.05, 0.01, 0.001):
        assert (most >= -np.log(alpha)).mean() <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize(("declared", "truth", "users"), [(0.5, 0.6, 470), (0.5, 0.9, 62), (0.1, 0.15, 748)])
def test_what_is_off_is_found_and_how_soon(declared, truth, users):
    runs, alpha = 600, share_of_alpha(0.001, 1)
    parts = (np.random.default_rng(3).random((runs, 4 * users)) >= truth).astype(int)
    over = log_evidence_path(parts, [declared, 1 - declared]) >= -np.log(alpha)
    assert over.any(axis=1).mean() > 0.99
    assert np.median(over.argmax(axis=1)) == pytest.approx(users, rel=0.1)


@pytest.mark.parametrize("counts", [(280, 220), (330, 270), (600, 400), (270, 30)])
def test_at_one_look_it_says_what_the_chi_square_says(counts):
    """All looks for the price of some evidence: never less, and at least half of the digits."""
    fixed = np.log10(chisquare(counts).pvalue)
    ours = -log_evidence(counts, HALVES) / np.log(10)
    assert fixed <= ours <= max(0.5 * fixed, fixed + 2)


def test_what_steps_have_of_alpha_adds_up_to_it():
    parts = [share_of_alpha(0.001, number) for number in range(1, 20_000)]
    assert parts[0] == 0.0005
    assert 0.00099 < sum(parts) < 0.001


def test_the_same_users_in_the_next_step_are_no_new_evidence():
    """Where the hash puts a user he is in each step: the steps' evidence multiplied is none, its mean is above 1."""
    ours = np.arange(501)
    evidence = np.exp(log_evidence(np.stack([ours, 500 - ours], axis=-1), HALVES))
    chance = binom.pmf(ours, 500, 0.5)
    assert chance @ evidence == pytest.approx(1.0)
    assert chance @ evidence**2 > 1.5


def test_figures_of_two_arms():
    found = ratio(arms((270, 30)), HALVES, 0.0005)
    assert (found.counts, found.expected, found.users) == ((270, 30), (150.0, 150.0), 300)
    assert found.mismatch
    assert found.p_value < 1e-30
    assert not ratio(arms((160, 140)), HALVES, 0.0005).mismatch
    assert ratio([], HALVES, 0.0005).p_value == 1.0


def places(users: int, upto: float, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).random(users) * upto


def test_a_sample_as_declared():
    found = sample_ratio(Sampled([Drawn(10.0, places(500, 10)), Drawn(25.0, places(900, 25))], 3), 0.001)
    assert found.mismatch == ""
    assert [(step.percent, step.users, step.beyond) for step in found.steps] == [(10.0, 500, 0), (25.0, 900, 0)]
    assert [step.alpha for step in found.steps] == pytest.approx([0.001 / 2, 0.001 / 6])
    assert "500 users fill 10 % evenly (p = " in shown_sample(found)
    assert shown_sample(found).endswith("; 3 users not tested: their lines do not say that a hash sampled them")


def test_a_part_of_a_sample_is_missing():
    found = sample_ratio(Sampled([Drawn(10.0, places(400, 7))], 0), 0.001)
    assert found.mismatch.startswith(
        "sample ratio mismatch: 400 users do not fill the sampled 10 % evenly: 0 to 71 in a tenth of it, "
        "where 40.0 are expected (p < 1e-12)"
    )
    assert found.steps[0].tenths[7:] == (0, 0, 0)


def test_a_user_outside_of_the_share_was_sampled_by_something_else():
    """Its probability is nought while the log tells the truth, so one is enough."""
    found = sample_ratio(Sampled([Drawn(10.0, np.append(places(400, 10), 10.0))], 0), 0.001)
    assert found.mismatch == "sample ratio mismatch: 1 of 401 users lie outside of the sampled 10 %"
    assert sum(found.steps[0].tenths) == 400


def test_nothing_is_tested_with_an_alpha_of_nought_and_that_is_said():
    found = sample_ratio(Sampled([Drawn(10.0, places(400, 100))], 0), 0.0)
    assert (found.mismatch, found.steps) == ("", ())
    assert "not tested: gate.sample_ratio_alpha=0" in shown_sample(found)


FEW = Sampled([Drawn(10.0, places(400, 5))], 0)
RIGHT = Sampled([Drawn(10.0, places(400, 10))], 0)


def judged(share: float, sampled: Sampled | None, **changed: object):
    gate = replace(gate_of(success=above(0.9, 0.85)), **changed)
    return judge_gate(gate, {"success": crowd(600, 4, share, epoch="e1")}, sampled=sampled)


def test_a_mismatch_withholds_a_go_and_names_its_figures():
    assert (judged(0.99, None).verdict, judged(0.99, RIGHT).verdict) == ("GO", "GO")
    found = judged(0.99, FEW)
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("sample ratio mismatch: 400 users do not fill the sampled 10 % evenly")
    assert [each.decision for each in found.criteria] == ["PASS"]
    assert summary(found)["sample"] == found.reason
    table = sample_table(found)
    assert table is not None
    assert table.rows[0][:3] == ["10 %", "400", "0"]
    assert sample_table(judged(0.99, RIGHT)) is None


def test_a_mismatch_hides_no_no_go():
    found = judged(0.5, FEW)
    assert found.verdict == "NO_GO"
    assert found.reason.startswith("success: ")
    assert "; sample ratio mismatch: 400 users" in found.reason


def test_a_mismatch_stands_beside_what_else_is_missing():
    found = judged(0.9, FEW)
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("not decided: success; sample ratio mismatch: ")


def test_a_gate_may_switch_it_off_and_is_another_gate_then():
    gate = gate_of(success=above(0.9, 0.85))
    assert judged(0.99, FEW, sample_ratio_alpha=0.0).verdict == "GO"
    assert gate_hash(replace(gate, sample_ratio_alpha=0.0)) != gate_hash(gate)


def test_its_figures_are_in_the_file_and_red_in_ci():
    for sampled in (FEW, RIGHT, None):
        found = judged(0.99, sampled)
        plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
        jsonschema.validate(plain, SCHEMA, cls=jsonschema.Draft202012Validator)
    suite = ElementTree.fromstring(junit_xml(judged(0.99, FEW))).find("testsuite")  # noqa: S314  our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")
    assert plain["sample"] is None
