"""Signatures of the files that open a rollout or say what it serves: who edits one has to have the key.

A document is a JSON object. Its signature is HMAC-SHA256 over what kind of document it is, the experiment it was
written in, and the document without `signed`, with sorted keys: to write it with other spaces breaks nothing.

The key is ZANTARA_SIGNING_KEY, else one derived from ZANTARA_HASH_KEY, else one made once under `paths.state`. Where
the environment has one, that file does not count: it keeps out mistakes, not who may write beside it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.own_key import own_key
from zantara_exp.io.whole_files import write_whole

VARIABLE, OLD_VARIABLE = "ZANTARA_SIGNING_KEY", "ZANTARA_SIGNING_KEY_OLD"
_HASH_KEY = "ZANTARA_HASH_KEY"
_LABEL = b"zantara signing key 1"
"""Keeps the derived key apart from the one that hashes users: neither tells the other."""
MIN_BYTES = 16
FIELD = "signed"
VERDICT, STATE = "verdict", "rollout state"
HOW = f'export {VARIABLE}="$(openssl rand -hex 32)" wherever the gate, the rollout and gateways run'


class Keys:
    """The keys of one place, looked up anew each time: a gateway runs for weeks."""

    def __init__(self, own: Path | None) -> None:
        """`own`: the file of the key that is made where the environment has none; None: nowhere."""
        self._own = own

    def check(self) -> None:
        """Raises ZantaraError where the environment's key is none that signs."""
        if (given := _given()) and len(given[0]) < MIN_BYTES:
            raise ZantaraError(_too_short(), HOW)

    def sign(self, kind: str, document: Mapping[str, Any], experiment: str) -> dict[str, Any]:
        """The document with `signed`. Raises ZantaraError, or OSError, where there is no key and none can be made."""
        self.check()
        if given := _given():
            return signed_with(given[0], kind, document, experiment)
        if self._own is None:
            raise ZantaraError(f"nothing is here to sign with: {VARIABLE} is not set", HOW)
        return signed_with(own_key(self._own), kind, document, experiment)

    def trouble(self, kind: str, document: Mapping[str, Any]) -> str:
        """Why a document is not to be believed; empty where its signature fits. Never raises."""
        if not isinstance(document.get(FIELD), Mapping):
            return "it has no signature"
        known = _given() or self._found()
        if not known:
            return f"no key is here that could tell whether its signature fits: {VARIABLE} is not set"
        if len(known[0]) < MIN_BYTES:
            return _too_short()
        if any(fits(key, kind, document) for key in known):
            return ""
        return "its signature does not fit: it was changed by hand, or signed with another key"

    def _found(self) -> list[bytes]:
        try:
            return [] if self._own is None else [self._own.read_bytes().strip()]
        except OSError:
            return []


def signed_by() -> str:
    """The variable whose key signs; empty where the environment has none."""
    return next((name for name in (VARIABLE, _HASH_KEY) if os.environ.get(name)), "")


def _too_short() -> str:
    return f"{signed_by() or 'the signing key under paths.state'} is shorter than {MIN_BYTES} characters"


def _given() -> list[bytes]:
    """The keys of the environment, first the one that signs; the one before it is believed while it is set."""
    own, hashing = (os.environ.get(name, "").encode() for name in (VARIABLE, _HASH_KEY))
    if own:
        old = os.environ.get(OLD_VARIABLE, "").encode()
        return [own, *([old] if len(old) >= MIN_BYTES else [])]
    return [derived(hashing) if len(hashing) >= MIN_BYTES else hashing] if hashing else []


def derived(hash_key: bytes) -> bytes:
    """The key that signs where the hash key is all there is."""
    return hmac.digest(hash_key, _LABEL, "sha256")


def signed_with(key: bytes, kind: str, document: Mapping[str, Any], experiment: str) -> dict[str, Any]:
    """The document, signed with this very key."""
    about = {"experiment": experiment, "signature": _mark(key, kind, document, experiment)}
    return {**_unsigned(document), FIELD: about}


def signed_anew(path: Path, kind: str, old: bytes, new: bytes) -> bool:
    """Have the new key sign what the old one did; False, and nothing is written, where it did not. Raises OSError."""
    try:
        document = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return False
    if not isinstance(document, dict) or not fits(old, kind, document):
        return False
    signed = signed_with(new, kind, document, experiment_of(document))
    write_whole(path, orjson.dumps(signed, option=orjson.OPT_INDENT_2) + b"\n", durable=True)
    return True


def fits(key: bytes, kind: str, document: Mapping[str, Any]) -> bool:
    """Whether the signature of a document is by this key; compared in constant time."""
    about = document.get(FIELD)
    if not isinstance(about, Mapping):
        return False
    mark, experiment = about.get("signature"), about.get("experiment")
    if not isinstance(mark, str) or not isinstance(experiment, str) or not mark.isascii():
        return False
    try:
        return hmac.compare_digest(mark, _mark(key, kind, document, experiment))
    except (TypeError, ValueError):  # nested too deep, or no text of Unicode: nothing of ours is
        return False


def experiment_of(document: Mapping[str, Any]) -> str:
    """The experiment that a signed document was written in; empty is none."""
    return str(document[FIELD]["experiment"])


def _mark(key: bytes, kind: str, document: Mapping[str, Any], experiment: str) -> str:
    whole = {"kind": kind, "experiment": experiment, "document": _unsigned(document)}
    return hmac.digest(key, orjson.dumps(whole, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def _unsigned(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != FIELD}
