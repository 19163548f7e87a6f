import re

import pytest

from tests.composing import composed
from zantara_exp.text.literals import needed


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("errore interno|riprova", {"errore interno", "riprova"}),
        (r"an? (?:internal )?error (?:has )?occurred", {"occurred"}),
        (r"\bchunk \d+", {"chunk "}),
        (r"(?:context|passages?) of", {"context", "passage"}),
        (r"(?:context|.)", None),
        ("ab+c?d", {"ab"}),
        ("(?:visa)*", None),
        ("(?:visa)+", {"visa"}),
        ("vis{0,2}a", {"vi"}),
        (r"\[source\]|【x】", {"[source]", "【x】"}),
        ("(?=visa).", None),
        ("(?!visa)tax", {"tax"}),
        (r"[\]a]visa[^]]", {"visa"}),
        ("(a)|(?P<name>b)", None),
        ("(?x) v i s a", None),
        ("|".join(f"word{n}" for n in range(30)), None),
        ("", None),
    ],
)
def test_what_a_pattern_needs(pattern: str, texts: set[str] | None) -> None:
    found = needed(pattern)
    assert (set(found) if found is not None else None) == texts


@pytest.mark.parametrize("domain", ["bali", "helpdesk"])
def test_what_a_shipped_pattern_finds_holds_what_it_needs(domain: str) -> None:
    of = composed(f"domain={domain}").domain
    patterns = [*of.error_patterns, *of.leak_patterns, *of.knowledge_patterns, *of.contact_patterns]
    found = [(needed(pattern), re.compile(pattern)) for pattern in patterns]
    assert sum(texts is not None for texts, _ in found) > 0.8 * len(found)
    said = [pattern for pattern in patterns for pattern in re.split(r"\||\(\?:|\)\??", pattern)]
    texts = [" ".join(said[at : at + length]) for at in range(len(said)) for length in (1, 3)]
    matched = [(text, asked) for asked, pattern in found for text in texts if asked and pattern.search(text)]
    assert len(matched) >= 15
    assert all(any(each in text for each in asked) for text, asked in matched)
