"""LLAMA_ENABLED: the switch over everything. Anything but a plain yes is off; not set is on."""

from __future__ import annotations

import os

from zantara_exp.shadow.switch import means_on

VARIABLE = "LLAMA_ENABLED"


def llama_enabled() -> bool:
    """Whether this process may route to the candidate at all."""
    return means_on(os.environ.get(VARIABLE, ""), VARIABLE)
