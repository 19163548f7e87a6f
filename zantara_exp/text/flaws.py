"""What is wrong with an answer, as far as it can be seen without a model: one definition for the dataset's filters and
for the evaluation of a model.

What depends on a product or a language is config (`domain.*_patterns`, `*_words`); what does not is here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby

from zantara_exp.config.schema import Config
from zantara_exp.text.literals import needed
from zantara_exp.traffic.answers import is_placeholder

_WORD = re.compile(r"\w+")
_LETTER = re.compile(r"[^\W\d_]")

_LOOP_WORDS, _LOOP_VARIETY = 12, 0.34
"""From so many words on: fewer different pairs of words than this share is a loop."""
_RUN_WORDS, _RUN = 16, 4
"""From so many words on: one run of four that fills half of them is a loop."""
_REPEATS = 3
_SENTENCE_END = re.compile(r"[.!?…\n]+")

_TOOL_NAMES = r"tool(?:_?name)?|function(?:_?name)?|name|action|recipient_name|method"
_TOOL_INPUTS = r"arguments|parameters|params|args|kwargs|input|(?:tool|action)_?input|tool_?args"
_TOOL_CALL = re.compile(
    rf"""
    # tags, and marks of models
    </?(?:tool_(?:call|use|calls|response|result)|function(?:_calls?|=\w+)|invoke|antml:\w+|tools?)\b[^>]*>
    | \[/?TOOL_(?:CALLS?|REQUEST|RESULTS?)\] | <\|(?:python_tag|tool[\w▁|]*)\|> | ```tool_(?:code|call|outputs?)
    # ReAct
    | ^\s*Action:\s*\S.{{0,200}}\n+\s*Action\ Input:
    # JSON
    | [{{,]\s*["'](?:{_TOOL_NAMES})["']\s*:\s*["'][\w.:/-]+["']\s*,[^{{}}]{{0,200}}["'](?:{_TOOL_INPUTS})["']\s*:
    | \{{\s*["'](?:{_TOOL_INPUTS})["']\s*:.{{0,2000}}["'](?:{_TOOL_NAMES})["']\s*:\s*["'][\w.:/-]+["']\s*[,}}]
    | \{{\s*["'](?:tool_calls?|function_call|tool_uses|toolUse|functionCall)["']\s*:
    # code
    | \A\s*(?:await\ |print\()?[a-zA-Z0-9]+(?:[._][a-zA-Z0-9]+)+\((?:\s*|\s*["'\[{{].*|\s*\w+\s*=.*)\)\)?\s*\Z
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
"""A call of a tool that was written instead of made, as models and frameworks write one."""

_CALLING, _NAMING = (*"<[`{(", "Action:"), re.compile(r"[\"']\s*:")
"""One of these stands in every call of a tool, or a name in quotes with a colon behind."""

_FRAME = re.compile(
    r"<\|[^|>]{1,40}\|>|\[/?INST\]|<</?SYS>>|^(?:system|assistant|user)\s*:", re.IGNORECASE | re.MULTILINE
)
_FRAMING = "<[:"
"""One of these stands in each of them."""
_QUOTED_WORDS = 8
"""So many words in a row of the system prompt are no coincidence."""
_CONTACTS = (
    r"https?://|www\.|\bwa\.me\b|\[(?:phone|email)_\d+\]",
    r"[\w.+-]@[\w-]{1,64}\.\w",
    r"(?<![\w.,])(?:(?:\+|00)\d[\d\s().-]{7,}\d|0\d{2,4}[\s./-]?\d{3,4}[\s.-]?\d{3,4}\b)",
)
"""A number that begins behind a point is an amount, such as 10.000.000.000."""
_ESCAPED = re.compile(r"\\.|[^\\]", re.DOTALL)

_OPEN = ",;:([{«“„<&+=–—-"
"""Signs that something follows."""
_SMILEY = re.compile(r"[:;=8xX]-?[([{/]$")
_RULE = re.compile(r"^[-–—=_*\s]+$")
_LISTED = re.compile(r"^\s*(?:[-*•–>|#]|\d+[.)]|[a-zA-Z][.)]\s)")
_SENTENCES = re.compile(r"(?<=[.!?…])[\"'”’»)\]*_]*\s+")
_CLOSING_WORDS = 4
"""A last line of so few words that ends with a comma is a closing, such as `Kind regards,`."""
_REST_WORDS = 5
"""So many words behind a whole sentence, and no end: the answer stops within a sentence."""


class Flaws:
    """The flaws of answers in one product."""

    def __init__(self, config: Config, system_prompt: str | None = None) -> None:
        """`system_prompt` is the one the answers were made with; None takes the dataset's."""
        domain = config.domain
        error, leak, knowledge = map(
            _Patterns, (domain.error_patterns, domain.leak_patterns, domain.knowledge_patterns)
        )
        contact, without = _Patterns([*_CONTACTS, *domain.contact_patterns]), frozenset(domain.no_contacts)
        openings = frozenset(word.casefold() for word in domain.openings)
        dangling = frozenset(word.casefold() for word in domain.dangling_words)
        secret = Secret(config.dataset.system_prompt if system_prompt is None else system_prompt)
        self._asked: dict[str, Callable[[str, str], bool]] = {
            "empty": lambda answer, _: is_placeholder(answer),
            "error_text": lambda answer, _: error.match(answer),
            "tool_call": lambda answer, _: is_tool_call(answer),
            "leaked_prompt": lambda answer, _: leak.match(answer) or secret.is_in(answer),
            "leaked_knowledge": lambda answer, _: knowledge.match(answer),
            "cut_off": lambda answer, _: is_cut_off(answer, dangling),
            "degenerate": lambda answer, _: is_degenerate(answer),
            "repeated_opening": lambda answer, _: _repeats(answer, openings),
            "pushed_contact": lambda answer, kind: kind in without and contact.match(answer),
        }

    @property
    def names(self) -> frozenset[str]:
        """All flaws there are."""
        return frozenset(self._asked)

    def has(self, name: str, answer: str, category: str) -> bool:
        """Whether an answer to a chat of this category has one of them."""
        return self._asked[name](answer, category)

    def of(self, answer: str, category: str, finished: bool = True) -> list[str]:
        """All that an answer has; one that was broken off (`finished` is false) is cut off, whatever it looks like."""
        if self.has("empty", answer, category):
            return ["empty"] if finished else ["empty", "cut_off"]
        found = [name for name in self._asked if self.has(name, answer, category)]
        return found if finished or "cut_off" in found else [*found, "cut_off"]


class _Patterns:
    """Regular expressions, case ignored. Asked one by one of a text in small letters, and only where the text holds
    what they need, they take a tenth of the time."""

    def __init__(self, patterns: Iterable[str]) -> None:
        small = [_ESCAPED.sub(_lowered, pattern) for pattern in patterns]
        self._asked = [(needed(pattern), re.compile(pattern, re.MULTILINE).search) for pattern in small]

    def match(self, text: str) -> bool:
        """Whether one of them stands in the text."""
        small = text.lower()
        for texts, search in self._asked:
            if (texts is None or any(each in small for each in texts)) and search(small):
                return True
        return False


def _lowered(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == "\\" else found[0].lower()


def _repeats(answer: str, words: frozenset[str]) -> bool:
    """Whether one of the words stands in it three times."""
    small = answer.casefold()
    if not any(small.count(word) >= _REPEATS for word in words):
        return False
    said = Counter(_WORD.findall(small))
    return any(said[word] >= _REPEATS for word in words)


def is_degenerate(answer: str) -> bool:
    """No word at all, or the same again and again: pairs of words, runs of four, whole sentences.

    A line of a table, a rule, an abbreviation or a number that comes back is none.
    """
    small = answer.casefold()
    words = _WORD.findall(small)
    if not words:
        return True
    counts = Counter(words)
    # There are no fewer different pairs than different words, less one: most answers need no look at the pairs.
    if len(words) >= _LOOP_WORDS and len(counts) - 1 < _LOOP_VARIETY * (len(words) - 1):
        pairs = list(zip(words, words[1:], strict=False))
        if len(set(pairs)) < _LOOP_VARIETY * len(pairs):
            return True
    # What comes back three times, its words do as well.
    often = [count for count in counts.values() if count >= _REPEATS]
    if len(words) >= _RUN_WORDS and often and 2 * _RUN * max(often) >= len(words):
        runs = zip(*(words[at:] for at in range(_RUN)), strict=False)
        if 2 * _RUN * _most(runs) >= len(words):
            return True
    if 2 * sum(often) < len(words) and sum(often) < _REPEATS * _REPEATS:
        return False
    return _repeats_sentences(small, len(words))


def _most(items: Iterable[object]) -> int:
    """How often the most frequent one comes, from three times on."""
    count = max(Counter(items).values(), default=0)
    return count if count >= _REPEATS else 0


def _repeats_sentences(answer: str, words: int) -> bool:
    """One sentence three times that is half of the answer, or one of three words and more three times in a row."""
    split = [tuple(_WORD.findall(part)) for part in _SENTENCE_END.split(answer) if _LETTER.search(part)]
    for sentence, count in Counter(split).items():
        if count >= _REPEATS and 2 * count * len(sentence) >= words:
            return True
    runs = ((sentence, sum(1 for _ in same)) for sentence, same in groupby(split))
    return any(count >= _REPEATS and len(sentence) >= _REPEATS for sentence, count in runs)


def is_tool_call(answer: str) -> bool:
    """Whether it calls a tool in words, as JSON, tags or code."""
    may = any(sign in answer for sign in _CALLING) or ('"' in answer or "'" in answer) and _NAMING.search(answer)
    return bool(may) and _TOOL_CALL.search(answer) is not None


class Secret:
    """A system prompt, to be found again in answers."""

    def __init__(self, system_prompt: str) -> None:
        words = _WORD.findall(system_prompt.casefold())
        runs = [words[at : at + _QUOTED_WORDS] for at in range(len(words) - _QUOTED_WORDS + 1)]
        self._runs = [" ".join(run) for run in runs]
        self._longest = sorted({max(run, key=len) for run in runs})

    def is_in(self, answer: str) -> bool:
        """Whether an answer holds eight words in a row of it, a control token, or a role header."""
        if any(sign in answer for sign in _FRAMING) and _FRAME.search(answer):
            return True
        small = answer.casefold()
        if not any(word in small for word in self._longest):
            return False
        said = " ".join(_WORD.findall(small))
        return any(run in said for run in self._runs)


def is_cut_off(answer: str, dangling: frozenset[str] = frozenset()) -> bool:
    """Whether it stops in the middle, as at a limit of tokens: within code, at a sign that something follows, at a word
    that ends no sentence (`dangling`), or within a sentence behind a whole one.
    """
    answer = answer.rstrip()
    if answer.count("```") % 2:
        return True
    line = answer.rpartition("\n")[2].strip()
    if not line or _RULE.match(line):
        return False
    if line[-1] in _OPEN:
        closing = line[-1] == "," and "\n" in answer and len(_WORD.findall(line)) <= _CLOSING_WORDS
        return not closing and not _SMILEY.search(line)
    if not line[-1].isalnum():
        return False
    words = line.split()
    if len(words) >= _REPEATS and words[-1].casefold() in dangling:
        return True
    named = not words[-1].islower() or any(sign in words[-1] for sign in "@/._")  # a name, a number, an address
    if _LISTED.match(line) or named:
        return False
    *whole, rest = _SENTENCES.split(line)
    return any(len(part.split()) > 1 for part in whole) and len(rest.split()) >= _REST_WORDS
