"""The APIs whose requests a gateway reads. Another one is a file with its class, and a row here."""

from zantara_exp.gateway.dialects.base import CUT, Chat, Dialect, NotText, Said
from zantara_exp.gateway.dialects.completions import Completions
from zantara_exp.gateway.dialects.messages import Messages
from zantara_exp.gateway.dialects.responses import Responses

MESSAGES, COMPLETIONS, RESPONSES = Messages(), Completions(), Responses()
DIALECTS: tuple[Dialect, ...] = (MESSAGES, COMPLETIONS, RESPONSES)

__all__ = ["COMPLETIONS", "CUT", "DIALECTS", "MESSAGES", "RESPONSES", "Chat", "Dialect", "NotText", "Said"]
