"""Stage `review`: draw a blind sample and write its worksheet, or read a filled-in worksheet back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.pairs import texts
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.adjudication import Panel, Rater, agreement, panel, theirs
from zantara_exp.review.assessments import assessed
from zantara_exp.review.checks import made, placed, spare, wanted
from zantara_exp.review.evidence import due, looks, of_epoch, parts_left_out, reviewed
from zantara_exp.review.judge_verdicts import judgements
from zantara_exp.review.labels import CANNOT, WORSE, Label, load, merge, unblinded
from zantara_exp.review.looked_at import stands, voids
from zantara_exp.review.preferences import preferences_line, write_preferences
from zantara_exp.review.sample import Item, Sample, blinded, draw
from zantara_exp.review.sample import load as load_sample
from zantara_exp.review.sample import save as save_sample
from zantara_exp.review.sheet import read, sheet
from zantara_exp.traffic.confirmed_slices import load_pairs

Row = Mapping[str, Any]


def review(config: Config, context: Context) -> StageResult:
    """Draw the sample and write the worksheet; with `review.labels`, take the labels in.

    Raises MissingInputError without comparisons to draw from, ZantaraError when the sample or the worksheet was
    changed after the draw.
    """
    if config.review.labels is not None:
        return _taken_in(config, context)
    sample = _kept(config, context) or _drawn(config, context)
    if sample.items and not context.layout.review_sheet.is_file():
        _write_sheet(context.layout.review_sheet, sample, config)
    if config.review.serve:
        return _served(sample, config, context)
    return _drawn_result(sample, config, context)


def _served(sample: Sample, config: Config, context: Context) -> StageResult:
    """Serve the page until it is interrupted, then say what was judged."""
    from zantara_exp.page import free_port, serve, token_of
    from zantara_exp.review.app import app

    labels, host = context.layout.review_labels, config.review.host
    token = token_of("review", config.review.token_env)
    port = config.review.port or free_port(host)
    entry = f"?token=${config.review.token_env}" if token else ""
    shown = f"[{host}]" if ":" in host else host
    context.say(
        f"review {sample.hash}: {len(sample.shown)} pairs at http://{shown}:{port}/{entry}   (Ctrl-C when done)"
    )
    serve(app(sample, labels, [host, "localhost"], config, token), "review", host, port)
    return _judged(sample, config, context, {})


def _kept(config: Config, context: Context) -> Sample | None:
    """The sample that stands: of the log's epoch, and not asked to be replaced."""
    if config.force or not context.layout.review_sample.is_file():
        return None
    sample = load_sample(context.layout.review_sample)
    with open_log(config, context.layout, _until(config)) as log:
        epoch, _ = log.newest()
    if sample.epoch != epoch:
        context.say(f"the log has moved on to candidate {epoch}: a new sample is drawn, the old one is kept beside it")
        return None
    if sample.exclude != parts_left_out(config):
        context.say("rollout.exclude leaves out other parts than the sample: a new one is drawn, the old one is kept")
        return None
    return sample


def _until(config: Config) -> date | None:
    return date.fromisoformat(config.as_of) if config.as_of else None


def _drawn(config: Config, context: Context) -> Sample:
    layout = context.layout
    with open_log(config, layout, _until(config)) as log:
        sample = _sample(log, config, layout)
    known = load(layout.review_labels)
    _set_aside(layout)
    save_sample(sample, layout.review_sample)
    _write_sheet(layout.review_sheet, sample, config)
    earlier = [label for label in of_epoch(known, sample, layout) if label.sample != sample.hash]
    if earlier:
        context.say(
            f"another sample of this candidate has {len(earlier)} labels: for a gate, what was drawn first counts"
        )
    return sample


def _sample(log: ComparisonLog, config: Config, layout: Layout) -> Sample:
    epoch, _ = log.newest()
    facts = log.evidence(epoch, config, layout)
    facts = facts.filter(facts.category.isin(config.review.categories))
    both = facts.filter(facts.primary_ok & facts.candidate_ok)
    rows = fetched(both.select("user", "comparison_id", "part", "place", "language", "category")).to_pylist()
    if not rows:
        wanted = ", ".join(config.review.categories)
        raise MissingInputError(f"candidate {epoch} has no answered comparison in {wanted}", command("stage=shadow"))
    chosen = draw(rows, config.review.size, config.seed)
    more = _for_checks(rows, chosen, config)
    read = texts(log, [*chosen, *more], redactor_of(config.dataset))
    items, beside = blinded(read[: len(chosen)], config.seed), read[len(chosen) :]
    pairs, checks = placed(items, made(beside, len(items), config.review.checks, config.seed), config.seed)
    about = epoch, log.until.isoformat(), config.seed, config.review.size
    known = {row["comparison_id"] for row in chosen}
    more_pairs = _of_slices(log, epoch, known, len(pairs) + len(checks), config, layout)
    return Sample(*about, pairs, checks, parts_left_out(config), more_pairs)


