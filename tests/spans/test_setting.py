"""OpenTelemetry's variables: what turns spans on, what turns them off, and what is said where they cannot be sent."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.test_app import SECRET
from tests.gateway.test_stage import serving
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, observe, opened
from zantara_exp.cli.main import run_overrides
from zantara_exp.shadow.identity import warn_once
from zantara_exp.spans import collector, open_spans, trouble, wanted

ENDPOINT, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
HERE = {ENDPOINT: "http://127.0.0.1:4318"}


@pytest.fixture
def without_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed: Python does not find the package."""

    class Missing:
        def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
            if name.startswith("opentelemetry.exporter"):
                raise ModuleNotFoundError(name)

    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        (HERE, True),
        ({TRACES: "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", **HERE}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", **HERE}, False),
        ({"OTEL_SDK_DISABLED": "false", **HERE}, True),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
    ],
)
def test_an_address_or_an_exporter_turns_spans_on(
    variables: Mapping[str, str], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wanted() is asked
    assert trouble() == ""
    if not asked:
        assert open_spans("here") is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin: .* only otlp and none"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **HERE}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: .* only http/protobuf"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **HERE},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json",
        ),
    ],
)
def test_what_cannot_be_sent_is_said_with_what_can(
    variables: Mapping[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert re.match(said, trouble())
    assert open_spans("here") is None


@pytest.mark.usefixtures("without_exporter", "workdir")
def test_a_missing_extra_is_said_once_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TRACES, f"http://user:{SECRET}@127.0.0.1:4318/v1/traces")
    said = f"{TRACES} is set, and no spans are sent: next: pip install 'zantara-exp[otel]'"
    assert trouble() == said
    assert open_spans("here") is None
    warn_once.cache_clear()
    with raw_server(Candidate()) as url:
        mirror, second = opened(url), opened(url)
        asyncio.run(second.close(0))
        observe(mirror, 1)
        asyncio.run(mirror.close())
    assert len(logged()) == 1
    assert [record.getMessage() for record in caplog.records].count(said) == 1


def test_a_gateway_and_doctor_say_it_too(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_overrides(["stage=doctor"]) == 0
    assert "spans ok off; OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setenv(ENDPOINT, f"http://user:{SECRET}@[::1]:4318")
    assert run_overrides(["stage=doctor"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "spans ok sent to ::1:4318" in printed
    assert SECRET not in printed
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert run_overrides(["stage=doctor"]) == 0
    assert "spans warning OTEL_EXPORTER_OTLP_PROTOCOL=grpc: no spans" in " ".join(capsys.readouterr().out.split())
    with primary_at(Primary()) as url, raw_server(Candidate()) as answers, serving(url, answers) as (gateway, _):
        gateway.terminate()
        assert gateway.stdout is not None
        told = gateway.stdout.read()
        assert gateway.wait(60) == 0
    assert told.count("warning: OTEL_EXPORTER_OTLP_PROTOCOL=grpc: no spans are sent, only http/protobuf") == 1
    assert "spans go to" not in told


def test_an_address_without_a_port_and_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert collector() == "localhost:4318"
    for address, said in (("https://otel.example.org/x", "otel.example.org"), ("http://there:port", "there")):
        monkeypatch.setenv(ENDPOINT, address)
        assert collector() == said
