"""Finds the values in a block of log lines without parsing JSON, for lines exactly as the writer writes them.

The writer (`zantara_exp.shadow.record.to_line`) always has the same keys in the same order and no spaces, so the places
of a line's quotes tell where its values are. A line counts as of this form only if every byte is accounted for.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from zantara_exp.shadow.record import SCHEMA_VERSION

_ANSWER = (
    *("response", "model", "provider", "tokens_input", "tokens_output"),
    *("usage_input", "usage_cache_read", "usage_cache_write_5m", "usage_cache_write_1h", "usage_output"),
    *("latency_ms", "waited_ms", "ttft_ms", "finish_reason", "error", "detail", "cost_usd", "cost_basis"),
    *("billed_usd", "billed_basis", "billed_price_date", "billed_seconds"),
)
NAMES = (
    *("comparison_id", "request_id", "conversation_id", "candidate_id", "arm", "timestamp", "messages"),
    *("user", "query", "category", "language"),
    *(f"{side}_{name}" for side in ("primary", "candidate") for name in _ANSWER),
    *("attempt", "trace_id", "sampling_percent", "sampling_reason", "scope_movable", "scope_why_not"),
)
"""The values of a line in the order of writing, which is the order of the columns."""
_OPENING = {
    "comparison_id": f'{{"schema_version":{SCHEMA_VERSION},"record":"comparison","comparison_id":',
    "candidate_id": ',"candidate_id":',
    f"primary_{_ANSWER[0]}": f',"primary":{{"{_ANSWER[0]}":',
    f"candidate_{_ANSWER[0]}": f'}}}},"candidate":{{"{_ANSWER[0]}":',
    **{f"{side}_usage_input": ',"usage":{"input":' for side in ("primary", "candidate")},
    # a line with an estimated usage is read line by line
    **{f"{side}_latency_ms": ',"estimated":false},"latency_ms":' for side in ("primary", "candidate")},
    **{f"{side}_billed_usd": ',"billed":{"usd":' for side in ("primary", "candidate")},
    "attempt": '}},"attempt":',
    "sampling_percent": ',"sampling":{"percent":',
    "sampling_reason": ',"reason":',
    "scope_movable": '},"scope":{"movable":',
    "scope_why_not": ',"why_not":',
}
_INSIDE = re.compile("^(?:primary|candidate)_(?:usage_|billed_)?|^sampling_")
_GLUE = [
    *(_OPENING.get(name, f',"{_INSIDE.sub("", name)}":') for name in NAMES),
    '},"dropped":{}}',
]
"""The fixed text before each value and after the last (the glue). Lines that report losses are read one by one."""
_LENGTHS = np.array([len(glue) for glue in _GLUE])
_KEYS = np.cumsum([glue.count('":') for glue in _GLUE])
"""The number of keys up to each value, without those inside the messages."""
_QUOTES = sum(glue.count('"') for glue in _GLUE)
MESSAGES, _MOMENT = NAMES.index("messages"), NAMES.index("timestamp")
_FIRST, _NEXT, _SAID, _LAST = b'[{"role":"', b'"},{"role":"', b'","content":"', b'"}]'
"""The text before the first role, before each further role, before each content, and after the last message."""

_MEASURED = ("_input", "_output", "_ms", "_usd", "_seconds", "_percent")
NUMBERS = np.array(["_usage_" in name or name == "attempt" or name.endswith(_MEASURED) for name in NAMES])
MOVABLE = NAMES.index("scope_movable")
TEXTS = ~NUMBERS & ~np.isin(np.arange(len(NAMES)), (MESSAGES, MOVABLE))
_NEEDED = np.array(
    [name in ("comparison_id", "request_id", "candidate_id", "arm", "timestamp", "user") for name in NAMES]
)
_MOMENTS = (len('"2025-10-21T08:14:05Z"'), len('"2025-10-21T08:14:05.120000Z"'))
_ESCAPED = np.frombuffer(b'"\\bfnrt', np.uint8)
"""What may follow a backslash, without the escapes of rare characters."""


class Form:
    """The places of the values in a block, for the lines that are of the form."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.data = np.frombuffer(content, np.uint8)
        controls = np.flatnonzero(self.data < ord(" "))
        self.ends = controls[self.data[controls] == ord("\n")]
        self.quotes, self.escapes = _quotes(content, self.data)
        keys = np.flatnonzero(self.quotes[:-1] & (self.data[1:] == ord(":")))
        upto = np.searchsorted(keys, self.ends)
        within = np.diff(upto, prepend=0) - _KEYS[-1]  # the messages
        self.lines = np.flatnonzero((within >= 0) & (within % 2 == 0))
        if not self.lines.size:
            return
        within = within[self.lines]
        places = upto[self.lines, None] - _KEYS[-1] + _KEYS[:-1] - 1
        places[:, : MESSAGES + 1] -= within[:, None]
        after = np.concatenate([keys[places] + 2, self.ends[self.lines, None]], axis=1)  # each glue
        self.begins, self.stops = after[:, :-1], after[:, 1:] - _LENGTHS[1:]
        self.null, self.text = self._kinds()
        right = self._glued(after) & self._fit() & self._messages_fit(keys, places[:, MESSAGES] + 1, within // 2)
        right &= self._all_quotes(right, within // 2) & self._plain(controls)
        if not right.all():
            self.lines, self.begins, self.stops = self.lines[right], self.begins[right], self.stops[right]
            self.null, self.text = self.null[right], self.text[right]

    def _glued(self, after: Any) -> Any:
        """Whether a line has the glue at its begin and end and between all values."""
        starts = np.concatenate([[0], self.ends[:-1] + 1])[self.lines]
        right = (after[:, 0] == starts + _LENGTHS[0]) & (self.begins < self.stops).all(axis=1)
        words: Any = np.ndarray((self.data.size - 15,), "V16", self.content, 0, (1,))
        found = words[np.maximum(after.take(_OF, axis=1) - _BACK, 0)].view("<u8")
        found &= _MASK
        return right & (found == _WORD).all(axis=1)

    def _kinds(self) -> tuple[Any, Any]:
        """Which values are null, and which are quoted."""
        null = self.stops - self.begins == len("null")
        maybe = np.flatnonzero(null)
        words: Any = np.ndarray((self.data.size - 3,), "V4", self.content, 0, (1,))
        null.ravel()[maybe] = words[self.begins.ravel()[maybe]].view("<u4") == _NULL
        return null, self.quotes[self.begins] & self.quotes[self.stops - 1] & (self.stops - self.begins > 1)

    def _fit(self) -> Any:
        """Whether texts are quoted or null, and required values are there."""
        length = self.stops[:, _NEEDED] - self.begins[:, _NEEDED]
        right = (self.text | self.null | ~TEXTS).all(axis=1)
        right &= (self.text[:, _NEEDED] & (length > len('""'))).all(axis=1)
        right &= self.null[:, MOVABLE] | self._is(MOVABLE, b"true") | self._is(MOVABLE, b"false")
        begin, stop = self.begins[:, _MOMENT], self.stops[:, _MOMENT]
        right &= (stop - begin == _MOMENTS[0]) | (stop - begin == _MOMENTS[1])
        return right & self._at(stop - 2, b'Z"') & ~self._at(begin, b'"0000')

    def _is(self, column: int, value: bytes) -> Any:
        """Whether a line has exactly this value in the column."""
        begin, stop = self.begins[:, column], self.stops[:, column]
        return (stop - begin == len(value)) & self._at(begin, value)

    def _messages_fit(self, keys: Any, first: Any, count: Any) -> Any:
        """Whether each message is a role and a content, both texts, with nothing between messages."""
        begin, stop = self.begins[:, MESSAGES], self.stops[:, MESSAGES]
        right = (count > 0) | ((stop - begin == 2) & self._at(begin, b"[]"))
        lines, count = np.flatnonzero(count), count[count > 0]
        if not lines.size:
            return right
        begin, stop, heads = begin[lines], stop[lines], np.cumsum(count) - count
        place = np.repeat(first[lines] - 2 * heads, count) + 2 * np.arange(count.sum())
        role, said = keys[place] + 3, keys[place + 1] + 3  # where the texts begin
        end = np.append(role[1:], 0) - len(_NEXT)
        end[heads + count - 1] = stop - len(_LAST)
        good = self._at(role - len(_NEXT), _NEXT)
        good[heads] = self._at(begin, _FIRST) & (role[heads] == begin + len(_FIRST))
        good &= self._at(said - len(_SAID), _SAID) & self.quotes[said - len(_SAID)] & (role <= said - len(_SAID))
        good &= self.quotes[end] & (said <= end)
        wrong = np.repeat(lines, count)[~good]
        right[wrong] = False
        right[lines] &= self._at(stop - len(_LAST), _LAST)
        return right

    def _at(self, places: Any, text: bytes) -> Any:
        """Whether the text is at each of the places."""
        size = self.data.size - len(text) + 1
        found: Any = np.ndarray((size,), f"S{len(text)}", self.content, 0, (1,))
        return found[np.clip(places, 0, size - 1)] == text

    def _all_quotes(self, right: Any, messages: Any) -> Any:
        """Whether a line has only the quotes of its glue and around its texts."""
        known = _QUOTES + 8 * messages + 2 * np.count_nonzero(self.text & TEXTS, axis=1)
        if right.all() and self.lines.size == self.ends.size and known.sum() == np.count_nonzero(self.quotes):
            return right  # no line can have fewer, so none has more
        there = np.diff(np.searchsorted(np.flatnonzero(self.quotes), self.ends), prepend=0)
        return there[self.lines] == known

    def _plain(self, controls: Any) -> Any:
        """Whether a line has no raw control character (invalid in JSON) and no rare escape."""
        wrong = controls[self.data[controls] != ord("\n")] if controls.size > self.ends.size else controls[:0]
        if self.escapes is not None:
            wrong = np.concatenate([wrong, self.escapes[~np.isin(self.data[self.escapes], _ESCAPED)]])
        return ~np.isin(self.lines, np.searchsorted(self.ends, wrong))


def _quotes(content: bytes, data: Any) -> tuple[Any, Any]:
    """Which bytes are quotes that begin or end a text, and where a backslash escapes something."""
    found = data == ord('"')
    if b"\\" not in content:
        return found, None
    slashes = np.flatnonzero(data == ord("\\"))
    runs = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    begins = np.repeat(slashes[runs], np.diff(runs, append=slashes.size))
    escapes = slashes[(slashes - begins) % 2 == 0] + 1
    escapes = escapes[escapes < data.size]
    found[escapes] = False
    return found, escapes


def _words() -> tuple[Any, Any, Any, Any]:
    """The glue cut into words of 16 bytes: which glue, distance from its end, bytes, and mask of valid bytes."""
    of, at, word, mask = [], [], b"", b""
    for number, glue in enumerate(_GLUE):
        for back in range(16, len(glue) + 16, 16):
            begin = max(0, len(glue) - back)
            part = glue.encode()[begin : begin + 16]
            of.append(number)
            at.append(max(16, len(glue) - begin))
            word += part.rjust(16, b"\0")
            mask += (b"\xff" * len(part)).rjust(16, b"\0")
    return np.array(of), np.array(at), np.frombuffer(word, "<u8"), np.frombuffer(mask, "<u8")


_OF, _BACK, _WORD, _MASK = _words()
_NULL = int.from_bytes(b"null", "little")
