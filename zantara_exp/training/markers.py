"""Chat templates with and without the markers of training.

{% generation %} tells transformers which tokens are the assistant's. Plain Jinja does not know the word, so that no
server outside transformers (llama.cpp, TGI, vLLM) could render it: what is exported carries none. The marked
template goes beside it, for whoever scores or trains the model again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.io.whole_files import write_whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKED = "training_template.jinja"
"""In a model's folder: the template it was trained with, where that differs from the one for serving."""

_MARKER = re.compile(r"\{%(?P<before>[-+]?)\s*(?P<end>end)?generation\s*(?P<after>[-+]?)%\}")


def without_markers(template: str) -> str:
    """The same text for any chat: a block that is always entered keeps the white space around it as it was."""
    return _MARKER.sub(
        lambda found: f"{{%{found['before']} {'endif' if found['end'] else 'if true'} {found['after']}%}}", template
    )


@contextmanager
def for_serving(tokenizer: PreTrainedTokenizerBase, folder: Path) -> Iterator[None]:
    """While the block runs, `tokenizer` has a template without markers; the marked one is written to `folder`."""
    any_tokenizer: Any = tokenizer
    marked = any_tokenizer.chat_template  # a text, or texts by name where a tokenizer has several
    if isinstance(marked, dict):
        plain: Any = {name: without_markers(text) for name, text in marked.items()}
        trained_with = str(marked.get("default", ""))
    else:
        plain, trained_with = without_markers(marked or ""), marked or ""
    if _MARKER.search(trained_with):
        write_whole(folder / MARKED, trained_with.encode())
    any_tokenizer.chat_template = plain
    try:
        yield
    finally:
        any_tokenizer.chat_template = marked


def restore_markers(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Give `tokenizer`, read from `folder`, the template it was trained with, unless somebody has changed it since."""
    any_tokenizer: Any = tokenizer
    try:
        marked = (folder / MARKED).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    current = any_tokenizer.chat_template
    if isinstance(current, dict) and current.get("default") == without_markers(marked):
        any_tokenizer.chat_template = current | {"default": marked}
    elif current == without_markers(marked):
        any_tokenizer.chat_template = marked
