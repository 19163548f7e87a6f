"""What reviewers and a judge said of single comparisons, for the report: of reviewers only those whose word counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zantara_exp.analysis.opinions import JUDGE, REVIEW, Opinion, Opinions
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.review.judge_verdicts import calls_in
from zantara_exp.review.labels import Label, load
from zantara_exp.review.not_evidence import uncounted

Said = Iterator[tuple[str, Opinion]]


def opinions(config: Config, layout: Layout, say: Callable[[str], None]) -> Opinions:
    """All that was said, by comparison; a file that cannot be read is named and says nothing."""
    found: dict[str, list[Opinion]] = {}
    for read in (_of_judge, _of_reviewers):
        try:
            said = list(read(config, layout))
        except ZantaraError as error:
            say(f"not in the report: {error.message}")
            continue
        for comparison, opinion in said:
            found.setdefault(comparison, []).append(opinion)
    return found


def _of_judge(config: Config, layout: Layout) -> Said:
    """Where the judge gave no verdict that could be read, it is no opinion."""
    for call in calls_in(layout.judged):
        if call.verdict is not None:
            yield call.comparison_id, Opinion(call.model, JUDGE, call.verdict, call.why)


def _of_reviewers(config: Config, layout: Layout) -> Said:
    known = load(layout.review_labels)
    left_out = uncounted(known, layout, config.review)
    for label in known:
        if label.critical_bug or (label.sample, label.reviewer) not in left_out:  # a bug counts, whoever found it
            yield label.comparison_id, Opinion(label.reviewer, REVIEW, label.verdict, _why(label))


def _why(label: Label) -> str:
    return ": ".join(filter(None, ("critical bug" if label.critical_bug else "", label.comment)))
