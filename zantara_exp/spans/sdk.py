"""The only module that imports OpenTelemetry; imported only where spans are asked for.

Spans leave in batches, by a thread of the SDK that nobody waits for.

What a collector does not take is lost, counted, and said once. A queue that is full loses what comes.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from zantara_exp.spans import _setting
from zantara_exp.spans._calls import Called, Ended

_SCOPE = "zantara_exp"
_CHAT = "chat"
_CLOSE_SECONDS = 2.0
_LONGEST = 200
"""Characters of a name that comes from outside."""
_QUEUE = 2048
"""Spans that wait, as the SDK has it."""
_W3C = TraceContextTextMapPropagator()
_log = logging.getLogger(__name__)


class Spans:
    """Makes spans and sends them, as OpenTelemetry's variables say. For one thread, or one event loop."""

    def __init__(self, service: str) -> None:
        """Raises ValueError for a variable that the SDK refuses."""
        # It tells each batch that fails, which is every five seconds while a collector is away.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._passes_on = _setting.passes_on()
        self._exporter = _Exporter(OTLPSpanExporter(), _setting.collector())
        self._queue = _Queue(self._exporter)
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.add_span_processor(self._queue)
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._closed = False

    @property
    def sent(self) -> int:
        """Spans that the collector took."""
        return self._exporter.sent

    @property
    def lost(self) -> int:
        """Spans that it did not take, or that no room was left for."""
        if self._closed:
            return self._queue.taken + self._queue.full - self._exporter.sent
        return self._exporter.failed + self._queue.full

    def request(self, method: str, traceparent: str | None, tracestate: str | None) -> Span:
        """The span of a request that came in; it goes on with the client's trace, where there is one."""
        parent = self.continued(traceparent, tracestate) if self._passes_on else Context()
        return self._tracer.start_span(method, parent, SpanKind.SERVER, {"http.request.method": method})

    def continued(self, traceparent: str | None, tracestate: str | None = None) -> Context:
        """The context of a W3C `traceparent`; an empty one, where a trace begins, for None or what is none."""
        carrier = {"traceparent": traceparent or "", "tracestate": tracestate or ""}
        return _W3C.extract(carrier, Context())

    def call(self, called: Called, parent: Context, attributes: Mapping[str, str]) -> ModelCall:
        """The span of a call that is about to be made."""
        said: dict[str, AttributeValue] = {**attributes}
        name = called.method or _CHAT
        if called.method:
            said["http.request.method"] = called.method
        else:
            said |= {"gen_ai.operation.name": _CHAT, "gen_ai.provider.name": called.provider}
            if called.model:
                said["gen_ai.request.model"] = model = called.model[:_LONGEST]
                name = f"{name} {model}"
            if called.stream:
                said["gen_ai.request.stream"] = True
        if called.host:
            said["server.address"] = called.host
            if called.port:
                said["server.port"] = called.port
        span = self._tracer.start_span(name, parent, SpanKind.CLIENT, said)
        return ModelCall(span, self._passes_on)

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Send what waits, for so long at most; what is left then is lost."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans-end", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()  # it would try again and again
        self._closed = True


class ModelCall:
    """The span of one call of a model."""

    def __init__(self, span: Span, passes_on: bool) -> None:
        self._span = span
        self.headers = {"traceparent": traceparent_of(span)} if passes_on else {}
        """What its request says of the trace."""
        self._over = False

    def answered(self, status: int) -> None:
        """The HTTP status that came back."""
        self._span.set_attribute("http.response.status_code", status)

    def end(self, ended: Ended) -> None:
        """The call is over; only the first end counts."""
        if self._over:
            return
        self._over = True
        usage = ended.usage
        counted = not usage.estimated
        said: dict[str, AttributeValue | None] = {
            "gen_ai.response.model": ended.model and ended.model[:_LONGEST],
            "gen_ai.response.finish_reasons": ended.finish_reason and [ended.finish_reason[:_LONGEST]],
            "gen_ai.response.time_to_first_chunk": ended.first_text_seconds,
            "gen_ai.usage.input_tokens": usage.read if counted else None,
            "gen_ai.usage.output_tokens": usage.output if counted else None,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
            "gen_ai.usage.cache_write.input_tokens": _sum(usage.cache_write_5m, usage.cache_write_1h),
        }
        self._span.set_attributes({name: value for name, value in said.items() if value is not None})
        fail(self._span, ended.error)
        self._span.end()


def fail(span: Span, error: str | None) -> None:
    """Say that what a span stands for went wrong; None: it did not."""
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))


def traceparent_of(span: Span) -> str:
    """W3C's header, for what happens within a span."""
    context = span.get_span_context()
    flags = context.trace_flags & TraceFlags.SAMPLED
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"


def inside(span: Span) -> Context:
    """The context of what happens within a span."""
    return trace.set_span_in_context(span, Context())


class _Queue(BatchSpanProcessor):
    """The SDK's own, which drops the oldest span without a count where it has no room: it is given none then."""

    def __init__(self, exporter: _Exporter) -> None:
        self._most = _number("OTEL_BSP_MAX_QUEUE_SIZE", _QUEUE)
        super().__init__(exporter, max_queue_size=self._most)
        self._to = exporter
        self.taken = self.full = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that is over."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self.taken - self._to.begun >= self._most:
            self.full += 1
            return
        self.taken += 1
        super().on_end(span)


class _Exporter(SpanExporter):
    """Counts what becomes of the batches."""

    def __init__(self, exporter: SpanExporter, collector: str) -> None:
        self._exporter, self._collector = exporter, collector
        self.begun = self.sent = self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, within OTEL_EXPORTER_OTLP_TIMEOUT."""
        self.begun += len(spans)
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
            return result
        if not self.failed:
            what = "the collector at %s takes no spans; what it does not take is lost, and counted"
            _log.warning(what, self._collector)
        self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()


def _resource(service: str) -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and our name where they say none."""
    found = Resource.create()
    unnamed = str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found.merge(Resource({SERVICE_NAME: service})) if unnamed else found


def _number(variable: str, otherwise: int) -> int:
    try:
        return int(os.environ.get(variable, "") or otherwise)
    except ValueError:  # the SDK takes its own default as well
        return otherwise


def _sum(*counts: int | None) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if known else None
