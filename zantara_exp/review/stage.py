"""Stage `review`: draw a blind sample and write its worksheet, or read a filled-in worksheet back."""

from __future__ import annotations

import os
from collections import Counter
from datetime import date
from pathlib import Path

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.pairs import texts
from zantara_exp.config.schema import Config
from zantara_exp.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.hints import command
from zantara_exp.layout import Layout
from zantara_exp.review.assessments import assessed
from zantara_exp.review.evidence import of_epoch, usable
from zantara_exp.review.labels import CANNOT, WORSE, adjudicated, agreement, load, merge, unblinded
from zantara_exp.review.sample import Sample, blinded, draw
from zantara_exp.review.sample import load as load_sample
from zantara_exp.review.sample import save as save_sample
from zantara_exp.review.sheet import read, sheet
from zantara_exp.stage import Context, StageResult, Table
from zantara_exp.whole import write_whole


def review(config: Config, context: Context) -> StageResult:
    """Draw the sample and write the worksheet; with `review.labels`, take the labels in.

    Raises MissingInputError without comparisons to draw from, ZantaraError when the sample or the worksheet was
    changed after the draw.
    """
    if config.review.labels is not None:
        return _taken_in(config, context)
    sample = _kept(config, context) or _drawn(config, context)
    if sample.items and not context.layout.review_sheet.is_file():
        _write_sheet(context.layout.review_sheet, sample)
    if config.review.serve:
        return _served(sample, config, context)
    return _drawn_result(sample, config, context)


def _served(sample: Sample, config: Config, context: Context) -> StageResult:
    """Serve the page until it is interrupted, then say what was judged."""
    from zantara_exp.review.app import app, free_port, serve

    labels, host = context.layout.review_labels, config.review.host
    token = _token(config)
    port = config.review.port or free_port(host)
    entry = f"?token=${config.review.token_env}" if token else ""
    shown = f"[{host}]" if ":" in host else host
    context.say(
        f"review {sample.hash}: {len(sample.items)} pairs at http://{shown}:{port}/{entry}   (Ctrl-C when done)"
    )
    serve(app(sample, labels, [host, "localhost"], token), host, port)
    return _judged(sample, config, context, {})


def _token(config: Config) -> str | None:
    """The page's token, where one is configured. Raises MissingRequirementError where it is not set."""
    variable = config.review.token_env
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if not token:
        raise MissingRequirementError(
            f"review.token_env={variable}: this environment variable is not set",
            f'export {variable}="$(openssl rand -hex 32)"',
        )
    return token


def _kept(config: Config, context: Context) -> Sample | None:
    """The sample that stands: of the log's epoch, and not asked to be replaced."""
    if config.force or not context.layout.review_sample.is_file():
        return None
    sample = load_sample(context.layout.review_sample)
    with open_log(config, context.layout, _until(config)) as log:
        epoch, _ = log.newest()
    if sample.epoch != epoch:
        context.say(f"the log has moved on to epoch {epoch}: a new sample is drawn, the old one is kept beside it")
        return None
    return sample


def _until(config: Config) -> date | None:
    return date.fromisoformat(config.as_of) if config.as_of else None


def _drawn(config: Config, context: Context) -> Sample:
    layout = context.layout
    with open_log(config, layout, _until(config)) as log:
        sample = _sample(log, config)
    known = load(layout.review_labels)
    _set_aside(layout)
    save_sample(sample, layout.review_sample)
    _write_sheet(layout.review_sheet, sample)
    earlier = [label for label in of_epoch(known, sample, layout) if label.sample != sample.hash]
    if earlier:
        context.say(f"another sample of this epoch has {len(earlier)} labels: for a gate, what was drawn first counts")
    return sample


