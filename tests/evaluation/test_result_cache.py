"""Results on disk by their keys."""

from __future__ import annotations

from pathlib import Path

from zantara_exp.evaluation.result_cache import KeyedLines


def test_a_line_that_lacks_what_is_read_of_it_is_not_there(tmp_path: Path) -> None:
    """As when somebody edits the file: the question is asked again."""
    file = tmp_path / "judge.jsonl"
    file.write_text(
        '{"key": "whole", "overall": "tie", "reason": "so"}\n{"key": "edited", "overall": 1, "reason": "so"}\n'
        '{"key": "short", "overall": "tie"}\n[1]\n{"key": "torn", "over'
    )
    kept = KeyedLines(file, ["overall", "reason"])
    assert kept.get("whole") == {"overall": "tie", "reason": "so"}
    assert [kept.get(key) for key in ("edited", "short", "torn")] == [None] * 3
    kept.put({"short": {"overall": "primary", "reason": "worse"}})
    assert KeyedLines(file, ["overall"]).get("short") == {"overall": "primary", "reason": "worse"}
