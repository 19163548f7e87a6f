"""What lies between clients, the gateway and the primary: kept connections, proxies, certificates, old clients."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.composing import composed
from tests.endpoints.servers import answering, raw_server
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import post
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.waiting import wait_for
from zantara_exp.config import compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.endpoints.connections import certificates, proxy_of
from zantara_exp.endpoints.openai_compatible import OpenAICompatible
from zantara_exp.gateway.app import Gateway

pytestmark = pytest.mark.usefixtures("workdir")

ANSWER = json.dumps({"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}]}).encode()


class Keeping:
    """A server that keeps connections, and ends each as `ends` says when its second request has come."""

    def __init__(self, works_seconds: float, begins: bytes = b"") -> None:
        self.works_seconds, self.begins, self.came = works_seconds, begins, 0
        self._loop = asyncio.new_event_loop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for turn in (1, 2):
                head = await reader.readuntil(b"\r\n\r\n")
                told = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(told.split(b":")[1]))
                self.came += 1
                if turn == 2:
                    await asyncio.sleep(self.works_seconds)
                    writer.write(self.begins)
                    break
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @contextmanager
    def running(self) -> Iterator[str]:
        bound = socket.create_server(("127.0.0.1", 0))
        started = threading.Event()

        async def main() -> None:
            self._stop = asyncio.Event()
            server = await asyncio.start_server(self._serve, sock=bound)
            started.set()
            await self._stop.wait()
            server.close()

        thread = threading.Thread(target=self._loop.run_until_complete, args=(main(),))
        thread.start()
        started.wait()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            self._loop.close()


@pytest.mark.parametrize(
    ("works_seconds", "begins", "statuses", "came"),
    [
        (0.0, b"", [200, 200], 3),
        (1.0, b"", [200, 502], 2),
        (0.0, b"HTTP/1.1 200 OK\r\nconte", [200, 502], 2),
    ],
)
def test_a_request_is_sent_again_only_where_nobody_read_it(
    works_seconds: float, begins: bytes, statuses: list[int], came: int
) -> None:
    server = Keeping(works_seconds, begins)
    with server.running() as url, gateway_at(url, "http://127.0.0.1:1/v1") as (gate, _):
        assert [post(gate).status_code for _ in statuses] == statuses
    assert server.came == came


def test_a_candidates_stale_connection_is_no_failure_of_the_model() -> None:
    server = Keeping(0.0)

    async def ask(url: str) -> list[str | None]:
        config = composed("endpoint=openai", "endpoint.base_url=http://x", "endpoint.model=m", "endpoint.stream=false")
        config.endpoint.base_url = f"{url}/v1"
        endpoint = OpenAICompatible(config.endpoint, config.endpoint.base_url, "m")
        try:
            return [(await endpoint.chat([{"role": "user", "content": "Ciao"}])).detail for _ in range(4)]
        finally:
            await endpoint.close()

    with server.running() as url:
        assert asyncio.run(ask(url)) == [None] * 4


def test_the_primary_is_reached_through_the_companys_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def proxy(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request.split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with raw_server(proxy) as at, primary_at(Primary()) as beside:
        monkeypatch.setenv("HTTP_PROXY", at.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with gateway_at("http://primary.invalid", "http://127.0.0.1:1/v1") as (gate, _):
            assert post(gate).text == "ok"
        with gateway_at(beside, "http://127.0.0.1:1/v1") as (gate, _):
            assert post(gate).status_code == 200
    assert seen == [b"POST http://primary.invalid/v1/messages HTTP/1.1"]


TARGETS = (
    "/v1/echo?", "/v1/echo??", "/v1/echo?a", "/v1/echo?a=&b=%2F&a=%20z", "/v1//echo?", "/v1/echo/../a/%2e%2e/b%2Fc",
    "/v1/echo/a+b;c|d{e}[f]'", "/echo?#f",
)  # fmt: skip


@pytest.mark.parametrize("by", ["straight", "proxy"])
def test_a_target_goes_on_as_it_came(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def primary(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with raw_server(primary) as at:
        url = at.removesuffix("/v1")
        if by == "proxy":
            monkeypatch.setenv("HTTP_PROXY", url)
            monkeypatch.delenv("NO_PROXY", raising=False)
            url = "http://primary.invalid/below"
        with gateway_at(url, "http://127.0.0.1:1/v1", f"gateway.other_url={url}") as (gate, _):
            for target in (*TARGETS, f"{gate}/v1/echo?a"):
                with socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1])), timeout=60) as client:
                    client.sendall(f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
                    assert client.recv(12) == b"HTTP/1.1 200"
    before = "http://primary.invalid/below" if by == "proxy" else ""
    assert seen == [f"GET {before}{target} HTTP/1.1" for target in (*TARGETS, "/v1/echo?a")]


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "primary")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "ca.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_primary_is_trusted_by_a_certificate_of_the_company(tmp_path: Path) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with raw_server(Candidate(), encrypted=context) as at:
        url = at.removesuffix("/v1").replace("http:", "https:")
        with gateway_at(url, "http://127.0.0.1:1/v1") as (gate, _):
            assert post(gate).status_code == 502
        with gateway_at(url, "http://127.0.0.1:1/v1", f"gateway.ca_file={path}") as (gate, _):
            assert post(gate).status_code == 200


@pytest.mark.parametrize(("content", "why"), [(None, "no such file"), ("nothing", "holds no certificate in pem")])
def test_a_file_that_holds_no_certificate_is_named_at_the_start(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=f"gateway.ca_file=.*{why}"):
        certificates(str(path))


def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    with primary_at(Primary()) as url, gateway_at(url, "http://127.0.0.1:1/v1") as (gate, _):
        body = json.dumps({"model": "m", "max_tokens": 9, "stream": True, "messages": []}).encode()
        host, port = gate.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            head = b"POST /v1/messages HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            client.sendall(head % len(body) + body)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
    head, _, said = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert b"content-length: %d" % len(said) in head.lower()
    assert said.startswith(b"event:")


def test_a_body_too_large_to_hold_goes_on_unseen() -> None:
    primary, nobody = Primary(), "http://127.0.0.1:1/v1"
    with primary_at(primary) as url, gateway_at(url, nobody, "gateway.max_body_bytes=2000") as (gate, _):
        assert post(gate, messages=[{"role": "user", "content": "x" * 300_000}]).status_code == 200

        async def chunked() -> AsyncIterator[bytes]:
            yield b'{"max_tokens": 9, "messages": ['
            for _ in range(10):
                yield b" " * 1000
            yield b"]}"

        async def sent() -> int:
            async with httpx.AsyncClient() as client:
                return (await client.post(f"{gate}/v1/messages", content=chunked())).status_code

        assert asyncio.run(sent()) == 200
        page = series(httpx.get(f"{gate}/metrics"))
    assert [len(body) > 9_999 for body in primary.bodies] == [True, True]
    assert page["zantara_gateway_unmirrored_total", "too_large"] == 2
    assert page["zantara_mirror_observed_total",] == 0


def test_a_client_that_goes_away_while_its_large_body_goes_on_is_no_failure_of_the_primary() -> None:
    nobody = "http://127.0.0.1:1/v1"
    with primary_at(Primary()) as url, gateway_at(url, nobody, "gateway.max_body_bytes=2000") as (gate, _):
        host, port = gate.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 90000\r\n\r\n" + b" " * 40_000
            )
        wait_for(lambda: ended(gate))
        assert ended(gate) == {"499": 1}


def ended(gate: str) -> dict[str, float]:
    """Requests that are over, by status."""
    page = series(httpx.get(f"{gate}/metrics"))
    return {key[-1]: count for key, count in page.items() if key[0] == "zantara_gateway_requests_total" and count}


def test_a_machine_without_certificates_of_its_own_still_checks_whom_it_talks_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/ours.pem")
    assert certificates(None).get_ca_certs() == []
    monkeypatch.delenv("SSL_CERT_FILE")
    assert len(certificates(None).get_ca_certs()) > 50


@pytest.mark.parametrize(
    ("none", "beside"),
    [
        ("corp", True),
        ("corp:8080", True),
        ("corp:9", False),
        ("*.corp", False),
        ("10.0.0.0/8", False),
        ("other", False),
    ],
)
def test_no_proxy_is_read_as_other_tools_read_it(none: str, beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", none)
    assert (proxy_of("http://corp:8080/v1") is None) is beside
    assert (proxy_of("http://api.corp/v1") is None) is (none in ("corp", "*.corp"))
    assert (proxy_of("http://10.1.2.3/v1") is None) is (none == "10.0.0.0/8")
    assert proxy_of("http://elsewhere/v1") == "http://proxy:3128"


@pytest.mark.parametrize("proxy", ["socks5://u:S3cret@proxy:1080", "socks4a://proxy:1080", "junk://proxy"])
def test_a_proxy_that_speaks_no_http_is_refused_at_the_start(
    proxy: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    running = {*threading.enumerate()}
    with pytest.raises(ConfigError, match=f"ALL_PROXY names a proxy that speaks {proxy.partition(':')[0]}") as caught:
        Gateway(compose(["shadow=live", "endpoint=openai", "endpoint.base_url=http://127.0.0.1:1/v1"]))
    assert "S3cret" not in f"{caught.value} {caught.value.hint}"
    assert {*threading.enumerate()} <= running  # what was begun before would go on


def test_a_client_without_chunks_is_told_that_the_primary_broke_off() -> None:
    broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf \r\n"
    with (
        raw_server(answering(broken)) as url,
        gateway_at(url.removesuffix("/v1"), "http://127.0.0.1:1/v1") as (gate, gateway),
        socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1]))) as client,
    ):
        client.sendall(b"POST /v1/messages HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}")
        said = b"".join(iter(lambda: client.recv(65536), b""))
        assert said.startswith(b"HTTP/1.1 502 ")
        assert b'"type":"api_error"' in said
        assert gateway.metrics.requests["/v1/messages", 502] == 1


def test_a_head_without_an_end_is_not_held() -> None:
    with (
        primary_at(Primary()) as url,
        gateway_at(url, "http://127.0.0.1:1/v1") as (gate, _),
        socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1]))) as client,
    ):
        with contextlib.suppress(ConnectionError):
            client.sendall(b"POST /v1/messages HTTP/1.1\r\nx-long: " + b"x" * 3_000_000)
        client.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert client.recv(65536)[:13] in (b"", b"HTTP/1.1 400 ")  # closed, told or not
        assert post(gate).status_code == 200