def _sample(log: ComparisonLog, config: Config) -> Sample:
    epoch, _ = log.newest()
    facts = log.facts.filter((log.facts.epoch == epoch) & log.facts.category.isin(config.review.categories))
    both = facts.filter(facts.primary_ok & facts.candidate_ok)
    rows = fetched(both.select("user", "comparison_id", "part", "place", "language", "category")).to_pylist()
    if not rows:
        wanted = ", ".join(config.review.categories)
        raise MissingInputError(f"epoch {epoch} has no answered comparison in {wanted}", command("stage=shadow"))
    chosen = draw(rows, config.review.size, config.seed)
    items = blinded(texts(log, chosen), config.seed)
    return Sample(epoch, log.until.isoformat(), config.seed, config.review.size, items)


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


def _write_sheet(path: Path, sample: Sample) -> None:
    write_whole(path, sheet(sample).encode("utf-8-sig"))  # spreadsheets know UTF-8 by its mark


def _drawn_result(sample: Sample, config: Config, context: Context) -> StageResult:
    strata = Counter((item.language, item.category) for item in sample.items)
    rows = [[language, category, str(count)] for (language, category), count in sorted(strata.items())]
    fewer = f" of the {sample.asked} asked for: there are no more users" if len(sample.items) < sample.asked else ""
    worksheet = context.layout.review_sheet
    shown = worksheet.relative_to(Path.cwd()) if worksheet.is_relative_to(Path.cwd()) else worksheet
    return StageResult(
        summary={
            "sample": f"{len(sample.items)} pairs{fewer}, one per user, {sample.hash}",
            "drawn from": f"epoch {sample.epoch}, up to {sample.until}, seed {sample.seed}",
            "worksheet": f"{shown}: fill in `better` (A, B, same, cannot) and `critical_bug` (A, B, both), "
            f"then review.labels={shown}; or judge on a page",
        },
        metrics={"review/pairs": float(len(sample.items))},
        tags={"epoch": sample.epoch, "review_sample": sample.hash},
        tables=[Table("Drawn", ["language", "category", "pairs"], rows)],
        artifacts=[worksheet],
        next_command=command("stage=review", "review.serve=true"),
    )


def _taken_in(config: Config, context: Context) -> StageResult:
    layout, path = context.layout, Path(str(config.review.labels)).absolute()
    sample = load_sample(layout.review_sample)
    given = unblinded(read(path, sample), sample, config.review.reviewer)
    if not given:
        raise ZantaraError(f"{path.name} has no filled-in row", "fill in the column `better` with A, B, same or cannot")
    merge(layout.review_labels, given)
    return _judged(sample, config, context, {"taken in": f"{len(given)} labels by {config.review.reviewer}"})


def _judged(sample: Sample, config: Config, context: Context, first: dict[str, str]) -> StageResult:
    """What was said so far, unblinded."""
    layout = context.layout
    labels = usable(load(layout.review_labels), sample)
    agreed = agreement(labels)
    settled = Counter(adjudicated(labels, config.review.adjudicator).values())
    good = settled.total() - settled[WORSE] - settled[CANNOT]
    bugs = len({label.pair for label in labels if label.critical_bug})
    reviewers = sorted({label.reviewer for label in labels})
    if labels:
        context.run.traces(*assessed(sample, labels, config.review.adjudicator))
    return StageResult(
        summary={
            **first,
            "labelled": f"{settled.total()} of {len(sample.items)} pairs, by {', '.join(reviewers) or 'nobody'}",
            "equivalent or better": f"{good} of {len(sample.items)}",
            "worse": str(settled[WORSE]),
            "cannot judge": str(settled[CANNOT]),
            "critical bugs": str(bugs),
            **({} if agreed is None else {"agreement": f"Krippendorff's alpha {agreed:.2f}"}),
        },
        metrics={
            "review/equivalent": float(good),
            "review/worse": float(settled[WORSE]),
            "review/critical_bugs": float(bugs),
        },
        tags={"epoch": sample.epoch, "review_sample": sample.hash},
        artifacts=[layout.review_labels] if labels else [],
        next_command=command("stage=gate"),
    )
