"""Likeness of answers in meaning: the cosine between their embeddings by a local sentence-transformers model.

The model is loaded by transformers alone: token vectors averaged over the text (or the first one, where the folder's
`1_Pooling/config.json` says so), as sentence-transformers computes them. Reimers & Gurevych 2019,
https://arxiv.org/abs/1908.10084. Small models are weak between languages: it is a figure to look at, not to gate on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.model_loading import loading
from zantara_exp.core.quiet_libraries import quiet_libraries

_BATCH = 64
_LONGEST_TOKENS = 512


def check_embedding(path: str | None) -> None:
    """Raise MissingRequirementError where `evaluation.embedding` names no model folder."""
    if path is not None and not (Path(path).expanduser() / "config.json").is_file():
        raise MissingRequirementError(
            f"evaluation.embedding={path} is no folder with a model: config.json is not there",
            "set it to a downloaded sentence-transformers model, or leave it out",
        )


def likeness(path: str, answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """Cosine, -1 to 1, of each answer with its reference. Raises ZantaraError where the model cannot be loaded."""
    import torch

    folder = Path(path).expanduser()
    tokenizer, model = _load(folder)
    first_token = _pools_first_token(folder)
    found: list[float] = []
    for start in range(0, len(answers), _BATCH):
        chunk = slice(start, start + _BATCH)
        sides = [_embedded(tokenizer, model, texts[chunk], first_token) for texts in (answers, references)]
        found += torch.nn.functional.cosine_similarity(*sides).tolist()
    return found


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    def refused(reason: str) -> ZantaraError:
        message = f"evaluation.embedding={folder} cannot be loaded: {reason}"
        return ZantaraError(message, "check that the folder was copied whole")

    with quiet_libraries(), loading(refused):
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model: Any = AutoModel.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
    return tokenizer, model.eval()


def _pools_first_token(folder: Path) -> bool:
    try:
        pooling = orjson.loads((folder / "1_Pooling" / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    chosen = {name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True}
    if chosen <= {"pooling_mode_mean_tokens"}:
        return False
    if chosen == {"pooling_mode_cls_token"}:
        return True
    raise ZantaraError(
        f"evaluation.embedding={folder} pools by {', '.join(sorted(chosen))}, which is not supported",
        "choose a model that averages its tokens or takes the first one",
    )


def _embedded(tokenizer: Any, model: Any, texts: Sequence[str], first_token: bool) -> Any:
    import torch

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # An empty answer has no tokens in some tokenizers; a blank has one.
    batch = tokenizer(
        [text or " " for text in texts], padding=True, truncation=True, max_length=_longest(model), return_tensors="pt"
    )
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        states = model(**inputs).last_hidden_state.float()
    if first_token:
        return states[:, 0]
    kept = inputs["attention_mask"].unsqueeze(-1).float()
    return (states * kept).sum(1) / kept.sum(1).clamp(min=1)


def _longest(model: Any) -> int:
    return min(_LONGEST_TOKENS, int(getattr(model.config, "max_position_embeddings", _LONGEST_TOKENS)))
