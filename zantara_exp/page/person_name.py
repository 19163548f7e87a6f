"""How somebody who acts on a page is named."""

from __future__ import annotations

import re

NAME = re.compile(r"\w[\w .'\u2019-]{0,39}")
NAME_SAID = "1 to 40 letters, digits, spaces, dots, dashes or apostrophes"
