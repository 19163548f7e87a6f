"""Names of people, found by language models of spaCy through Presidio: an option, since patterns cannot tell a name.

`dataset.names=[it_core_news_sm, en_core_web_sm]` names installed models or folders. Each is asked about every text, and
whatever one of them calls a person is redacted. Nothing is downloaded. A model reads some ten kilobytes a second.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.core.errors import MissingRequirementError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

PERSON = "PERSON"
_INSTALL = "pip install 'zantara-exp[names]'"
_NEEDED = frozenset(("tok2vec", "transformer", "tagger", "ner"))
"""What of a model's pipeline names people; the rest of it would only take time."""
_EDGES = " \t\n.,;:!?()\"'“”’-"
_NO_NAME = re.compile(r"[\d@\[\]_/<>]")


class Names:
    """Finds the names of people in texts."""

    def __init__(self, models: Sequence[str]) -> None:
        """Load the models. Raises MissingRequirementError where Presidio or one of them is not installed."""
        check_models(models)
        self._languages = [f"model {number}" for number in range(len(models))]
        self._engine = _engine(models, self._languages)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a text holds a name, in order; parts may overlap."""
        found = set()
        for language in self._languages:
            for each in self._engine.analyze(text, language=language, entities=[PERSON]):
                found |= set(_trimmed(text, each.start, each.end))
        return sorted(found)


@lru_cache(4)
def names(models: tuple[str, ...]) -> Names:
    """The finder of these models, loaded once in a process; raises as `Names`."""
    return Names(models)


def check_models(models: Sequence[str]) -> None:
    """Raise MissingRequirementError for what is not installed, without loading anything."""
    if find_spec("presidio_analyzer") is None or find_spec("spacy") is None:
        raise MissingRequirementError(
            f"dataset.names={list(models)} needs Presidio and spaCy, which are not installed", _INSTALL
        )
    from spacy.util import get_installed_models, is_package

    for model in models:
        if is_package(model) or (Path(model) / "config.cfg").is_file():
            continue
        installed = list(get_installed_models())
        near = get_close_matches(model, installed, n=1)
        ask = f"; did you mean {near[0]}?" if near else f" (installed: {', '.join(installed) or 'none'})"
        if "/" in model or Path(model).exists():
            what, hint = "is no folder of a spaCy model: it has no config.cfg", "name a folder that nlp.to_disk wrote"
        else:
            what, hint = f"is no installed model{ask}", f"python -m spacy download {model}"
        raise MissingRequirementError(f"dataset.names: {model} {what}", hint)


def _engine(models: Sequence[str], languages: Sequence[str]) -> AnalyzerEngine:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    for logger in ("presidio-analyzer", "decision_process"):
        logging.getLogger(logger).setLevel(logging.ERROR)  # a text must not reach a log
    engine = SpacyNlpEngine(
        models=[{"lang_code": each, "model_name": model} for each, model in zip(languages, models, strict=True)],
        ner_model_configuration=NerModelConfiguration(labels_to_ignore=[]),
    )
    engine.load()
    for pipeline in (engine.nlp or {}).values():
        pipeline.select_pipes(enable=[part for part in pipeline.pipe_names if part in _NEEDED])
    recognizers = [SpacyRecognizer(supported_language=each, supported_entities=[PERSON]) for each in languages]
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=list(languages))
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(languages))


def _trimmed(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """A name without what stands around it; none where it cannot be one."""
    while begin < end and text[begin] in _EDGES:
        begin += 1
    while begin < end and text[end - 1] in _EDGES:
        end -= 1
    name = text[begin:end]
    plausible = len(name) > 1 and name != name.lower() and not _NO_NAME.search(name)
    return [(begin, end)] if plausible else []