def _of_slices(
    log: ComparisonLog, epoch: str, known: set[str], last: int, config: Config, layout: Layout
) -> tuple[Item, ...]:
    """Pairs of the slices that were found worse, numbered from behind `last` on."""
    slices = load_pairs(layout.slice_pairs, epoch).values()
    if not (named := {pair for of in slices for pair in of[: config.slices.pairs]} - known):
        return ()
    columns = ("comparison_id", "part", "place", "language", "category")
    rows = log.facts.select(*columns).union(log.aside.select(*columns))
    asked = fetched(rows.filter(rows.comparison_id.isin(sorted(named))).order_by("comparison_id")).to_pylist()
    items = blinded(texts(log, asked, redactor_of(config.dataset)), config.seed + 1)
    return tuple(replace(item, number=last + item.number) for item in items)


def _for_checks(rows: Sequence[Row], chosen: Sequence[Row], config: Config) -> list[Row]:
    """Comparisons for checks to be made of: of other users, else other ones of the same, else the chosen themselves."""
    count = spare(len(chosen), config.review.checks)
    users, known = {row["user"] for row in chosen}, {row["comparison_id"] for row in chosen}
    of_others = draw([row for row in rows if row["user"] not in users], count, config.seed)
    of_same = [row for row in rows if row["user"] in users and row["comparison_id"] not in known]
    return [*of_others, *draw(of_same, count, config.seed), *chosen][:count]


def _set_aside(layout: Layout) -> None:
    """Keep an earlier sample and its worksheet under its hash: what was seen is never overwritten."""
    if not layout.review_sample.is_file():
        return
    try:
        name = load_sample(layout.review_sample).hash
    except ZantaraError:
        name = f"changed-{int(layout.review_sample.stat().st_mtime)}"
    for path in (layout.review_sample, layout.review_sheet):
        if path.is_file():
            os.replace(path, path.with_name(f"{path.stem}-{name}{path.suffix}"))


def _write_sheet(path: Path, sample: Sample, config: Config) -> None:
    write_whole(path, sheet(sample, config.domain.rubric).encode("utf-8-sig"))  # spreadsheets know UTF-8 by its mark


def _drawn_result(sample: Sample, config: Config, context: Context) -> StageResult:
    strata = Counter((item.language, item.category) for item in sample.items)
    rows = [[language, category, str(count)] for (language, category), count in sorted(strata.items())]
    fewer = f" of the {sample.asked} asked for: there are no more users" if len(sample.items) < sample.asked else ""
    worksheet = context.layout.review_sheet
    shown = worksheet.relative_to(Path.cwd()) if worksheet.is_relative_to(Path.cwd()) else worksheet
    return StageResult(
        summary={
            "sample": f"{len(sample.items)} pairs{fewer}, one per user, {sample.hash}",
            "hidden checks": _checks(sample, config),
            **({"of worse slices": f"{len(sample.beside)} pairs more, no evidence"} if sample.beside else {}),
            "drawn from": f"candidate {sample.epoch}, up to {sample.until}, seed {sample.seed}",
            "worksheet": f"{shown}: fill in `better` (A, B, same, cannot) and `critical_bug` (A, B, both), "
            f"then review.labels={shown}; or judge on a page",
        },
        metrics={"review/pairs": float(len(sample.items))},
        tags={"epoch": sample.epoch, "review_sample": sample.hash},
        tables=[Table("Drawn", ["language", "category", "pairs"], rows)],
        artifacts=[worksheet],
        next_command=command("stage=review", "review.serve=true"),
    )


def _checks(sample: Sample, config: Config) -> str:
    """How many of each kind, and how many are lacking."""
    kinds = Counter(check.kind for check in sample.checks)
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    lacking = sum(wanted(len(sample.items), config.review.checks)) - len(sample.checks)
    return f"{found}; the log gives no texts for {lacking} more" if lacking > 0 else found


def _taken_in(config: Config, context: Context) -> StageResult:
    layout, path, name = context.layout, Path(str(config.review.labels)).absolute(), config.review.reviewer
    sample = load_sample(layout.review_sample)
    given = unblinded(read(path, sample), sample, name)
    if not given:
        raise ZantaraError(f"{path.name} has no filled-in row", "fill in the column `better` with A, B, same or cannot")
    given = _theirs(given, sample, config, layout)
    merge(layout.review_labels, given)
    return _judged(sample, config, context, {"taken in": f"{len(given)} labels by {name}"})


