"""What the page may do: only what takes users away from the candidate, by the way of the command and logged as that."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Context
from zantara_exp.page.person_name import NAME, NAME_SAID
from zantara_exp.rollout.stage import rollout
from zantara_exp.shadow.switch import turned

PAUSE, ROLLBACK, SHADOW_OFF = "pause", "rollback", "shadow_off"
ACTIONS = (PAUSE, ROLLBACK, SHADOW_OFF)
_LONGEST_REASON = 500


def act(order: Any, config: Config, context: Context) -> str:
    """Do what was ordered (`action`, `actor`, `reason`); what came of it.

    Raises ValueError, with what is valid, for what is no order, ZantaraError where it is refused: nothing has changed.
    """
    action, actor, reason = _checked(order)
    if action == SHADOW_OFF:
        said = turned("off", config)
        context.say(f"{said}, turned off by {actor} on the page: {reason}")
        return said
    ordered = copy.deepcopy(config)
    ordered.rollout.action, ordered.rollout.actor, ordered.rollout.reason = action, actor, reason
    ordered.rollout.watch = False
    done = rollout(ordered, context).summary
    return f"{done.get('phase') or done.get('state', '')}: {done['candidate']}"


def _checked(order: Any) -> tuple[str, str, str]:
    if not isinstance(order, Mapping):
        raise ValueError("an order is a JSON object")
    action, actor, reason = (order.get(name) for name in ("action", "actor", "reason"))
    if action not in ACTIONS:
        raise ValueError(f"action={action!r}; valid are {', '.join(ACTIONS)}")
    if not isinstance(actor, str) or not NAME.fullmatch(actor.strip()):
        raise ValueError(f"say who you are: {NAME_SAID}")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"say why, in one line of up to {_LONGEST_REASON} characters")
    return action, actor.strip(), reason.strip()
