from functools import cache
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from zantara_exp.config import CONF, Config, compose
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.config.gate_file import load_gate
from zantara_exp.config.validation import problems_in, rule_problems

SHIPPED = sorted((CONF / "gate").glob("*.yaml"))


def shipped(name: str) -> Gate:
    return load(CONF / "gate" / f"{name}.yaml")


def load(path: Path) -> Gate:
    return load_gate(path, composed())


@cache
def composed() -> Config:
    return compose([])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_gates_are_valid(path):
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert list(problems_in(Gate, content)) == []
    assert list(rule_problems(load(path))) == []
    assert load(path).name == path.stem


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        (Criterion("", go=Threshold(above=0.9)), "metric"),
        (Criterion("m"), "go"),
        (Criterion("tickets", go=Threshold(below=0.1)), "where"),
        (Criterion("return_rate", go=Threshold(above=0.1), where={"arm": ["candidate", "baseline"]}), "where"),
        (Criterion("m", go=Threshold(above=0.9, below=0.8)), "go"),
        (Criterion("m", go=Threshold(at_least=0.9)), "go.at_least"),
        (Criterion("m", go=Threshold(above=98)), "go.above"),
        (Criterion("m", "quantile", go=Threshold(above=1500)), "go.above"),
        (Criterion("m", go=Threshold(above=0.95), no_go=Threshold(below=0.98)), "go"),
        (Criterion("m", go=Threshold(above=0.95), no_go=Threshold(above=0.9)), "no_go"),
        (Criterion("m", "mean", bound=9000, go=Threshold(below=800), no_go=Threshold(above=700)), "go"),
        (Criterion("m", "mean", go=Threshold(below=800)), "bound"),
        (Criterion("m", "mean", method="exact", bound=9000, go=Threshold(below=800)), "bound"),
        (Criterion("m", "ratio", bound=9000, go=Threshold(above=0.7)), "bound"),
        (Criterion("m", "mean", bound=800, go=Threshold(below=800)), "go.below"),
        (Criterion("m", "mean", bound=900, go=Threshold(below=800), no_go=Threshold(above=1000)), "no_go.above"),
        (Criterion("m", "mean", go=Threshold(below=800), method="strict"), "method"),
        (Criterion("m", go=Threshold(above=0.95), method="detector"), "go"),
        (Criterion("m", "ratio", per="user", go=Threshold(above=0.7)), "per"),
        (Criterion("m", "mean", per="user", bound=9000, go=Threshold(below=800)), "per"),
        (Criterion("m", go=Threshold(above=0.95), window="week"), "window"),
        (Criterion("m", no_go=Threshold(below=0.95), window="7d"), "window"),
        (Criterion("m", "review", go=Threshold(below=0.2), method="exact"), "go.below"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="weighted"), "method"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="sequential"), "look_at"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="sequential", look_at=[50, 50]), "look_at"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="sequential", look_at=[0, 50]), "look_at"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="exact", look_at=[50]), "look_at"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="sequential", look_at=[50], looks=2), "looks"),
        (Criterion("m", go=Threshold(above=0.8), method="sequential", look_at=[50]), "method"),
        (Criterion("m", "review", go=Threshold(above=0.8), method="exact", judge=True), "judge"),
        (Criterion("m", "count", go=Threshold(at_most=0), where={"category": ["casual"]}), "where"),
        (Criterion("m", go=Threshold(above=0.95), required=False), "required"),
    ],
)
def test_each_contradiction_is_named(criterion, key):
    assert key in [name for name, _ in criterion.rules()]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        (Criterion("m", go=Threshold(above=NAN)), "go.above"),
        (Criterion("m", "mean", method="exact", go=Threshold(below=INF)), "go.below"),
        (Criterion("m", "mean", bound=9000, go=Threshold(below=NAN)), "go.below"),
        (Criterion("m", "mean", bound=9000, go=Threshold(below=-800)), "go.below"),
        (Criterion("m", "quantile", go=Threshold(below=-5)), "go.below"),
        (Criterion("m", "quantile", go=Threshold(below=0)), "go.below"),
        (Criterion("m", "ratio", go=Threshold(above=1)), "go.above"),
        (Criterion("m", "non_inferiority", no_go=Threshold(above=NAN)), "no_go.above"),
        (Criterion("m", "count", no_go=Threshold(at_least=NAN)), "no_go.at_least"),
        (Criterion("m", "count", go=Threshold(at_least=INF)), "go.at_least"),
    ],
)
def test_a_threshold_that_nothing_can_be_compared_with_is_named(criterion, key):
    assert [name for name, _ in criterion.rules()] == [key]


@pytest.mark.parametrize(
    ("kind", "method", "go", "expected"),
    [
        ("proportion", "weighted", Threshold(above=0.9), 5),
        ("proportion", "weighted", Threshold(above=0.9), NAN),
        ("proportion", "weighted", Threshold(above=0.9), -0.1),
        ("review", "exact", Threshold(above=0.8), 90),
        ("mean", "exact", Threshold(below=800), -5),
        ("quantile", "weighted", Threshold(below=800), 0),
        ("ratio", "weighted", Threshold(above=0.7), 1.2),
        ("non_inferiority", "weighted", Threshold(below=0), 2),
        ("count", "weighted", Threshold(at_least=1), INF),
    ],
)
def test_an_expected_truth_that_the_metric_cannot_have_is_named(kind, method, go, expected):
    criterion = Criterion("m", kind, go=go, method=method, expected=expected)
    assert [name for name, _ in criterion.rules()] == ["expected"]


@pytest.mark.parametrize("name", ["a/b", "", "../../x", "a b", "new\n"])
def test_a_name_that_would_leave_its_folder_is_refused(name):
    criteria = {"c": Criterion("m", go=Threshold(above=0.9))}
    assert [key for key, _ in Gate(name, criteria).rules()] == ["name"]
    assert list(Gate("Go-no_go2", criteria).rules()) == []


def test_a_gate_without_criteria_is_refused():
    assert [name for name, _ in Gate().rules()] == ["criteria"]
