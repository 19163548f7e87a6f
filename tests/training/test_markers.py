"""What is exported is plain Jinja; what trained it stays beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers.utils.chat_template_utils import render_jinja_template

from zantara_exp.training.markers import MARKED, for_serving, restore_markers, without_markers
from zantara_exp.training.templates import SHIPPED

CHAT = [
    {"role": "system", "content": " Be brief.\n"},
    {"role": "user", "content": "Ciao"},
    {"role": "assistant", "content": "Ciao!\n\nCome stai?"},
    {"role": "user", "content": "Bene {% raw %}"},
]
ODD = (
    "{% for m in messages %}\n  {%+ generation +%}\n  x {{ m.content }}\n{%generation-%}  y  {%- endgeneration%}\n"
    "  {% endgeneration -%}\n\n z{% endfor %}"
)


class Holder:
    """The one attribute of a tokenizer that counts here."""

    def __init__(self, template: object) -> None:
        self.chat_template = template


@pytest.mark.parametrize("template", [*SHIPPED.values(), ODD], ids=[*SHIPPED, "white space of all kinds"])
@pytest.mark.parametrize("prompt", [True, False])
def test_plain_jinja_renders_the_same_text(template: str, prompt: bool):
    given = {"messages": CHAT, "add_generation_prompt": prompt, "bos_token": "<s>"}
    (marked,), _ = render_jinja_template([CHAT], chat_template=template, add_generation_prompt=prompt, bos_token="<s>")
    # As llama.cpp, TGI and vLLM set it up, and as transformers does.
    plain = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(without_markers(template))
    assert plain.render(given) == marked


def test_a_template_without_markers_stays_as_it_is(tmp_path: Path):
    holder = Holder("{{ messages }} generation {% if generation %}{% endif %}")
    before = holder.chat_template
    with for_serving(holder, tmp_path):  # type: ignore[arg-type]
        assert holder.chat_template == before
    assert not (tmp_path / MARKED).exists()
    restore_markers(holder, tmp_path)  # type: ignore[arg-type]
    assert holder.chat_template == before


def test_the_marked_template_comes_back_unless_somebody_changed_the_plain_one(tmp_path: Path):
    marked = SHIPPED["chatml"]
    holder = Holder({"default": marked, "tool_use": "other"})
    with for_serving(holder, tmp_path):  # type: ignore[arg-type]
        saved = holder.chat_template
    assert "generation %}" not in saved["default"]
    assert saved["tool_use"] == "other"
    assert holder.chat_template["default"] == marked
    for read, expected in ((saved, marked), ({"default": "changed"}, "changed")):
        found = Holder(read)
        restore_markers(found, tmp_path)  # type: ignore[arg-type]
        assert found.chat_template["default"] == expected
    found = Holder(without_markers(marked))
    restore_markers(found, tmp_path)  # type: ignore[arg-type]
    assert found.chat_template == marked
