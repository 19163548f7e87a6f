"""Templates that come without markers get them, and write what they wrote."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from zantara_exp.training.families import _CHATS, _written, marked

MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'] + eos_token}}{% else %}{{ raise_exception('only user and assistant') }}"
    "{% endif %}{% endfor %}"
)
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
).replace("\n", "\\n")
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)


def tokenizer(end: str) -> Any:
    """Every byte a token, and the ends of turns that families have."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token=end)


def of_trl(name: str) -> str:
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text()


TEMPLATES = {
    "llama3": (of_trl("llama3"), "<|eot_id|>"),
    "llama3_1": (of_trl("llama3_1"), "<|eot_id|>"),
    "llama3_2": (of_trl("llama3_2"), "<|eot_id|>"),
    "gemma": (of_trl("gemma"), "<end_of_turn>"),
    "phi3": (of_trl("phi3"), "<|end|>"),
    "phi3_5": (of_trl("phi3_5"), "<|end|>"),
    "qwen2_5": (of_trl("qwen2_5"), "<|im_end|>"),
    "qwen3": (of_trl("qwen3"), "<|im_end|>"),
    "mistral": (MISTRAL, "</s>"),
    "smollm2": (SMOLLM2, "<|im_end|>"),
    "zephyr": (ZEPHYR, "</s>"),
}


@pytest.mark.parametrize("family", TEMPLATES)
def test_the_assistants_words_are_marked_and_nothing_else_changes(family: str) -> None:
    template, end = TEMPLATES[family]
    made = tokenizer(end)
    made.chat_template = template
    found = marked(made)
    assert found is not None
    if family != "qwen3":  # whose template drops thoughts of earlier turns: TRL's keeps them
        assert list(_written(made, found)) == list(_written(made, template))
    chat = _CHATS[1]
    read = made.apply_chat_template(chat, chat_template=found, return_dict=True, return_assistant_tokens_mask=True)
    told = made.decode([token for token, own in zip(read["input_ids"], read["assistant_masks"], strict=True) if own])
    answers = [each.strip().removeprefix("<think>\n\n</think>\n\n") for each in told.split(end)]
    assert [*filter(None, answers)] == [each["content"] for each in chat if each["role"] == "assistant"]
    assert told.rstrip().endswith(end)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}",  # nobody says where a turn ends
        "{{ messages[-1]['content'] }}",
        "{% for message in messages %}{{ message | tojson }}{% endfor %}",
        "{{ broken",
    ],
)
def test_what_cannot_be_marked_is_left(template: str) -> None:
    made = tokenizer("</s>")
    made.chat_template = template
    assert marked(made) is None
