"""Lines of a comparison log that are odd, wrong or hostile, to be read as the reader reads them."""

import orjson

from tests.shadow.examples import START, comparison, version_1
from zantara_exp.shadow.record import Drops, to_line

GOOD = to_line(comparison(1))[:-1]
BODY = orjson.loads(GOOD)


def changed(old: bytes, new: bytes) -> bytes:
    """The good line with something else in it."""
    assert old in GOOD
    return GOOD.replace(old, new)


def _said(messages: bytes) -> bytes:
    begin, end = GOOD.index(b'"messages":'), GOOD.index(b',"user"')
    return GOOD[:begin] + b'"messages":' + messages + GOOD[end:]


_TEXTS = rb"""
"" null 5 true {} ["e1"] "e1","candidate_id":"e2"
"e1","epoch":"e2" "e1","further":1 "e1"x 'e1' "\ud800" "\ud83d\ude00" "\u0000" "\/" "\x" "e"1"
"e\" "e\\" "e\\\"" "\u00e8" "\n" "\n\n\"" ""x"" "e1":"e2" "e1\":" "5" "[]" "true"
""".split()
_AMOUNTS = b"""
NaN Infinity -Infinity inf nan 1e999 1e308 1e-999 86400001 86400000 "120.5" true {} [] -1 -0 -0.0 0 00 01.5 +1
.5 5. 5.e3 5e3
5E+3 5e 0x10 1_0 12345678901234567890 1.5.5 0.1 1e-7 4.9e-324 nul nulL null 123 9007199254740993 \xc2\xb2
""".split()
_COUNTS = b"""
9.0 9.5 -9 -0 "9" true 1e3 1e-3 9223372036854775807 9223372036854775808 9007199254740993 18446744073709551615
18446744073709551616 11111111111111111111 1e30 1e999 null
""".split()
_MOMENTS = b"""
0000-10-21T08:14:06.120000Z 2025-02-30T08:14:06.120000Z 2025-10-21T08:14:06.120000+01:00 2025-10-21T08:14:06Z 2025-10-21
2025-10-21T24:00:00Z 2025-10-21T08:14:60Z 2025-10-21T08:14:06.12Z 2025-10-21T08:14:06 9999-12-31T23:59:59Z
0001-01-01T00:00:00Z 2025-10-21T08:14:06.1200000 2025-10-21t08:14:06z 2025-10-21T08:14:6.0120000Z 2025-W43-2T08:14:06Z
2025-10-21T08:14:06.12000\xc3\xa9Z 2025-10-21T08:14:06,120000Z 2025-10-21T08:14:-6.120000Z yesterday
2025-10-21X08:14:06Z
""".split()
_MESSAGES = rb"""
[] {} null "x" [[]] [{}] [null] [,] [{"role":"user"}] [{"content":"x"}] [{"role":"user","content":null}]
[{"role":5,"content":"x"}] [{"role":"user","content":["x"]}] [{"role":"user","content":"x"},]
[{"role":"user","content":"x"}
[{"role":"user","content":"x"}{"role":"user","content":"x"}] [{"role":"user","content":"x"}]]
[{"content":"x","role":"user"}]
[{"role":"user","content":"x","name":"y"}] [{"role":"a","role":"b"}] [{"role":"user","content":"x\"}]
[{"role":"","content":""}]
[{"role":"user\","content":"x"}] [{"role":"user","content":"\u0041"}] [{"role":"user","content":"x"}],"messages":[]
[{"role":"user","content":"a":"b"}] [{"role":"user","content":"x"},{"role":"user"}] [{"role":"user","content":"x""}]
[{"role":"user","content":"x"},{"role":"u","content":"\n\"y"}] [{"role":"user","content":{"role":"x","content":"y"}}]
[{"role":"\u0007","content":"x"}] [{"role":"user","content":"\ud800"}] [{"role":"a\\","content":"\\"}]
""".split()

ODD = [
    *(b"not json", b"{}", b"", b" ", b"\r", b"[]", b"5", b"null", b'"', b"\\", b'"\\', b"\\" * 3, b"\x00", b"\xff"),
    *(b" " + GOOD, GOOD + b"\r", GOOD + b" ", GOOD + GOOD, GOOD + b"x", b"[" * 999, b'":' * 60),
    *(GOOD[: len(GOOD) // 2] + b"}", GOOD[: len(GOOD) // 2], GOOD[len(GOOD) // 2 :]),
    *(orjson.dumps(version_1()), orjson.dumps(version_1(user_id=7)), orjson.dumps(version_1(query=5))),
    to_line(Drops("e1", START, {"disk": 1}))[:-1],
    to_line(comparison(1, dropped={"queue_full": 2}))[:-1],
    orjson.dumps(dict(reversed(BODY.items()))),
    orjson.dumps({**BODY, "further": 1}),
    orjson.dumps({name: value for name, value in BODY.items() if name != "language"}),
    *(changed(b'version":3', b'version":' + new) for new in b'4 2 "3" 3.0 1 true 30'.split()),
    *(changed(b'"record":"comparison"', b'"record":' + new) for new in b'"drops" "other" null 5'.split()),
    *(changed(b'"candidate_id":"e1"', b'"candidate_id":' + new) for new in _TEXTS),
    *(changed(b'"trace_id":null', b'"trace_id":' + new) for new in _TEXTS),
    *(changed(b'"candidate_id":"e1"', b'"epoch":' + new) for new in (b'"e1"', b'""')),
    *(
        changed(b'"e1"', new)
        for new in (b'"\xff"', b'"\xed\xa0\x80"', b'"\x00"', b'"a\tb"', b' "e1"', b'"e1" ', b'"\x7f"')
    ),
    *(changed(b"120.5", new) for new in (*_AMOUNTS, b" 1", b"1 ", b"", b"1" * 400)),
    *(changed(b'"usage":{"input":9', b'"usage":{"input":' + new) for new in _COUNTS),
    *(changed(b'"tokens_input":9', b'"tokens_input":' + new) for new in _COUNTS),
    *(changed(b'"output":4,"estimated":false', b'"output":4,"estimated":' + new) for new in b"true null 0 {}".split()),
    changed(b'"output":4,"estimated":false', b'"output":4'),
    *(changed(b"2025-10-21T08:14:06.120000Z", new) for new in (*_MOMENTS, b"", b"2025-10-21 08:14:06Z")),
    *(_said(new) for new in (*_MESSAGES, b'[{"role":"user", "content":"x"}]', b"[ ]")),
    *(
        changed(b'"sampling":{"percent":100.0,', b'"sampling":' + new)
        for new in (b'null,"x":{', b'{"percent":"9",', b"{")
    ),
    *(changed(b'"attempt":1', b'"attempt":' + new) for new in (*_COUNTS, b"0", b"2", b"2.0")),
    *(changed(b'"waited_ms":null', b'"waited_ms":' + new) for new in (*_AMOUNTS, b"")),
    *(changed(b'"movable":true', b'"movable":' + new) for new in b'false null "true" 1 tru True {} ""'.split()),
    *(changed(b'"why_not":null', b'"why_not":' + new) for new in b'"tools" "" 5 true nul "a\\nb"'.split()),
    *(changed(b'"scope":{"movable":true,', b'"scope":' + new) for new in (b'null,"x":{', b"{", b"[{")),
    *(changed(b'"dropped":{}}', b'"dropped":' + new) for new in b'null} {"disk":1}} []} {"a":"b"}} {}}}'.split()),
    *(
        changed(b'"primary":{', b'"primary":' + new)
        for new in (b'null,"x":{', b'{"response":1,', b"5,", b'{"x":1,', b"[{")
    ),
]