def _theirs(given: list[Label], sample: Sample, config: Config, layout: Layout) -> list[Label]:
    """The labels on pairs that are the reviewer's to judge. Raises ZantaraError where others are among them."""
    name, terms = config.review.reviewer, config.review
    known = load(layout.review_labels)
    said = [label.pair for label in known if (label.sample, label.reviewer) == (sample.hash, name)]
    mine = {item.number: item for item in theirs(sample, panel(known, sample, terms), terms, name, said)}
    if changed := voids(given, known, sample, layout):
        raise ZantaraError(stands(changed[0]), "put the row back as it was, or clear it")
    kept = [label for label in given if label.pair in mine]
    if name == terms.adjudicator:
        if not kept:
            raise ZantaraError(f"{name} settles disputed pairs, and none of these is", command("stage=review"))
        return kept
    if len(kept) < len(given):
        first = next(label.pair for label in given if label.pair not in mine)
        language = next(item.language for item in sample.shown if item.number == first)
        raise ZantaraError(
            f"pair {first} is in {language}, which {name} does not read (review.reviewers.{name}: "
            f"{', '.join(terms.reviewers[name])})",
            "clear that row in the worksheet, or add the language",
        )
    return kept


def _judged(sample: Sample, config: Config, context: Context, first: dict[str, str]) -> StageResult:
    """What was said so far, unblinded."""
    layout, name = context.layout, config.review.adjudicator
    found = panel(load(layout.review_labels), sample, config.review)
    agreed = agreement(label for label in found.labels if label.reviewer != name)
    settled = Counter(found.settled.values())
    good = settled.total() - settled[WORSE] - settled[CANNOT]
    bugs = len({label.pair for label in found.labels if label.critical_bug})
    by = ", ".join(sorted({label.reviewer for label in found.labels})) or "nobody whose word counts"
    reviews, learnt_from = reviewed(sample, found, config, judgements(layout.judged, sample)), 0
    to_go = found.disputed or reviews.first(due(reviews, config)).missing
    if found.labels:
        context.run.traces(*assessed(sample, found, config.review))
        with open_log(config, layout, _until(config)) as log:
            learnt_from = write_preferences(config, layout, log)
    return StageResult(
        summary={
            **first,
            "labelled": f"{settled.total()} of {len(sample.items)} pairs, by {by}",
            "equivalent or better": f"{good} of {len(sample.items)}",
            "worse": str(settled[WORSE]),
            "cannot judge": str(settled[CANNOT]),
            "critical bugs": str(bugs),
            "looks": looks(sample, found, config),
            **({} if agreed is None else {"agreement": f"Krippendorff's alpha {agreed:.2f}"}),
            **({"note": reviews.note} if reviews.note else {}),
            **preferences_line(learnt_from, layout),
        },
        metrics={
            "review/equivalent": float(good),
            "review/worse": float(settled[WORSE]),
            "review/critical_bugs": float(bugs),
            "review/disputed": float(len(found.disputed)),
        },
        tags={"epoch": sample.epoch, "review_sample": sample.hash},
        tables=_tables(sample, found, name),
        artifacts=[layout.review_labels] if found.labels else [],
        next_command=command("stage=review", "review.serve=true") if to_go else command("stage=gate"),
    )


def _tables(sample: Sample, found: Panel, adjudicator: str) -> list[Table]:
    """Who judges how, and what is disputed."""
    raters = [_row(rater, adjudicator) for rater in found.raters]
    heads = ["reviewer", "pairs", "hidden checks wrong", "agrees with others", "counts"]
    items = {item.number: item for item in sample.items}
    disputed = [[str(number), items[number].language, items[number].category] for number in found.disputed]
    tables = [Table("Reviewers", heads, raters)] if raters else []
    if disputed:
        tables.append(Table(f"Disputed, for {adjudicator} to settle", ["pair", "language", "category"], disputed))
    return tables


def _row(rater: Rater, adjudicator: str) -> list[str]:
    same, of = rater.agrees
    wrong, agrees = f"{rater.wrong} of {rater.answered}", f"{same} of {of} votes" if of else "-"
    if rater.name == adjudicator:
        return [rater.name, str(rater.pairs), "-", agrees, "settles"]
    return [rater.name, str(rater.pairs), wrong, agrees, "yes" if rater.counts else f"no: {rater.why}"]
