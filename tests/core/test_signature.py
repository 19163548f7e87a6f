"""Signatures of documents: what they cover, which key counts, and what is said of one that does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.signature import STATE, VERDICT, Keys, derived, fits, signed_with

KEY = b"0123456789abcdef"
SAID: dict[str, Any] = {"verdict": "INCONCLUSIVE", "epoch": "e1", "criteria": [{"name": "success", "estimate": 0.98}]}
SIGNED = signed_with(KEY, VERDICT, SAID, "ours")


def test_its_own_key_fits_whatever_the_spaces_and_the_order():
    again = json.loads(json.dumps(SIGNED, indent=4, sort_keys=True))
    assert fits(KEY, VERDICT, again)
    assert not fits(b"another key of 16", VERDICT, again)


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "GO"},
        {"epoch": "e2"},
        {"more": 1},
        {"criteria": []},
        {"signed": {**SIGNED["signed"], "experiment": "theirs"}},
        {"signed": {**SIGNED["signed"], "signature": "\u00e9"}},
        {"signed": {"experiment": "ours"}},
        {"signed": "ours"},
    ],
)
def test_what_was_changed_does_not_fit(changed: dict[str, Any]):
    assert not fits(KEY, VERDICT, SIGNED | changed)


def test_a_verdict_is_no_state():
    assert not fits(KEY, STATE, SIGNED)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(), _JSON, max_size=4), st.dictionaries(st.text(), _JSON, max_size=2))
def test_no_document_is_an_error(tmp_path_factory: pytest.TempPathFactory, document: Any, about: Any):
    keys = Keys(tmp_path_factory.getbasetemp() / "signing_key")
    assert keys.trouble(VERDICT, document | {"signed": about})
    try:
        assert keys.trouble(VERDICT, keys.sign(VERDICT, document, "")) == ""
    except TypeError:  # half a pair of surrogates, which no file of ours can hold
        assert any(ord(letter) > 127 for letter in str(document))


def test_a_document_nested_too_deep_is_told(tmp_path: Path):
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    keys = Keys(tmp_path / "signing_key")
    keys.sign(VERDICT, SAID, "")
    assert "does not fit" in keys.trouble(VERDICT, SIGNED | {"criteria": deep})


def test_the_environments_key_wins_and_the_file_counts_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys = Keys(tmp_path / "signing_key")
    by_file = keys.sign(VERDICT, SAID, "")
    assert (tmp_path / "signing_key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a hash key of the team")
    by_hash_key = keys.sign(VERDICT, SAID, "")
    assert fits(derived(b"a hash key of the team"), VERDICT, by_hash_key)
    assert not fits(b"a hash key of the team", VERDICT, by_hash_key)
    assert "does not fit" in keys.trouble(VERDICT, by_file)
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "a key for signing")
    assert "does not fit" in keys.trouble(VERDICT, by_hash_key)
    monkeypatch.setenv("ZANTARA_SIGNING_KEY_OLD", derived(b"a hash key of the team").hex())
    assert keys.trouble(VERDICT, keys.sign(VERDICT, SAID, "")) == ""


def test_a_key_that_was_replaced_is_believed_while_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys = Keys(None)
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "the key until now")
    before = keys.sign(VERDICT, SAID, "")
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "the key from now on")
    assert "does not fit" in keys.trouble(VERDICT, before)
    monkeypatch.setenv("ZANTARA_SIGNING_KEY_OLD", "the key until now")
    assert keys.trouble(VERDICT, before) == ""
    assert fits(b"the key from now on", VERDICT, keys.sign(VERDICT, SAID, ""))


def test_without_a_key_it_is_said_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert "ZANTARA_SIGNING_KEY is not set" in Keys(tmp_path / "signing_key").trouble(VERDICT, SIGNED)
    with pytest.raises(ZantaraError, match="ZANTARA_SIGNING_KEY is not set"):
        Keys(None).sign(VERDICT, SAID, "")
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "short")
    with pytest.raises(ZantaraError, match="ZANTARA_SIGNING_KEY is shorter than 16 characters"):
        Keys(None).check()
    assert "is shorter than" in Keys(None).trouble(VERDICT, SIGNED)
