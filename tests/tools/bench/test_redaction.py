"""How marked texts are read, and what counts as found."""

from __future__ import annotations

from tools.bench.redaction import HELD_OUT, Scores, marked, scored

TEXT = marked("call <PHONE:0812 3456 7890> or mail <EMAIL:a@b.it>, 12 times", "ID")


def test_marks_are_taken_out_and_say_where() -> None:
    assert TEXT.text == "call 0812 3456 7890 or mail a@b.it, 12 times"
    assert [TEXT.text[begin:end] for begin, end, _ in TEXT.details] == ["0812 3456 7890", "a@b.it"]
    assert [kind for _, _, kind in TEXT.details] == ["PHONE", "EMAIL"]


def test_a_detail_is_found_where_all_its_figures_went() -> None:
    scores = Scores()
    found = scores.add(TEXT, [(5, 14, "PHONE"), (28, 34, "PHONE"), (36, 38, "CARD")])
    assert (scores.whole.marked, scores.whole.found, scores.whole.named) == (2, 1, 0)
    assert (scores.whole.right, scores.whole.wrong) == (2, 1)
    assert found.missed == ["PHONE '0812 3456 7890' in 'call 0812 3456 7890 or mail a@b.it, 12 times'"]
    assert found.wrong == ["CARD '12' in 'call 0812 3456 7890 or mail a@b.it, 12 times'"]
    assert scores.countries["ID"].recall == 0.5
    assert scores.kinds["EMAIL"].recall == 1
    assert scores.kinds["CARD"].precision == 0


def test_a_redactor_that_finds_nothing_scores_nothing() -> None:
    for name in HELD_OUT:
        scores, found = scored(name, lambda text: [])
        assert scores.whole.recall == 0
        assert len(found.missed) == scores.whole.marked > 100
        assert scores.whole.precision == 1
