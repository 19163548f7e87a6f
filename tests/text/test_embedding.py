"""Likeness in meaning by a local model: as sentence-transformers computes it, mean or first token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.text.embedding import check_embedding, likeness

if TYPE_CHECKING:
    import torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights, with a WordPiece tokenizer of whole words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    made = tmp_path_factory.mktemp("embedding")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ciao", "come", "stai", "visto", "costa"]
    (made / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(made / "vocab.txt")).save_pretrained(made)
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=32, **shape)).save_pretrained(made)
    return made


def by_hand(folder: Path, text: str, first_token: bool) -> torch.Tensor:
    from transformers import AutoModel, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    states = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0]
    return (states[0] if first_token else states.mean(0)).detach()


@pytest.mark.parametrize("first_token", [False, True])
def test_it_is_the_cosine_of_pooled_tokens_whatever_the_batch(folder: Path, first_token: bool):
    import torch

    pooling = folder / "1_Pooling"
    pooling.mkdir(exist_ok=True)
    chosen = {"pooling_mode_cls_token": first_token, "pooling_mode_mean_tokens": not first_token}
    (pooling / "config.json").write_text(json.dumps(chosen | {"word_embedding_dimension": 16}))
    said, wanted = ["ciao come stai", "visto", ""], ["ciao", "visto", "costa visto"]
    found = likeness(str(folder), said, wanted)
    assert found[1] == pytest.approx(1.0, abs=1e-5)
    for i in (0, 2):
        one, other = by_hand(folder, said[i] or " ", first_token), by_hand(folder, wanted[i], first_token)
        assert found[i] == pytest.approx(float(torch.cosine_similarity(one, other, dim=0)), abs=1e-4)


def test_another_pooling_is_refused(folder: Path):
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')
    with pytest.raises(ZantaraError, match="pools by pooling_mode_lasttoken"):
        likeness(str(folder), ["ciao"], ["ciao"])


def test_a_folder_without_a_model_is_named(tmp_path: Path):
    check_embedding(None)
    with pytest.raises(MissingRequirementError, match=r"evaluation\.embedding=.*config\.json is not there"):
        check_embedding(str(tmp_path))


def test_a_broken_model_is_one_message(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ZantaraError, match="cannot be loaded"):
        likeness(str(tmp_path), ["a"], ["b"])
