import json
import time
from datetime import date
from importlib.resources import files
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from tests.gates.evidence import above, crowd, gate_of, user_days
from tests.gates.test_config import SHIPPED, shipped
from zantara_exp import gates
from zantara_exp.config.gate import Criterion, Segments, Threshold
from zantara_exp.gates import Missing, Number, Reviews, UserDays, gate_hash, judge_gate, junit_xml

SCHEMA = json.loads((files(gates) / "verdict.schema.json").read_text(encoding="utf-8"))


def everything():
    """One verdict with each kind of criterion in it."""
    rng = np.random.default_rng(0)
    days = crowd(300, 4, 0.99, segments={"language": np.array(["it", "en", "id"] * 100)}, epoch="e1")
    priced = UserDays(days.user, days.day, days.trials, rng.gamma(2, 1, 300), rng.gamma(4, 5, 300), epoch="e1")
    gate = gate_of(
        success=above(0.98, 0.95, window="7d"),
        savings=Criterion("s", "ratio", go=Threshold(above=0.7)),
        quality=Criterion("r", "review", go=Threshold(above=0.8), method="exact"),
        bugs=Criterion("b", "count", go=Threshold(at_most=0)),
        gone=Criterion("g", go=Threshold(above=0.5)),
    )
    gate.segments = Segments(["it", "xx"])
    evidence = {"success": days, "savings": priced, "quality": Reviews(40, 8, 2, 0), "bugs": Number(0)}
    return judge_gate(gate, {**evidence, "gone": Missing("nobody measures it")})


def test_the_published_schema_describes_every_verdict():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for verdict in (everything(), *(judge_gate(shipped(path.stem), {}) for path in SHIPPED)):
        plain = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
        jsonschema.validate(plain, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_junit_is_green_only_where_it_passed():
    suite = ElementTree.fromstring(junit_xml(everything())).find("testsuite")
    outcomes = {case.get("name"): [child.tag for child in case][0] for case in suite.iter("testcase")}
    assert outcomes == {
        "success": "error",
        "savings": "system-out",
        "quality": "error",
        "bugs": "system-out",
        "gone": "error",
    }
    assert (suite.get("errors"), suite.get("failures"), suite.get("tests")) == ("3", "0", "5")


def test_the_hash_changes_with_what_decides_and_not_with_plans():
    gate = shipped("go_no_go")
    before = gate_hash(gate)
    gate.traffic.icc, gate.horizon_days, gate.criteria["success"].expected = 0.5, 99, 0.9
    assert gate_hash(gate) == before
    gate.criteria["success"].go.above = 0.979
    assert gate_hash(gate) != before


def test_as_of_replays_any_day():
    days = user_days([(u, u // 20, 3, 3) for u in range(600)])
    from datetime import date, timedelta

    first = date(1970, 1, 1) + timedelta(days=20_000)
    verdicts = [judge_gate(gate_of(m=above(0.98)), {"m": days}, first + timedelta(days=d)) for d in range(30)]
    said = [v.verdict for v in verdicts]
    assert said == sorted(said, reverse=True)  # INCONCLUSIVE, and from some day on GO
    assert set(said) == {"INCONCLUSIVE", "GO"}
    cut = user_days([(u, u // 20, 3, 3) for u in range(200)])
    assert judge_gate(gate_of(m=above(0.98)), {"m": cut}).to_json() == verdicts[9].to_json()


def test_a_day_to_come_is_no_later_look():
    """A window that reached into days without a log would be shorter than it says."""
    rows = [(user, user % 21, 2, 1 if user % 21 in (14, 15) and user % 4 == 0 else 2) for user in range(2100)]
    gate = gate_of(m=above(0.98, window="7d"))
    looks = [
        judge_gate(gate, {"m": user_days(rows)}, as_of) for as_of in (None, date(2024, 10, 24), date(2024, 10, 28))
    ]
    assert {look.verdict for look in looks} == {"INCONCLUSIVE"}
    assert {look.as_of for look in looks} == {"2024-10-24"}
    assert "the last 7 days alone do not show it" in looks[2].criteria[0].reason


def test_days_to_a_decision_are_those_of_the_slowest_criterion():
    slow, fast = crowd(160, 1, 1.0), crowd(140, 6, 1.0)
    judged = judge_gate(gate_of(a=above(0.98), b=above(0.98)), {"a": slow, "b": fast})
    by_name = {d.name: d.days for d in judged.criteria if d.days}
    assert judged.days.low == max(days.low for days in by_name.values())
    blocked = judge_gate(gate_of(a=above(0.98), b=above(0.98)), {"a": slow})
    assert blocked.days is None


def test_public_names_exist():
    assert sorted(gates.__all__) == gates.__all__
    assert all(hasattr(gates, name) for name in gates.__all__)


def test_the_example_in_the_package_works():
    import doctest

    assert doctest.testmod(gates) == doctest.TestResults(failed=0, attempted=9)


@pytest.mark.slow
def test_sixty_days_of_a_hundred_comparisons_are_judged_in_a_third_of_a_second():
    rng = np.random.default_rng(0)
    user, day = rng.integers(0, 400, 6000), rng.integers(0, 60, 6000)
    cells, code = np.unique(np.c_[user, day], axis=0, return_inverse=True)
    trials = np.bincount(code.ravel()).astype(float)
    n = trials.size
    segments = {"language": np.array(["it", "en", "id"])[cells[:, 0] % 3], "category": np.array(["casual"] * n)}
    successes = rng.binomial(trials.astype(int), 0.985).astype(float)
    good = UserDays(cells[:, 0], cells[:, 1] + 20_000, trials, successes, None, segments)
    cost = UserDays(good.user, good.day, trials, trials * 0.1, trials * rng.gamma(4, 1, n), segments)
    evidence = dict.fromkeys(shipped("go_no_go").criteria, good) | {"savings": cost, "critical_bugs": Number(0)}
    took = []
    for _ in range(5):
        began = time.process_time()  # other tests may share the machine
        judge_gate(shipped("go_no_go"), evidence)
        took.append(time.process_time() - began)
    assert min(took) < 0.3


@pytest.mark.slow
def test_ten_million_comparisons_cost_one_aggregation():
    rng = np.random.default_rng(0)
    n = 2_000_000  # user-days, five comparisons each
    user, day = rng.integers(0, 300_000, n), 20_000 + rng.integers(0, 60, n)
    days = UserDays(user, day, np.full(n, 5.0), rng.binomial(5, 0.99, n).astype(float))
    began = time.perf_counter()
    judged = judge_gate(gate_of(success=above(0.98, 0.95, window="7d")), {"success": days})
    assert judged.verdict == "GO"
    assert time.perf_counter() - began < 5


def test_junit_can_be_read_whatever_a_reason_quotes():
    reason = "broken \x00\x1b[31m\ufffe\ud800 <&> \N{SNOWMAN}\U0001f600"
    verdict = judge_gate(gate_of(**{"odd\x07name": above(0.9)}), {"odd\x07name": Missing(reason)})
    case = ElementTree.fromstring(junit_xml(verdict).encode()).find("testsuite/testcase")
    assert case.get("name") == "odd\\x07name"
    assert case.find("error").get("message") == ("broken \\x00\\x1b[31m\\ufffe\\ud800 <&> \N{SNOWMAN}\U0001f600")
