"""A secret has no place in a config: one is refused before anything is written, and never shown.

The keys that end in `_env` name an environment variable. Whoever writes the password itself there would find it again
in Hydra's files, in MLflow, in messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zantara_exp.core.errors import ConfigError

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_WITH_SECRET = re.compile(r"[^/]*//[^/?#]*@|.*\?")


def misplaced(key: str, value: object) -> str:
    """What is wrong with a value that is, or may be, a secret; nothing where it is none."""
    if not isinstance(value, str):
        return ""
    if key.endswith("_env") and not _NAME.fullmatch(value):
        return (
            "names an environment variable, in capitals, such as DATABASE_URL; put the secret there: it has no place "
            "in a config (the value is not shown)"
        )
    if key.endswith("_url") and _WITH_SECRET.match(value):
        return "holds a password or a key (not shown); put that into the environment and name it by a key in _env"
    return ""


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raise ConfigError for a command line with a secret in it, before Hydra writes the command line down."""
    for text in arguments:
        key, given, value = text.lstrip("+").partition("=")
        value = value.strip("'\"")
        if given and value not in ("null", "") and "${" not in value and (why := misplaced(key, value)):
            raise ConfigError(f"command line: {key}: {why}", f"export NAME=... in the shell, and {_naming(key)}=NAME")


def _naming(key: str) -> str:
    """The key that names a variable in the place of this one."""
    return key if key.endswith("_env") else "endpoint.api_key_env"
