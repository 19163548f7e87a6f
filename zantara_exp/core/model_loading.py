"""Files of a model that cannot be loaded are one message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zantara_exp.core.errors import ZantaraError


@contextmanager
def loading(refused: Callable[[str], ZantaraError]) -> Iterator[None]:
    """Raise `refused(reason)` for whatever the block raises; the reason is the first line of what was raised."""
    try:
        yield
    # transformers, tokenizers and safetensors raise types of their own, and plain Exception for a file that was cut.
    except Exception as error:
        raise refused((str(error).strip() or type(error).__name__).splitlines()[0]) from error
