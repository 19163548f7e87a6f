"""Reads the judge's verdicts on the candidate's answers to a rollout's users (stage=judge judge.of=moved)."""

from __future__ import annotations

import logging

import orjson

from zantara_exp.layout import Layout

_log = logging.getLogger(__name__)


def found_worse(layout: Layout, epoch: str) -> dict[str, bool]:
    """By comparison, whether the primary's answer was found better; without comparisons that got no verdict.

    Empty if no judge was asked yet. Raises OSError if the file cannot be read.
    """
    try:
        lines = layout.judged_moved.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    said, unreadable = {}, 0
    for line in lines:
        try:
            body = orjson.loads(line)
            if body["epoch"] == epoch and body["verdict"] is not None:
                said[str(body["comparison_id"])] = body["verdict"] == "worse"
        except (orjson.JSONDecodeError, KeyError, TypeError):
            unreadable += 1
    if unreadable:
        _log.warning("%d lines of %s cannot be read", unreadable, layout.judged_moved.name)
    return said
