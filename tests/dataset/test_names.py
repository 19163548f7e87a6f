"""Names of people: a small model of our own, trained here, in the environment of the extra `names`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.dataset.support import config_of
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.dataset.names import Names, check_models
from zantara_exp.dataset.redact import Redactor
from zantara_exp.shadow.log import check_log

spacy = pytest.importorskip("spacy", reason="the extra `names` is not installed: scripts/extras names")
pytest.importorskip("presidio_analyzer")
training = pytest.importorskip("spacy.training")

FIRST = ["Marco", "Giulia", "Anna", "Wayan", "Putu", "Made", "John", "Claire", "Luca", "Sofia", "Budi", "Dewi", "Tom"]
LAST = ["Rossi", "Bianchi", "Smith", "Dupont", "Sudiarta", "Santoso", "Verdi", "Miller", "Lestari", "Conti", "Jones"]
SAID = [
    "ciao sono {}",
    "my name is {}",
    "mi chiamo {} e vivo a Bali",
    "halo saya {}",
    "please call {} tomorrow",
    "ho parlato con {} ieri",
    "Grazie {}!",
]
PLAIN = ["vorrei un visto per Bali", "how much is the visa E33G?", "Selamat pagi, berapa harga?", "Grazie mille"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned in seconds, from sentences with these names."""
    drawn = random.Random(7)
    pipeline = spacy.blank("xx")
    recognizer = pipeline.add_pipe("ner")
    recognizer.add_label("PER")
    examples = []
    for _ in range(300):
        name = " ".join([drawn.choice(FIRST), drawn.choice(LAST)][: drawn.randint(1, 2)])
        text = drawn.choice(SAID).format(name)
        found = {"entities": [(text.index(name), text.index(name) + len(name), "PER")]}
        examples.append(training.Example.from_dict(pipeline.make_doc(text), found))
        examples.append(training.Example.from_dict(pipeline.make_doc(drawn.choice(PLAIN)), {"entities": []}))
    pipeline.initialize(lambda: examples)
    for _ in range(6):
        drawn.shuffle(examples)
        for batch in spacy.util.minibatch(examples, 32):
            pipeline.update(batch)
    folder = tmp_path_factory.mktemp("model") / "ner"
    pipeline.to_disk(folder)
    return folder


def test_names_are_redacted_beside_what_patterns_find(model: Path) -> None:
    chat = Redactor(models=[str(model)]).conversation()
    assert chat.text("ciao sono Marco Rossi, tel 0812 3456 7890") == "ciao sono [PERSON_1], tel [PHONE_1]"
    assert chat.text("my name is Marco Rossi") == "my name is [PERSON_1]"
    assert chat.text("halo saya Putu Santoso") == "halo saya [PERSON_2]"
    assert chat.text("vorrei un visto per Bali") == "vorrei un visto per Bali"


def test_placeholders_are_nobodys_name(model: Path) -> None:
    text = "my name is [PERSON_1] or [EMAIL_2]"
    assert Redactor(models=[str(model)]).text(text) == text


def test_what_no_text_holds_is_no_trouble(model: Path) -> None:
    names = Names([str(model)])
    assert names.spans(" ") == names.spans("...") == names.spans("\U0001f600" * 200) == []


def test_two_models_are_asked_and_both_count(model: Path) -> None:
    assert Redactor(models=[str(model), str(model)]).text("Grazie Anna!") == "Grazie [PERSON_1]!"


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("it_core_news_sm", "it_core_news_sm is no installed model", "python -m spacy download it_core_news_sm"),
        ("tests/dataset", "is no folder of a spaCy model: it has no config.cfg", "name a folder"),
    ],
)
def test_a_model_that_is_not_there_is_said_and_not_downloaded(name: str, what: str, hint: str) -> None:
    with pytest.raises(MissingRequirementError, match=what) as told:
        check_models([name])
    assert hint in told.value.hint
    with pytest.raises(MissingRequirementError, match=what):
        check_log(config_of(f"dataset.names=[{name}]"))
