"""Bedrock's Converse API, and the signature that AWS wants."""

import hashlib
import hmac
from datetime import UTC, datetime

import orjson
import pytest

from tests.endpoints.asking import asked
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints._sigv4 import Credentials, signed
from zantara_exp.endpoints.base import Reason
from zantara_exp.endpoints.build import check

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
REPLY = {
    "output": {"message": {"role": "assistant", "content": [{"reasoningContent": {}}, {"text": "Ciao!"}]}},
    "stopReason": "end_turn", "metrics": {"latencyMs": 551},
    "usage": {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658, "cacheReadInputTokens": 1900,
              "cacheWriteInputTokens": 80},
}  # fmt: skip
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")

# https://github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4: the suite's credentials, time and signatures.
SUITE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SPACES = {"My-Header1": "  value1  ", "My-Header2": '"a   b   c"'}
VECTORS: list[tuple[str, str, str, str, dict[str, str], bytes, str, str]] = [
    ("get-vanilla", "GET", "/", "", {}, b"", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("post-vanilla", "POST", "/", "", {}, b"", "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", {}, b"", "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-empty-query-key", "GET", "/", "Param1=value1", {}, b"", "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("post-x-www-form-urlencoded", "POST", "/", "", FORM, b"Param1=value1", "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ("get-header-value-trim", "GET", "/", "", SPACES, b"", "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-utf8", "GET", "/\u1234", "", {}, b"", "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-space-unnormalized", "GET", "/example space/", "", {}, b"", "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "names", "signature"),
    [each[1:] for each in VECTORS],
    ids=[each[0] for each in VECTORS],
)
def test_aws_own_vectors(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, names: str, signature: str
) -> None:
    host = {"Host": "example.amazonaws.com", **headers}
    assert signed(SUITE, "us-east-1", "service", AT, method, path, query, host, body) == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}",
    }


def test_a_models_path_is_signed_as_botocore_signs_it() -> None:
    """Computed by botocore 1.44.8: the path is encoded once more than it is sent, and a session's token is signed."""
    headers = {"host": "bedrock-runtime.eu-west-1.amazonaws.com", "content-type": "application/json"}
    path, keys = "/model/us.anthropic.claude-v1%3A0/converse", Credentials("AKIDEXAMPLE", "secret", "token")
    found = signed(keys, "eu-west-1", "bedrock", AT, "POST", path, "", headers, b'{"a":1}')
    assert found["authorization"].endswith(
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
        "Signature=42f51ce88ab285cdaed41a52b6b27feae904c0cdd94e068eb6631fc398d7458a"
    )


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)


def test_with_a_key_it_asks_converse_and_reads_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKx")
    answer, sent = asked(Endpoint(kind="bedrock", model=MODEL, api_key_env="AWS_BEARER_TOKEN_BEDROCK"), REPLY)
    assert sent.line == f"POST /model/{MODEL.replace(':', '%3A')}/converse HTTP/1.1"
    assert sent.headers["authorization"] == "Bearer ABSKx"
    assert sent.body["system"] == [{"text": "Be short."}]
    assert sent.body["messages"] == [{"role": "user", "content": [{"text": "ciao"}]}]
    assert (answer.text, answer.finish_reason) == ("Ciao!", "stop")
    assert answer.usage == Usage(30, 1900, 80, None, 628)


def test_without_one_it_signs_what_it_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(KEYS, ("AKIDEXAMPLE", "secret", "token", "eu-west-1"), strict=False):
        monkeypatch.setenv(name, value)
    answer, sent = asked(Endpoint(kind="bedrock", model=MODEL), REPLY)
    assert answer.error is None
    day = sent.headers["x-amz-date"][:8]
    head, _, signature = sent.headers["authorization"].partition(", Signature=")
    names = "content-type;host;x-amz-date;x-amz-security-token"
    scope = f"{day}/eu-west-1/bedrock/aws4_request"
    assert head == f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}"
    assert sent.headers["x-amz-security-token"] == "token"
    # What AWS computes from the request that came: its path is encoded once more than it was sent.
    path = sent.line.split()[1].replace("%", "%25")
    body = hashlib.sha256(orjson.dumps(sent.body)).hexdigest()
    lines = ["POST", path, "", *(f"{name}:{sent.headers[name]}" for name in names.split(";")), "", names, body]
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", sent.headers["x-amz-date"], scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()]
    )
    key = b"AWS4secret"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert signature == hmac.digest(key, to_sign.encode(), "sha256").hex()


def test_what_it_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Endpoint(kind="bedrock", model=MODEL, base_url="http://there")
    with pytest.raises(MissingRequirementError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is not set"):
        check(config)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with pytest.raises(MissingRequirementError, match="AWS_REGION") as caught:
        check(config)
    assert "s3cret" not in str(caught.value)
    config.base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
    check(config)
    assert "s3cret" not in repr(Credentials("a", "s3cret", "s3cret"))


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        ({**REPLY, "stopReason": "guardrail_intervened"}, "200 OK", Reason.CUT),
        ({**REPLY, "output": {"message": {"content": []}}}, "200 OK", Reason.EMPTY_ANSWER),
        ({"output": {}}, "200 OK", Reason.BAD_ANSWER),
        ({"message": "The security token included in the request is invalid."}, "403 Forbidden", Reason.UNAUTHORIZED),
        ({"message": "Too many requests"}, "429 Too Many Requests", Reason.RATE_LIMITED),
    ],
)
def test_failures_are_typed(
    reply: dict[str, object], status: str, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKx")
    config = Endpoint(kind="bedrock", model=MODEL, api_key_env="AWS_BEARER_TOKEN_BEDROCK")
    assert asked(config, reply, status)[0].error is reason
