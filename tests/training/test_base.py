"""A base is named as somebody else knows it, with its licence; a folder of this machine says nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.support import tiny_config
from tests.training.test_config import composed
from zantara_exp.config.training import Model
from zantara_exp.config.validation import rule_problems
from zantara_exp.core.layout import Layout
from zantara_exp.training.base import base_of, licence_of, pass_on_terms
from zantara_exp.training.card import write_card
from zantara_exp.training.files import write_json


def folder(path: Path, card: str = "") -> Path:
    path.mkdir(parents=True)
    if card:
        (path / "README.md").write_text(card)
    return path


def test_a_folder_of_the_hubs_cache_is_named_by_the_hub(tmp_path: Path):
    at = folder(tmp_path / "hub/models--meta-llama--Llama-3.1-8B/snapshots/0e9e39f")
    told = base_of(Model(kind="pretrained", base=str(at)))
    assert told == {
        "licence": None, "base": "meta-llama/Llama-3.1-8B", "base_on_hub": True, "base_revision": "0e9e39f",
    }  # fmt: skip


def test_another_folder_is_named_by_the_config_or_by_its_last_part(tmp_path: Path):
    at = folder(tmp_path / "my-base")
    assert base_of(Model(kind="pretrained", base=str(at))) == {"licence": None, "base": "my-base"}
    told = base_of(Model(kind="pretrained", base=str(at), base_hub_name="owner/base"))
    assert (told["base"], told["base_on_hub"]) == ("owner/base", True)
    (problem,) = rule_problems(composed("model.base_hub_name=https://huggingface.co/owner/base"))
    assert "base_hub_name" in str(problem)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: mit\n---\n# A model", "mit"),
        ("---\nlicense: other\nlicense_name: house-rules\n---\n", "house-rules"),
        ("---\nlicense: [\n---\n", None),
        ("# A card without a head", None),
        ("", None),
    ],
)
def test_the_licence_is_read_from_the_bases_own_card(tmp_path: Path, card: str, expected: str | None):
    base = str(folder(tmp_path / "base", card))
    assert licence_of(Model(kind="pretrained", base=base)) == expected
    assert licence_of(Model(kind="pretrained", base=base, licence="apache-2.0")) == "apache-2.0"


def test_the_licence_of_one_base_is_not_told_of_another():
    config = composed("model=llama8b")
    assert licence_of(config.model) == "llama3.1"
    config.model.base = "owner/other-8b"
    assert licence_of(config.model) is None


def test_a_licences_text_goes_with_the_model(tmp_path: Path):
    base, model = folder(tmp_path / "base"), folder(tmp_path / "model")
    for name in ("LICENSE.txt", "USE_POLICY.md", "Notice"):
        (base / name).write_text("terms")
    pass_on_terms(Model(kind="pretrained", base=str(base)), model)
    assert sorted(path.name for path in model.iterdir()) == ["LICENSE.txt", "USE_POLICY.md"]


def test_the_card_says_what_the_licence_asks_for(tmp_path: Path):
    at = Layout(tiny_config(tmp_path))
    write_json(at.train_summary, {"epoch": "e", "base": "meta-llama/x", "base_on_hub": True, "licence": "llama3.1"})
    card = write_card(at).read_text()
    assert "\nlicense: llama3.1\n" in card
    assert "Built with Llama." in card
    write_json(at.train_summary, {"epoch": "e", "base": "my-base"})
    assert "license:" not in write_card(at).read_text()
    assert "\nlicense: mit\n" in write_card(at, "mit").read_text()
