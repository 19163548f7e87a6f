"""Chat templates whose assistant tokens are marked with {% generation %}, and the special tokens they need.

The stock templates of Llama 3.1, 3.2 and Qwen2.5 carry no such markers: an assistant mask made from them is all
zeros, and training on assistant tokens only would train on nothing. The text rendered here is the stock text without
the date lines and the tool parts, so that a request looks the same in training and in serving. The end-of-turn token
is inside the markers: without it a model never learns to stop.
"""

from __future__ import annotations

LLAMA3 = """{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}{{- (message['content'] | trim) + '<|eot_id|>' }}{%- endgeneration %}
    {%- else %}
        {{- (message['content'] | trim) + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

CHATML = """{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}{{- (message['content'] | trim) + '<|im_end|>' }}{%- endgeneration %}
    {%- else %}
        {{- (message['content'] | trim) + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

SHIPPED = {"llama3": LLAMA3, "chatml": CHATML}

LLAMA3_SPECIAL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
"""What a tokenizer made here knows beside bytes, named as in Llama 3.1."""

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3's tokenizer cuts text into words before merging."""
