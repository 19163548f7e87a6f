"""Spans of OpenTelemetry: what the gateway was asked, and each call of a model, by it or by the mirror's worker.

Off until OpenTelemetry's standard environment variables turn it on (`_setting.py`); nothing of it is imported before.
Names and attributes are those of its conventions for generative AI (`gen_ai.client.inference`) and for HTTP, beside our
own `zantara.*`. No span holds a chat's text, a user, a path that nobody knows, or a key.
"""

from __future__ import annotations

from zantara_exp.spans._calls import (
    GIVEN_UP,
    ROLE,
    Around,
    Called,
    Ended,
    call,
    call_headers,
    in_role,
    note_status,
    within,
)
from zantara_exp.spans._open import open_spans
from zantara_exp.spans._setting import collector, trouble, wanted

__all__ = [
    "GIVEN_UP",
    "ROLE",
    "Around",
    "Called",
    "Ended",
    "call",
    "call_headers",
    "collector",
    "in_role",
    "note_status",
    "open_spans",
    "trouble",
    "wanted",
    "within",
]
