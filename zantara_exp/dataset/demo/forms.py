"""Personal details that a demo's users write, made up by forms such as `+49 15[1-9] #######`; none is anybody's.

`#` is a digit, `[AB1-9]` one of these signs, `<01-28>` a number from 1 to 28 with leading zeros, `{name}` the user's
first name in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

_DRAWN = re.compile(r"#|\[([^\]]+)\]|<(\d+)-(\d+)>")
_SPAN = re.compile(r"(\d)-(\d)")


@dataclass(frozen=True)
class Form:
    """One way to write a detail."""

    form: str
    share: float = 1.0
    """Of this among the forms of its kind."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Forms of their own, drawn first and in this order; `form` names them in braces."""


def written(forms: Sequence[Form], name: str, random: Random) -> str:
    """A detail of a user of this name."""
    chosen = random.choices(forms, [form.share for form in forms])[0] if len(forms) > 1 else forms[0]
    parts = {part: _draw(form, random) for part, form in chosen.parts.items()}
    return _draw(chosen.form, random).format(name=name.lower(), **parts)


def _draw(form: str, random: Random) -> str:
    def one(found: re.Match[str]) -> str:
        signs, least, most = found.groups()
        if least:
            return f"{random.randint(int(least), int(most)):0{len(least)}d}"
        return random.choice(_signs(signs or "0-9"))

    return _DRAWN.sub(one, form)


def _signs(named: str) -> str:
    return _SPAN.sub(lambda span: "".join(map(str, range(int(span[1]), int(span[2]) + 1))), named)
