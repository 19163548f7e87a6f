"""A collector of OpenTelemetry on loopback: takes OTLP over HTTP, as protobuf, and keeps the spans."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.shadow.waiting import wait_for

KINDS = {2: "server", 3: "client"}
SECRET = "Bearer c0llector"  # no key: what must not be found anywhere afterwards


@dataclass(frozen=True)
class Seen:
    """One span as it came."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    failed: bool
    seconds: float
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What came, and how it answers."""

    status: int = 200
    silent: threading.Event | None = None
    """Until it is set, nothing is answered."""
    spans: list[Seen] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def named(self, beginning: str, count: int = 1) -> list[Seen]:
        """The spans whose names begin so, once there are so many."""
        found: list[Seen] = []

        def there() -> bool:
            found[:] = [span for span in self.spans if span.name.startswith(beginning)]
            return len(found) >= count

        wait_for(there)
        assert len(found) == count, found
        return found

    def in_role(self, role: str, count: int = 1) -> list[Seen]:
        """The spans of calls in a role, once there are so many."""
        wait_for(lambda: len(self._in_role(role)) >= count)
        found = self._in_role(role)
        assert len(found) == count, found
        return found

    def _in_role(self, role: str) -> list[Seen]:
        return [span for span in list(self.spans) if span.attributes.get("zantara.role") == role]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert path == "/v1/traces"
        assert headers["content-type"] == "application/x-protobuf"
        self.headers.append(headers)
        self.raw.append(body)
        for of in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {each.key: each.value.string_value for each in of.resource.attributes}["service.name"]
            for scope in of.scope_spans:
                assert scope.scope.name == "zantara_exp"
                self.spans += [_seen(service, span) for span in scope.spans]


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service, span.name, KINDS[span.kind], span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
        span.status.code == 2, (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        {each.key: _value(each.value) for each in span.attributes},
    )  # fmt: skip


def _value(found: Any) -> Any:
    kind = found.WhichOneof("value")
    return [_value(each) for each in found.array_value.values] if kind == "array_value" else getattr(found, kind)


@contextmanager
def collecting(collector: Collector) -> Iterator[str]:
    """The collector on loopback; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.append(self.path)
            if collector.silent is not None:
                collector.silent.wait(60)
            if collector.status == 200:
                collector.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        if collector.silent is not None:
            collector.silent.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def ask_for_spans(patched: pytest.MonkeyPatch, address: str) -> None:
    """The variables that turn spans on, with batches that leave at once."""
    patched.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    patched.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={SECRET}")
    patched.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
