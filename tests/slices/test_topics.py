"""Topics: fitted on one half, named by words of several users, never by one person's."""

from __future__ import annotations

import random

import numpy as np

from zantara_exp.slices.topics import topics

SUBJECTS = {"visa": "passport visa extension", "villa": "villa garden rental", "tax": "company licence taxes"}


def test_messages_of_a_subject_share_a_topic_named_by_its_words():
    rng = random.Random(3)  # noqa: S311  # a test's data
    subjects = [rng.choice(list(SUBJECTS)) for _ in range(600)]
    texts = [" ".join(rng.sample(SUBJECTS[each].split(), 2)) + " please" for each in subjects]
    texts[7] += " rumpelstiltskin rumpelstiltskin"
    user, language = np.arange(600) % 150, np.array(["en"] * 590 + ["it"] * 10)
    half = user < 75
    found = topics(texts, language, user, half, 3, 5, 7)
    named = list(zip(found[:590], subjects, strict=False))
    by = {subject: {name for name, of in named if of == subject} for subject in SUBJECTS}
    assert all(len(names) == 1 for names in by.values()), by
    assert len({*found[:590].tolist()}) == 3
    for subject, (name,) in by.items():
        assert name.startswith("en: ")
        assert set(name.removeprefix("en: ").split()) <= {*SUBJECTS[subject].split(), "please"}
    assert {*found[590:].tolist()} == {""}, "too few messages are of no topic"
    others = [text if mine else "other words" for text, mine in zip(texts, half, strict=True)]
    assert (topics(others, language, user, half, 3, 5, 7)[half] == found[half]).all(), "the other half names nothing"
    assert {*topics(texts, language, user, half, 0, 5, 7).tolist()} == {""}
