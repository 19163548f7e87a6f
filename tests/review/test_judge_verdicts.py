"""What a judge said of many pairs, read for the gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zantara_exp.core.errors import ZantaraError
from zantara_exp.review.judge_verdicts import judgements
from zantara_exp.review.sample import Sample, frame


def line(pair: str, verdict: str | None, user: str = "", judge: str = "j1", epoch: str = "e1") -> str:
    said = {"judge": judge, "epoch": epoch, "comparison_id": pair, "user": user or f"u-{pair}", "verdict": verdict}
    return json.dumps(said) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "judged.jsonl"


def test_users_weigh_alike_and_the_sample_is_told_in_its_order(file: Path, sample: Sample) -> None:
    """The sample has the pairs c0, c1 and c2; `d1` and `d2` are of the user of `c0`."""
    file.write_text(
        line("c0", "better", "u0")
        + line("d1", "worse", "u0")
        + line("d2", "worse", "u0")
        + line("c1", "worse", "u1")
        + line("e1", "equivalent", "u2")
    )
    found = judgements(file, sample)
    assert found is not None
    assert (found.judge, found.users, found.in_order) == ("j1", 3, "gw.")
    assert found.share == pytest.approx((1 / 3 + 0 + 1) / 3)


def test_what_a_judge_could_not_say_is_not_good(file: Path, sample: Sample) -> None:
    file.write_text(line("c0", None) + line("c1", "unsure") + line("c2", "equivalent"))
    found = judgements(file, sample)
    assert found is not None
    assert (found.in_order, found.share) == ("wwg", pytest.approx(1 / 3))


def test_the_newest_judge_of_the_samples_candidate_counts(file: Path, sample: Sample) -> None:
    assert judgements(file, sample) is None
    file.write_text(line("c0", "worse", epoch="e0"))
    assert judgements(file, sample) is None
    old = "".join(line(f"c{number}", "worse") for number in range(3))
    new = line("c0", "worse", judge="j2") + line("c1", "better", judge="j2") + line("c0", "better", judge="j2")
    file.write_text(old + new)
    found = judgements(file, sample)
    assert found is not None
    assert (found.judge, found.users, found.in_order) == ("j2", 2, "gg.")


@pytest.mark.parametrize(
    "broken", ["{", "[]", "7", '{"judge": "j1"}', line("", "worse"), line("c0", "worse", judge="")]
)
def test_a_line_that_is_no_verdict_is_named(file: Path, sample: Sample, broken: str) -> None:
    file.write_text(line("c0", "worse") + broken)
    with pytest.raises(ZantaraError, match="line 2, is no judge's verdict"):
        judgements(file, sample)


def test_a_frame_has_one_pair_per_user_in_the_order_of_a_lot() -> None:
    rows = [{"user": f"u{number % 5}", "comparison_id": f"c{number}"} for number in range(40)]
    found = frame(rows, 7)
    assert sorted(row["user"] for row in found) == [f"u{number}" for number in range(5)]
    assert found == frame(rows[::-1], 7)
    assert found != sorted(found, key=lambda row: row["user"])
