"""stage=slices: from a log with a bad part to what report, review, next and gate make of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.training.support import context_for
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.slices.stage import slices
from zantara_exp.traffic.confirmed_slices import load, load_pairs, of_search_half

PART = {"language": "id", "category": "casual"}


def write(layout: Layout, failing: dict[str, str], share: float = 0.8) -> list[dict[str, Any]]:
    """A week of 200 users, whose requests of one part fail more often than the others, which are faultless."""
    lines = logs.write(layout.logs / "drawn", logs.Plan(days=7, per_day=80, users=200, success=1.0, heavy=0.0))
    rng = random.Random(5)  # noqa: S311  # a test's data
    for line in lines:
        line["candidate"]["response"] = line["primary"]["response"]
        if all(line[name] == value for name, value in failing.items()) and rng.random() < share:
            line["candidate"] |= {"response": "", "error": "timeout"}
    for path in (layout.logs / "drawn").iterdir():
        day = path.name[-16:-6]
        of_day = [line for line in lines if line["timestamp"][:10] == day]
        (layout.logs / path.name).write_text("".join(json.dumps(line) + "\n" for line in of_day))
        path.unlink()
    return lines


def run(config: Config) -> StageResult:
    config.slices.topics = 0
    return slices(config, context_for(config, Path.cwd())[0])


def test_a_bad_part_is_confirmed_written_down_and_said_how_to_leave_out(config: Config, layout: Layout):
    lines = write(layout, PART)
    done = run(config)
    found = load(layout.slices)
    assert found is not None
    (slice_,) = found.confirmed
    assert (slice_.part, slice_.measure, slice_.until) == (PART, "failed", "2025-10-26")
    inside = [line for line in lines if line["language"] == "id" and line["category"] == "casual"]
    others = [line for line in inside if not of_search_half(line["user"])]
    assert (slice_.requests, slice_.users) == (len(others), len({line["user"] for line in others}))
    assert slice_.rest_bad[0] == 0
    assert slice_.p < 0.01
    assert done.summary["to exclude"] == "rollout.exclude: [{language: id, category: casual}]"
    assert "rollout.exclude=[{language: id, category: casual}]" in done.next_command
    pairs = load_pairs(layout.slice_pairs, "e2")["language=id, category=casual"]
    answered = {line["comparison_id"]: line["user"] for line in inside if not line["candidate"]["error"]}
    assert set(pairs) <= set(answered)
    assert len({answered[pair] for pair in pairs}) == len(pairs)
    assert load_pairs(layout.slice_pairs, "e1") == {}
    assert not {line["user"] for line in lines} & set(layout.slices.read_text().split('"'))

    # It is looked at again, though it is left out now; what was confirmed stays so, and nothing is spent anew.
    config.rollout.exclude = [PART]
    run(config)
    again = load(layout.slices)
    assert again is not None
    assert (again.confirmed, again.tried) == (found.confirmed, found.tried)
    assert again.tried[0] == "failed: language=id, category=casual"


def test_where_nothing_is_worse_nothing_is_said_and_the_judge_is_a_measure_of_its_own(config: Config, layout: Layout):
    lines = write(layout, {}, share=0.0)
    done = run(config)
    assert done.summary["confirmed"] == "none"
    assert "to exclude" not in done.summary
    said = [
        {"judge": "j", "epoch": "e2", "comparison_id": line["comparison_id"], "user": line["user"], "model": "m"}
        | {"verdict": "worse" if line["language"] == "it" and number % 2 else "equivalent"}
        for number, line in enumerate(lines)
    ]
    layout.judged.write_text("".join(json.dumps(each) + "\n" for each in said))
    run(config)
    found = load(layout.slices)
    assert found is not None
    assert ("worse", {"language": "it"}) in [(each.measure, each.part) for each in found.confirmed]
    assert all(each.measure == "worse" for each in found.confirmed)


def test_what_stops_it(config: Config, layout: Layout):
    with pytest.raises(MissingInputError):
        run(config)
    write(layout, PART)
    layout.reports.mkdir(parents=True)
    layout.slices.write_text("{")
    with pytest.raises(ZantaraError, match=r"slices\.json cannot be read"):
        run(config)
