"""What the live page may order, and from whom."""

from __future__ import annotations

import os

import pytest

from zantara_exp.config import Config
from zantara_exp.core.stage import Context
from zantara_exp.watch.acting import ACTIONS, act

ORDER = {"action": "rollback", "actor": "D'Angelo", "reason": "wrong prices"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"action": "start"}, "valid are pause, rollback, shadow_off"),
        ({"actor": ""}, "say who you are: 1 to 40 letters"),
        ({"actor": "<b>"}, "say who you are"),
        ({"reason": " "}, "say why"),
        ({"reason": "two\nlines"}, "say why"),
        ({"reason": "x" * 501}, "up to 500"),
    ],
)
def test_what_is_no_order_is_refused(config: Config, changed: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        act(ORDER | changed, config, Context(config, None, None))  # type: ignore[arg-type]
    assert not os.path.exists(config.paths.state)


def test_a_page_raises_nothing(config: Config) -> None:
    assert set(ACTIONS) == {"pause", "rollback", "shadow_off"}
    assert act(ORDER, config, Context(config, None, None)) == "idle: nobody: the primary answers everyone"  # type: ignore[arg-type]
    assert config.rollout.action == "status"  # the page's own config is as it was
