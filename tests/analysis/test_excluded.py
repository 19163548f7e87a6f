"""What is left out of a log, and whose requests are evidence on the rest."""

from __future__ import annotations

import pytest

from tests.analysis import logs
from zantara_exp.analysis.engine import fetched, first_value
from zantara_exp.analysis.evidence import evidence
from zantara_exp.analysis.log import open_log
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import EvidenceRequest, Missing, UserDays
from zantara_exp.traffic.confirmed_slices import Confirmed, Sliced, of_search_half, save

PART = {"language": "id", "category": "casual"}
FIGURES = ("failed", 10, 30, 0.1, (0.2, 0.1, 0.3), (0.02, 0.01, 0.03), 0.001)
PLAN = logs.Plan(days=4, per_day=60, success=0.9)


@pytest.fixture
def lines(config: Config, layout: Layout) -> list[dict]:
    made = logs.write(layout.logs, PLAN)
    config.rollout.exclude = [PART]
    return made


def users(config: Config, layout: Layout) -> set[str]:
    with open_log(config, layout) as log:
        return {row["user"] for row in fetched(log.evidence("e2", config, layout).select("user")).to_pylist()}


def counted(config: Config, layout: Layout) -> UserDays | Missing:
    found = evidence([EvidenceRequest("success")], None, config, layout)[0]
    assert isinstance(found, UserDays | Missing)
    return found


def confirmed(layout: Layout, until: str, epoch: str = "e2") -> None:
    save(Sliced(epoch, until, (Confirmed(PART, *FIGURES, until),), ()), layout.slices)


def test_what_is_left_out_is_set_aside_with_its_reason(lines: list[dict], config: Config, layout: Layout):
    inside = [line for line in lines if all(line[name] == value for name, value in PART.items())]
    with open_log(config, layout) as log:
        assert first_value(log.facts.count()) == len(lines) - len(inside)
        aside = fetched(log.aside.group_by("why_aside").agg(n=log.aside.count())).to_pylist()
    assert aside == [{"why_aside": "excluded_language_id_category_casual", "n": len(inside)}]


def test_without_a_search_nobody_knows_whose_requests_chose_it(lines: list[dict], config: Config, layout: Layout):
    found = counted(config, layout)
    assert isinstance(found, Missing)
    assert "rollout.exclude leaves out language=id, category=casual, which slices.json does not confirm" in found.reason
    assert "stage=slices" in found.reason


def test_users_of_the_search_half_count_only_if_they_came_later(lines: list[dict], config: Config, layout: Layout):
    confirmed(layout, "2025-10-21")
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line["user"], line["timestamp"][:10])
    rest = {line["user"] for line in lines if any(line[name] != value for name, value in PART.items())}
    chose = {user for user, day in first.items() if of_search_half(user) and day <= "2025-10-21"}
    assert users(config, layout) == rest - chose
    assert any(of_search_half(user) for user in rest - chose), "somebody came later"
    found = counted(config, layout)
    assert isinstance(found, UserDays)
    kept = [line for line in lines if line["user"] not in chose]
    assert found.trials.sum() == sum(any(line[name] != value for name, value in PART.items()) for line in kept)


def test_a_slice_of_another_candidate_was_chosen_by_none_of_these(lines: list[dict], config: Config, layout: Layout):
    confirmed(layout, "2025-10-21", epoch="e1")
    rest = {line["user"] for line in lines if any(line[name] != value for name, value in PART.items())}
    assert users(config, layout) == rest


def test_of_what_was_declared_those_count_who_came_from_then_on(lines: list[dict], config: Config, layout: Layout):
    config.rollout.exclude = [{**PART, "declared": "2025-10-22"}]
    early = {line["user"] for line in lines if line["timestamp"] < "2025-10-22"}
    assert users(config, layout)
    assert not users(config, layout) & early
    config.rollout.exclude = [{**PART, "declared": "2025-10-01"}]
    assert users(config, layout) & early


def test_halves_are_halves_and_stay():
    names = [f"u-{number:04d}" for number in range(2000)]
    assert 900 < sum(map(of_search_half, names)) < 1100
    assert [of_search_half(name) for name in names[:8]] == [False, False, True, False, True, False, True, False]
