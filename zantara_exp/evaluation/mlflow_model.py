"""What MLflow loads for a registered model: the folder of weights that the model names, answering chats.

`zantara_exp.tracking` writes such models.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.quiet_libraries import quiet_libraries
from zantara_exp.evaluation.generate import generate, prompt_ids
from zantara_exp.training.export import load_saved
from zantara_exp.training.files import read_json


class Served:
    """A model in this process."""

    def __init__(self, folder: Path) -> None:
        with quiet_libraries():
            self._model, self._tokenizer = load_saved(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[str]:
        """The answer to each chat in the column `messages`; `params` holds max_new_tokens."""
        longest = int((params or {})["max_new_tokens"])
        chats: Sequence[Sequence[dict[str, str]]] = list(model_input["messages"])
        return [self._answer(chat, longest) for chat in chats]

    def _answer(self, chat: Sequence[dict[str, str]], longest: int) -> str:
        return generate(self._model, self._tokenizer, [prompt_ids(self._tokenizer, chat)], longest)[0].text


def _load_pyfunc(path: str) -> Served:
    """MLflow's entry: `path` is the reference.json inside of the MLflow model."""
    weights = Path((read_json(Path(path)) or {}).get("path", ""))
    if not weights.is_dir():
        raise MissingInputError(
            f"the weights that this model refers to are not at {weights}",
            "copy the model's folder there, or publish it again on this machine",
        )
    return Served(weights)
