"""What OpenTelemetry's own variables ask for, as its specification has them.

OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT turns spans on, and so does OTEL_TRACES_EXPORTER=otlp,
by which they go to a collector on this machine; OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none turn them off. The
other variables (headers, time-outs, certificates, sampler, batches, resource) are read by the SDK itself.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

_EXPORTER = "OTEL_TRACES_EXPORTER"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP, _NONE = "otlp", "none"
_PROTOCOL = "http/protobuf"
_HERE = "http://localhost:4318"
_PACKAGE = "opentelemetry.exporter.otlp.proto.http"


def wanted() -> bool:
    """Whether spans are asked for."""
    if _value("OTEL_SDK_DISABLED").lower() == "true" or _exporters() == {_NONE}:
        return False
    return bool(_exporters() or _first(_ENDPOINTS))


def trouble() -> str:
    """Why spans that are asked for are not sent, and what to do about it; empty where they are, or nobody asks."""
    if not wanted():
        return ""
    if _exporters() and _OTLP not in _exporters():
        return f"{_EXPORTER}={_value(_EXPORTER)}: no spans are sent, only {_OTLP} and {_NONE} are known here"
    variable = next((name for name in _PROTOCOLS if _value(name)), "")
    if variable and _value(variable) != _PROTOCOL:
        return (
            f"{variable}={_value(variable)}: no spans are sent, only {_PROTOCOL} is spoken here; "
            f"next: export {_PROTOCOLS[0]}={_PROTOCOL} {_ENDPOINTS[0]}=http://HOST:4318/v1/traces"
        )
    if not _installed():
        by = next((name for name in (*_ENDPOINTS, _EXPORTER) if _value(name)), "")
        return f"{by} is set, and no spans are sent: next: pip install 'zantara-exp[otel]'"
    return ""


def collector() -> str:
    """Host and port of the collector; its address may hold a password."""
    parts = urlsplit(_first(_ENDPOINTS) or _HERE)
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname}:{port}" if port else str(parts.hostname)


def passes_on() -> bool:
    """Whether a trace goes on from the client, and to the models: unless OTEL_PROPAGATORS leaves W3C's out."""
    named = _value("OTEL_PROPAGATORS")
    return not named or "tracecontext" in {each.strip() for each in named.split(",")}


def _installed() -> bool:
    try:
        return find_spec(_PACKAGE) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _exporters() -> set[str]:
    return {name.strip().lower() for name in _value(_EXPORTER).split(",") if name.strip()}


def _first(names: tuple[str, ...]) -> str:
    return next(filter(None, map(_value, names)), "")


def _value(name: str) -> str:
    """Empty is as if it were not set."""
    return os.environ.get(name, "").strip()
