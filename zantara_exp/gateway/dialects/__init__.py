"""The APIs whose requests a gateway reads. To add one, write a file with its class and add a row here."""

from zantara_exp.gateway.dialects.base import CUT, Chat, Dialect, NotText, Said
from zantara_exp.gateway.dialects.bedrock import BedrockMessages, BedrockStream
from zantara_exp.gateway.dialects.completions import Completions
from zantara_exp.gateway.dialects.messages import Messages
from zantara_exp.gateway.dialects.responses import Responses
from zantara_exp.gateway.dialects.stream import Stream

MESSAGES, COMPLETIONS, RESPONSES = Messages(), Completions(), Responses()
BEDROCK_MESSAGES, BEDROCK_STREAM = BedrockMessages(), BedrockStream()
DIALECTS: tuple[Dialect, ...] = (MESSAGES, COMPLETIONS, RESPONSES, BEDROCK_MESSAGES, BEDROCK_STREAM)

__all__ = [
    "BEDROCK_MESSAGES", "BEDROCK_STREAM", "COMPLETIONS", "CUT", "DIALECTS", "MESSAGES", "RESPONSES", "Chat", "Dialect",
    "NotText", "Said", "Stream",
]  # fmt: skip
