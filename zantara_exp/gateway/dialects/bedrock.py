"""Bedrock's `invoke-with-response-stream`: the Messages API, whose stream comes in AWS's own frames.

Each frame is a prelude (its whole length, that of its headers, a CRC), headers, a payload, and a CRC of all that:
https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html . The payload holds one event of the Messages API.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from zantara_exp.gateway.dialects.base import CUT, Chat, NotText, json_object
from zantara_exp.gateway.dialects.messages import Messages, MessagesStream
from zantara_exp.gateway.dialects.stream import BROKEN_OFF, Stream
from zantara_exp.traffic.movable import UNREADABLE

_PRELUDE, _CRC = struct.Struct(">II"), struct.Struct(">I")
_AROUND = 16
"""Bytes of a frame besides its headers and its payload."""
_EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
_EXCEPTION = {
    ":exception-type": "modelStreamErrorException",
    ":content-type": "application/json",
    ":message-type": "exception",
}
_STRING = 7
_PAYLOAD = re.compile(rb'"bytes":\s*"([A-Za-z0-9+/=]*)"')


class BedrockMessages(Messages):
    """`POST /model/MODEL/invoke`: of Claude the Messages API, of each other model's maker an API of its own."""

    path = "/model/invoke"

    def asks_chat(self, asked: Mapping[str, Any]) -> bool:
        """Whether a body is of this API: Claude's names the version of the Messages API."""
        return "anthropic_version" in asked


class BedrockStream(BedrockMessages):
    """`POST /model/MODEL/invoke-with-response-stream`, which always streams."""

    path = "/model/invoke-with-response-stream"
    id_header = b"x-amzn-requestid"
    stream_type = b"application/vnd.amazon.eventstream"

    def begins_text(self, chunk: bytes) -> bool:
        """Whether a piece of the stream holds text, and not only thoughts."""
        return any(b'"text_delta"' in _decoded(found) for found in _PAYLOAD.findall(chunk))

    def _streams(self, asked: Mapping[str, Any]) -> bool:
        return True

    def _events_of(self, body: bytes) -> Iterator[dict[str, Any]]:
        for payload in _frames(body):
            event = json_object(payload)
            if not isinstance(event.get("bytes"), str):  # an exception frame, which has `message` instead
                raise NotText(CUT)
            yield json_object(_decoded(event["bytes"].encode()))

    def stream(self, chat: Chat) -> Stream:
        """What writes the candidate's answer to a chat as a stream."""
        return _InFrames(chat)


class _InFrames(MessagesStream):
    def _framed(self, events: Iterator[Mapping[str, Any]]) -> bytes:
        inside = [base64.b64encode(orjson.dumps(event)).decode() for event in events]
        return b"".join(_frame(_EVENT, {"bytes": each}) for each in inside)

    def broken(self) -> bytes:
        """The end of a broken answer: an exception frame instead of an event."""
        return _frame(_EXCEPTION, {"message": BROKEN_OFF, "originalStatusCode": 500})


def _frames(body: bytes) -> Iterator[bytes]:
    """The payloads of the frames. Raises NotText if the last frame is not whole."""
    at = 0
    while at < len(body):
        if len(body) - at < _AROUND:
            raise NotText(CUT)
        length, headers = _PRELUDE.unpack_from(body, at)
        if length < _AROUND + headers:
            raise NotText(UNREADABLE)
        if len(body) - at < length:
            raise NotText(CUT)
        yield body[at + 12 + headers : at + length - 4]
        at += length


def _frame(named: Mapping[str, str], content: Mapping[str, Any]) -> bytes:
    payload = orjson.dumps(content)
    headers = b"".join(
        bytes([len(name)]) + name.encode() + bytes([_STRING]) + struct.pack(">H", len(value)) + value.encode()
        for name, value in named.items()
    )
    prelude = _PRELUDE.pack(_AROUND + len(headers) + len(payload), len(headers))
    head = prelude + _CRC.pack(zlib.crc32(prelude)) + headers + payload
    return head + _CRC.pack(zlib.crc32(head))


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise NotText(UNREADABLE) from error
