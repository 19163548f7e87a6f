"""When the first text of a stream comes, however the stream is cut into pieces and packed."""

import zlib

import orjson
import pytest

from tests.shadow.primary import anthropic_frames, openai_frames, responses_frames
from zantara_exp.endpoints.base import Answer
from zantara_exp.gateway.dialects import BEDROCK_STREAM, COMPLETIONS, MESSAGES, RESPONSES, Dialect
from zantara_exp.gateway.time_to_first_text import FirstText

THOUGHT = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "text"}}
REASONED = {"choices": [{"index": 0, "delta": {"content": "", "reasoning_content": "hm"}}]}


def data(event: object) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def bedrock() -> tuple[bytes, bytes]:
    stream = BEDROCK_STREAM.stream(BEDROCK_STREAM.read_chat(b'{"anthropic_version": "2023"}'))
    return stream.start("m"), stream.piece("Ciao") + stream.end(Answer("Ciao", "m", "p", 1.0))


STREAMS: list[tuple[Dialect, bytes, bytes]] = [
    (MESSAGES, b"".join(anthropic_frames(False)[:2]) + data(THOUGHT), b"".join(anthropic_frames(False)[2:])),
    (COMPLETIONS, data(REASONED), b"".join(openai_frames(False))),
    (RESPONSES, b"".join(responses_frames(False)[:3]), b"".join(responses_frames(False)[3:])),
    (BEDROCK_STREAM, *bedrock()),
]


@pytest.mark.parametrize(("dialect", "before", "text"), STREAMS, ids=[each[0].path for each in STREAMS])
@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_it_comes_with_the_first_piece_of_text(
    dialect: Dialect, before: bytes, text: bytes, coding: str, size: int
) -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | (16 if coding == "gzip" else 0))

    def packed(plain: bytes) -> list[bytes]:
        raw = plain if coding == "identity" else packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
        return [raw[at : at + size] for at in range(0, len(raw), size)]

    looking = FirstText(dialect, coding)
    assert not any(looking.comes_with(chunk) for chunk in packed(before))
    assert any(looking.comes_with(chunk) for chunk in packed(text))


def test_a_stream_of_another_kind_has_none() -> None:
    assert not FirstText(MESSAGES, "gzip").comes_with(b"not packed at all" * 9)
    assert not FirstText(BEDROCK_STREAM, "identity").comes_with(b'{"bytes":"A"}')
