"""The tokenizer of a run: trained on the train split for a model made from scratch, loaded for a pretrained one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.config.training import Model
from zantara_exp.core.errors import ZantaraError
from zantara_exp.training.data import Example
from zantara_exp.training.templates import LLAMA3_SPECIAL_TOKENS, LLAMA3_SPLIT, SHIPPED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenizer_from_scratch(examples: Sequence[Example], vocab_size: int, max_positions: int) -> PreTrainedTokenizerBase:
    """Train a byte-level BPE tokenizer on what is said in `examples`; every text can be encoded."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(LLAMA3_SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_said(examples), trainer)
    begin, _, pad, _, _, end_of_turn = LLAMA3_SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=begin,
        eos_token=end_of_turn,
        pad_token=pad,
        model_max_length=max_positions,
        clean_up_tokenization_spaces=False,
    )


def _said(examples: Iterable[Example]) -> Iterable[str]:
    # Role names are part of every prompt; without them here they would be spelled letter by letter.
    yield from ("system", "user", "assistant")
    for example in examples:
        for message in example.messages:
            yield message["content"]


def set_template(tokenizer: PreTrainedTokenizerBase, model: Model) -> None:
    """Give `tokenizer` the configured chat template. Raises ZantaraError for one it lacks or that cannot be read."""
    if model.chat_template in SHIPPED:
        template = SHIPPED[model.chat_template]
        needed = {"llama3": "<|eot_id|>", "chatml": "<|im_end|>"}[model.chat_template]
        if needed not in tokenizer.get_vocab():
            raise ZantaraError(
                f"model.chat_template={model.chat_template} ends a turn with {needed}, which this tokenizer lacks",
                "choose the template of this model's family (llama3, chatml), own, or a .jinja file",
            )
        tokenizer.chat_template = template
        tokenizer.eos_token = needed
    elif model.chat_template != "own":
        path = Path(model.chat_template)
        if path.suffix not in {".jinja", ".j2"} or not path.is_file():
            raise ZantaraError(
                f"model.chat_template={model.chat_template} is neither a shipped template nor a .jinja file",
                f"valid: {', '.join(SHIPPED)}, own, or the path of a .jinja file",
            )
        try:
            tokenizer.chat_template = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ZantaraError(f"model.chat_template={path} is no UTF-8 text", "save the file as UTF-8") from error
    if not tokenizer.chat_template:
        raise ZantaraError(
            f"model.chat_template={model.chat_template}: there is no chat template in it",
            "set model.chat_template=llama3 or chatml",
        )
    if isinstance(tokenizer.chat_template, str) and "generation" not in tokenizer.chat_template.replace(
        "add_generation_prompt", ""
    ):
        from zantara_exp.training.families import marked

        tokenizer.chat_template = marked(tokenizer) or tokenizer.chat_template
    if tokenizer.pad_token is None:
        # A padding token of its own, where there is one: padding with the end-of-turn token may hide that from a loss.
        spare = [t for t in ("<|finetune_right_pad_id|>", "<|endoftext|>", "<pad>") if t in tokenizer.get_vocab()]
        tokenizer.pad_token = spare[0] if spare else tokenizer.eos_token
