"""Opens what makes and sends spans, where they are asked for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from zantara_exp.spans import _setting

if TYPE_CHECKING:
    from zantara_exp.spans.sdk import Spans

_log = logging.getLogger(__name__)


def open_spans(service: str) -> Spans | None:
    """None where none are asked for, or `trouble` says why there are none; OTEL_SERVICE_NAME wins over `service`."""
    if not _setting.wanted() or _setting.trouble():
        return None
    from zantara_exp.spans.sdk import Spans

    try:
        return Spans(service)
    except ValueError as error:  # a variable that the SDK refuses; what it merely dislikes it replaces
        _log.warning("no spans are sent, a variable of OpenTelemetry is wrong: %s", error)
        return None
