"""Where requests go, by path, host and key; and that what belongs nowhere goes nowhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import CHAT, SECRET
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for
from zantara_exp.config import compose
from zantara_exp.config.gateway import Gateway as GatewayConfig
from zantara_exp.core.errors import ConfigError
from zantara_exp.gateway.dialects import BEDROCK_MESSAGES, BEDROCK_STREAM, COMPLETIONS, MESSAGES, RESPONSES, Dialect
from zantara_exp.gateway.exchange import Refused
from zantara_exp.gateway.routes import Routes

VERTEX = "/projects/p/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5"
COUNTED = VERTEX.rpartition("/")[0] + "/count-tokens"
ALL = GatewayConfig(
    azure_url="https://me.openai.azure.com",
    bedrock_url="https://bedrock-runtime.us-east-1.amazonaws.com",
    vertex_url="https://us-east5-aiplatform.googleapis.com",
)
PLACES: list[tuple[str, str, Dialect | None]] = [
    ("/v1/messages", "https://api.anthropic.com/v1/messages", MESSAGES),
    ("/v1/messages/batches", "https://api.anthropic.com/v1/messages/batches", None),
    ("/v1/chat/completions", "https://api.openai.com/v1/chat/completions", COMPLETIONS),
    ("/v1/chat/completions/", "https://api.openai.com/v1/chat/completions/", COMPLETIONS),
    ("/v1/responses", "https://api.openai.com/v1/responses", RESPONSES),
    ("/v1/responses/resp_1", "https://api.openai.com/v1/responses/resp_1", None),
    ("/v1/embeddings", "https://api.openai.com/v1/embeddings", None),
    ("/messages", "https://api.anthropic.com/v1/messages", MESSAGES),
    ("/messages/count_tokens", "https://api.anthropic.com/v1/messages/count_tokens", None),
    ("/chat/completions", "https://api.openai.com/v1/chat/completions", COMPLETIONS),
    ("/responses", "https://api.openai.com/v1/responses", RESPONSES),
    ("/models/gpt-5", "https://api.openai.com/v1/models/gpt-5", None),
    ("/openai/deployments/d/chat/completions", f"{ALL.azure_url}/openai/deployments/d/chat/completions", COMPLETIONS),
    ("/openai/deployments/d/embeddings", f"{ALL.azure_url}/openai/deployments/d/embeddings", None),
    ("/openai/v1/chat/completions", f"{ALL.azure_url}/openai/v1/chat/completions", COMPLETIONS),
    ("/openai/v1/responses", f"{ALL.azure_url}/openai/v1/responses", RESPONSES),
    ("/openai/responses", f"{ALL.azure_url}/openai/responses", RESPONSES),
    ("/anthropic/v1/messages", f"{ALL.azure_url}/anthropic/v1/messages", MESSAGES),
    ("/model/anthropic.claude-haiku-4-5-v1:0/invoke", f"{ALL.bedrock_url}/model/anthropic.claude-haiku-4-5-v1:0/invoke",
     BEDROCK_MESSAGES),
    ("/model/arn:aws:bedrock:eu-west-1:1:inference-profile/p/invoke",
     f"{ALL.bedrock_url}/model/arn:aws:bedrock:eu-west-1:1:inference-profile/p/invoke", BEDROCK_MESSAGES),
    ("/v1/echo/a\nb", "https://api.openai.com/v1/echo/a\nb", None),
    ("/model/m/invoke-with-response-stream", f"{ALL.bedrock_url}/model/m/invoke-with-response-stream", BEDROCK_STREAM),
    ("/model/m/converse", f"{ALL.bedrock_url}/model/m/converse", None),
    (f"/v1{VERTEX}:rawPredict", f"{ALL.vertex_url}/v1{VERTEX}:rawPredict", MESSAGES),
    (f"/v1{VERTEX}:streamRawPredict", f"{ALL.vertex_url}/v1{VERTEX}:streamRawPredict", MESSAGES),
    (f"{VERTEX}:rawPredict", f"{ALL.vertex_url}/v1{VERTEX}:rawPredict", MESSAGES),
    (f"/v1{COUNTED}:rawPredict", f"{ALL.vertex_url}/v1{COUNTED}:rawPredict", None),
    (f"{COUNTED}:rawPredict", f"{ALL.vertex_url}/v1{COUNTED}:rawPredict", None),
    ("/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent",
     f"{ALL.vertex_url}/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "address", "dialect"), PLACES)
def test_each_providers_path_goes_to_that_provider(path: str, address: str, dialect: Dialect | None) -> None:
    routes = Routes(ALL)
    route = routes.find(path, [(b"host", b"127.0.0.1:8800")])
    assert (str(routes.address(route, path)), route.dialect) == (address, dialect)
    for query in ("?", "??", "?api-version=2024-10-21"):
        assert str(routes.address(route, path + query)) == address + query


def test_what_anthropics_clients_ask_beside_chats_is_anthropics() -> None:
    assert Routes(ALL).find("/v1/models", [(b"anthropic-version", b"2023-06-01")]).upstream == "anthropic"
    assert Routes(ALL).find("/v1/models", []).upstream == "openai"


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("/v1beta/models/gemini:generateContent", {}, "unknown_path"),
    ("//v1/chat/completions", {}, "unknown_path"),
    ("/api/chat", {}, "unknown_path"),
    ("/openai/v1/chat/completions", {}, "not_configured"),
    ("/model/m/invoke", {}, "not_configured"),
    (f"/v1{VERTEX}:rawPredict", {"authorization": "Bearer ya29.x"}, "not_configured"),
    ("/v1/chat/completions", {"authorization": "Bearer ya29.x"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "Bearer sk-ant-api03-x"}, "foreign_key"),
    ("/v1/chat/completions", {"x-goog-api-key": "k"}, "foreign_key"),
    ("/v1/messages", {"x-api-key": "sk-proj-x"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "bearer sk-ant-x"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "BEARER ya29.x"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "Bearer\tya29.x"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "Bearer   ABSKx"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "Key AIzax"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "sk-ant-x"}, "foreign_key"),
    ("/v1/chat/completions", {"api-key": "k"}, "foreign_key"),
    ("/models/chat/completions", {"api-key": "k"}, "foreign_key"),
    ("/v1/chat/completions", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}, "foreign_key"),
    ("/v1/messages", {"authorization": "aws4-hmac-sha256 Credential=x"}, "foreign_key"),
    ("/v1/messages", {"x-amz-security-token": "k"}, "foreign_key"),
    ("/v1/models/gemini-2.5-pro:generateContent?key=AIzax", {}, "foreign_key"),
    ("/v1/chat/completions?api_key=sk-ant-x", {}, "foreign_key"),
    ("/v1/chat/completions?a=1&Access_Token=ya29.x", {}, "foreign_key"),
    ("/v1/chat/completions", {"host": "api.anthropic.com."}, "unknown_host"),
    ("/v1/chat/completions", {"host": "api.anthropic.com"}, "unknown_host"),
    ("/v1/chat/completions", {"host": "us-east5-aiplatform.googleapis.com"}, "unknown_host"),
]


@pytest.mark.parametrize(("path", "headers", "why"), REFUSED)
def test_what_belongs_nowhere_is_refused(path: str, headers: dict[str, str], why: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    path, _, query = path.partition("?")
    with pytest.raises(Refused) as caught:
        Routes(GatewayConfig()).find(path, raw, query.encode())
    assert caught.value.why == why
    assert "x" not in caught.value.reason.split()


def find(config: GatewayConfig, path: str, **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Routes(config).find(path, raw).upstream


def test_a_signature_of_amazons_cannot_be_passed_on_and_a_bearer_key_can() -> None:
    with pytest.raises(Refused, match="AWS_BEARER_TOKEN_BEDROCK"):
        find(ALL, "/model/m/invoke", authorization="AWS4-HMAC-SHA256 Credential=a/b, Signature=c")
    assert find(ALL, "/model/m/invoke", authorization="Bearer ABSKx") == "bedrock"
    china = GatewayConfig(bedrock_url="https://bedrock-runtime.cn-north-1.amazonaws.com.cn")
    with pytest.raises(Refused, match="AWS_BEARER_TOKEN_BEDROCK"):
        find(china, "/model/m/invoke", authorization="aws4-hmac-sha256 Credential=a/b, Signature=c")
    own = GatewayConfig(bedrock_url="http://signs-anew.internal")
    assert find(own, "/model/m/invoke", authorization="AWS4-HMAC-SHA256 Credential=a/b, Signature=c") == "bedrock"


def test_config_says_what_else_is_passed_on() -> None:
    assert find(GatewayConfig(other_url="http://there"), "/api/chat", authorization="Bearer ya29.x") == "other"
    own = GatewayConfig(openai_url="http://litellm:4000", foreign_keys=True)
    assert find(own, "/v1/chat/completions", authorization="Bearer sk-ant-x") == "openai"
    google = GatewayConfig(openai_url="https://generativelanguage.googleapis.com/v1beta/openai")
    assert find(google, "/v1/chat/completions", authorization="Bearer AIzax") == "openai"
    proxied = GatewayConfig(openai_url="http://litellm:4000")
    assert (
        find(proxied, "/v1/chat/completions", api_key="ours") == "openai"
    )  # a header that others than Azure have, too
    one = GatewayConfig(anthropic_url="http://litellm:4000", openai_url="http://litellm:4000")
    assert find(one, "/v1/chat/completions", authorization="Bearer sk-ant-x") == "openai"  # the same address has both
    named = GatewayConfig(hosts=["Gateway.internal"])
    assert find(named, "/v1/messages", host="gateway.internal:8800") == "anthropic"
    assert find(named, "/v1/messages", host="api.anthropic.com") == "anthropic"
    with pytest.raises(Refused, match=r"gateway\.hosts"):
        find(named, "/v1/messages", host="api.mistral.ai")
    with pytest.raises(ConfigError, match=r"gateway\.azure_url"):
        compose(["gateway.azure_url=me.openai.azure.com"])


@pytest.fixture
def primary() -> Primary:
    return Primary()


@pytest.fixture
def served(workdir: Path, primary: Primary) -> Iterator[tuple[str, Any]]:
    with raw_server(Candidate()) as answers, primary_at(primary) as url, gateway_at(url, answers) as gateway:
        yield gateway


def test_what_goes_nowhere_is_counted_and_said_and_no_provider_sees_it(
    served: tuple[str, Any], primary: Primary, capfd: pytest.CaptureFixture[str]
) -> None:
    google = {"authorization": "Bearer ya29.GOOGLE", "content-type": "application/json"}
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 500, "messages": [CHAT]}
    found = httpx.post(f"{served[0]}/v1{VERTEX}:rawPredict", json=body, headers=google)
    assert (found.status_code, found.json()["error"]["type"]) == (404, "not_found_error")
    assert "gateway.vertex_url is not set" in found.json()["error"]["message"]
    assert httpx.post(f"{served[0]}/api/users/mario-rossi", json={}, headers=google).status_code == 404
    assert httpx.post(f"{served[0]}/bot123:SECRET/send", json={}).status_code == 404
    assert primary.headers == []
    counted = series(httpx.get(f"{served[0]}/metrics"))
    assert counted["zantara_gateway_refused_total", "not_configured"] == 1
    assert counted["zantara_gateway_refused_total", "unknown_path"] == 2
    assert counted["zantara_gateway_refused_total", "foreign_key"] == 0
    said = _hears(capfd)
    wait_for(lambda: '"refused":"unknown_path","at":"/api"' in said())
    assert "mario" not in said()
    wait_for(lambda: '"at":"..."' in said())
    assert "GOOGLE" not in said()
    assert "SECRET" not in said()
    chat = {"max_tokens": 500, "messages": [CHAT], "metadata": {"user_id": "u"}}
    assert httpx.post(f"{served[0]}/v1/messages", json=chat).status_code == 200  # and what belongs somewhere goes there
    wait_for(lambda: len(logged()) == 1)


def _hears(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    heard: list[str] = []

    def said() -> str:
        heard.append(capfd.readouterr().out)
        return "".join(heard)

    return said


@pytest.mark.parametrize(
    ("path", "fields", "provider"),
    [
        ("/messages", {}, "anthropic"),
        ("/openai/deployments/d/chat/completions?api-version=2024-10-21", {}, "azure"),
        ("/openai/v1/responses", {"input": "Ciao, come stai?"}, "azure"),
        ("/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke", {"anthropic_version": "bedrock-2023-05-31"},
         "bedrock"),
        (f"/v1{VERTEX}:streamRawPredict", {"anthropic_version": "vertex-2023-10-16", "stream": True}, "vertex"),
    ],
)  # fmt: skip
def test_chats_by_other_providers_paths_are_mirrored(
    workdir: Path, primary: Primary, path: str, fields: dict[str, Any], provider: str
) -> None:
    with raw_server(Candidate()) as answers, primary_at(primary) as url:
        places = [f"gateway.{name}_url={url}" for name in ("azure", "bedrock", "vertex")]
        with gateway_at(url, answers, *places) as (gate, _):
            body = {"max_tokens": 500, "messages": [CHAT], **fields}
            key = {"authorization": f"Bearer {SECRET}", "x-zantara-user": "u"}
            found = httpx.post(gate + path, json=body, headers=key)
            assert (found.status_code, found.content) == (200, b"".join(primary.sent))
            wait_for(lambda: len(logged()) == 1)
    (row,) = logged()
    assert (row.primary.provider, row.primary.response, row.candidate.response) == (
        provider, "Ciao! Come va?", "Ciao a te!"
    )  # fmt: skip
    prefixed = f"/v1{path}" if path == "/messages" else path.replace("%3A", ":")
    assert primary.paths == [prefixed]
    assert primary.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_another_makers_model_on_bedrock_is_no_chat_of_anthropics(workdir: Path, primary: Primary) -> None:
    with raw_server(Candidate()) as answers, primary_at(primary) as url:
        with gateway_at(url, answers, f"gateway.bedrock_url={url}") as (gate, gateway):
            body = {"max_tokens": 500, "messages": [CHAT]}  # gpt-oss and Mistral speak OpenAI's way there
            for path in ("/model/openai.gpt-oss-120b-1%3A0/invoke", "/model/m/invoke-with-response-stream"):
                found = httpx.post(gate + path, json=body, headers={"x-zantara-user": "u"})
                assert found.status_code == 200
            wait_for(lambda: gateway.metrics.unmirrored["other_api"] == 2)
            assert gateway.mirror.stats.sampled == 0
    assert logged() == []
