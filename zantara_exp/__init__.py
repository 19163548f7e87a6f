"""Experiments that decide whether a fine-tuned model may take over part of a product's chat traffic.

What a program imports, each loaded when it is first asked for:

    from zantara_exp import ShadowMirror, ChatRequest, PrimaryAnswer   # the mirror, in an app (docs/shadow-mode.md)
    from zantara_exp import Router                                     # the rollout, in an app (docs/rollout.md)
    from zantara_exp import Answered, HttpEndpoint                     # what extensions build on (docs/extending.md)
    from zantara_exp import compose, run                               # the config, and a command line of stages
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zantara_exp.analysis.own_metrics import Answered
    from zantara_exp.cli.main import run_overrides as run
    from zantara_exp.config import Config, compose
    from zantara_exp.endpoints.http import HttpEndpoint
    from zantara_exp.rollout.router import Router
    from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror

__version__ = "0.2.0"
__all__ = [
    "Answered",
    "ChatRequest",
    "HttpEndpoint",
    "Config",
    "PrimaryAnswer",
    "Router",
    "ShadowMirror",
    "__version__",
    "compose",
    "run",
]
_FROM = {
    "Answered": "analysis.own_metrics:Answered",
    "HttpEndpoint": "endpoints.http:HttpEndpoint",
    "ChatRequest": "shadow.mirror:ChatRequest",
    "Config": "config:Config",
    "PrimaryAnswer": "shadow.mirror:PrimaryAnswer",
    "Router": "rollout.router:Router",
    "ShadowMirror": "shadow.mirror:ShadowMirror",
    "compose": "config:compose",
    "run": "cli.main:run_overrides",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: `import zantara_exp` alone stays light."""
    if name not in _FROM:
        raise AttributeError(f"module 'zantara_exp' has no attribute '{name}'")
    module, _, inside = _FROM[name].partition(":")
    return getattr(import_module(f"zantara_exp.{module}"), inside)
