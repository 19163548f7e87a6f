"""LLAMA_ENABLED overrides everything. Not set means on; any value but a plain yes means off."""

from __future__ import annotations

import os

from zantara_exp.core.on_off import means_on

VARIABLE = "LLAMA_ENABLED"


def llama_enabled() -> bool:
    """Whether this process may route to the candidate at all."""
    return means_on(os.environ.get(VARIABLE, ""), VARIABLE)
