"""Libraries that print for themselves are told not to; what matters is said by the stage."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def set_environment() -> None:
    """Switches that the libraries read when they are imported; call it before the first of them is."""
    # No usage reports from a machine that handles chats, and no fork warnings from the tokenizer's threads.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Waiting threads that spin slow a small model fifteenfold when other work shares the cores (150 -> 2,200 tokens/s).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence transformers, datasets, trl and accelerate by their own switches while the block runs."""
    set_environment()
    import logging

    import datasets
    from transformers.utils import logging as transformers_logging

    names = ("accelerate", "trl", "peft", "torch", "huggingface_hub", "datasets")
    before = {name: logging.getLogger(name).level for name in names}
    verbosity = transformers_logging.get_verbosity()
    shown = transformers_logging.is_progress_bar_enabled()  # not so inside of another such block
    bars = datasets.are_progress_bars_disabled()
    try:
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        datasets.disable_progress_bars()
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # Of an adapter on the embeddings, whose checkpoints hold the embeddings as well.
            warnings.filterwarnings("ignore", "Setting `save_embedding_layers`", UserWarning)
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()
        if not bars:
            datasets.enable_progress_bars()
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
