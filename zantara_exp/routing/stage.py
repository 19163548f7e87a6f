"""stage=certify: which requests the candidate answers as well as the primary, by a score with a certified threshold.

    python -m zantara_exp stage=certify
    python -m zantara_exp stage=rollout rollout.action=start rollout.route=learned

Writes routing.json under `paths.reports`, the share moved against its quality, and where a threshold is shown to keep
`rollout.certify.quality`, the certificate under `paths.state`. Each look at labels spends some of alpha; one that shows
nothing takes an earlier certificate away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import numpy as np
import orjson

from zantara_exp.analysis.log import open_log
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates import threshold as thresholds
from zantara_exp.gates.threshold import Fresh, Order, Point
from zantara_exp.io.lines import append_lines
from zantara_exp.io.whole_files import write_whole
from zantara_exp.routing import certificate
from zantara_exp.routing.evidence import CERTIFY, FIT, Evidence, Row, read
from zantara_exp.routing.learn import fitted, out_of_fold
from zantara_exp.routing.score import FEATURES, Score
from zantara_exp.traffic import certified_routing

_FEWEST = 50
"""Requests with a verdict that the score needs at least."""


def certify(config: Config, context: Context) -> StageResult:
    """Fit, choose, certify. Raises ZantaraError where nothing can be: what is missing; no look is spent."""
    plan, layout = config.rollout.certify, context.layout
    looks = _looks(layout)
    with open_log(config, layout, date.fromisoformat(config.as_of) if config.as_of else None) as log:
        found = read(config, layout, log, frozenset(look["sample"] for look in looks))
        as_of = log.until
    score, order_of = _learnt(found)
    look = _look(config, found, looks)
    alpha, of = thresholds.alpha_of(look["look"], plan.alpha), _fresh(found, score)
    tests = order_of(of.score)
    tested = thresholds.in_order(alpha)
    _enough(of, tests, plan.quality, tested)
    curve = [thresholds.at(of, each, plan.quality, tested) for each in tests.thresholds]
    best = thresholds.certified(of, tests, plan.quality, alpha)
    append_lines(layout.certificate_looks, [orjson.dumps(look | {"passed": best is not None}) + b"\n"])
    said: dict[str, Any] = {
        "candidate": found.epoch, "made": datetime.now(UTC).isoformat(timespec="seconds"), "as_of": as_of.isoformat(),
        "categories": sorted(config.rollout.categories), "quality": plan.quality, "alpha": alpha, **look,
    }  # fmt: skip
    if best is None:
        layout.certificate.unlink(missing_ok=True)
    else:
        said["certificate"] = certificate.write(layout.certificate, said | asdict(best), score)
    more = [
        {"lower": thresholds.lower(of, each, plan.quality, tested), "bill": _bill(found.rows[CERTIFY], of, each)}
        for each in curve
    ]
    points = [asdict(each) | of_it for each, of_it in zip(curve, more, strict=True)]
    said |= {"curve": points, "start": tests.thresholds[tests.start], "certified": best and best.threshold}
    write_whole(layout.routing, orjson.dumps(said, option=orjson.OPT_INDENT_2))
    return _result(said, layout)


def _learnt(found: Evidence) -> tuple[Score, Callable[[thresholds.Floats], Order]]:
    """The score, and the order of the tests for the scores of others."""
    said = {**found.calls, **found.labels}
    rows = [row for row in found.rows[FIT] if row.comparison_id in said or not row.ok]
    if len(rows) < _FEWEST:
        raise MissingInputError(
            f"{len(rows)} requests of users who do not certify have a verdict, {_FEWEST} are needed: have a judge look "
            f"at those of some {4 * _FEWEST} users, or people label as many pairs",
            command("stage=judge", "judge=anthropic"),
        )
    requests, good = [row.found for row in rows], [row.ok and said[row.comparison_id] for row in rows]
    crossed = np.array(out_of_fold(requests, good, [row.user for row in rows]))
    return fitted(requests, good), partial(thresholds.order, crossed, np.array(good))


def _scores(rows: Sequence[Row], score: Score) -> thresholds.Floats:
    return np.array([score.of_features(row.found) for row in rows], dtype=np.float64)


def _fresh(found: Evidence, score: Score) -> Fresh:
    rows = found.rows[CERTIFY]
    _, user = np.unique([row.user for row in rows], return_inverse=True)
    labelled = [at for at, row in enumerate(rows) if row.comparison_id in found.labels]
    asked = {rows[at].user for at in labelled}
    voices = {row.user: at for at, row in enumerate(rows) if row.comparison_id in found.calls and row.user not in asked}
    # A judge counts beside the labels where it has seen each of their pairs.
    seen = all(rows[at].comparison_id in found.calls for at in labelled)
    pool = list(voices.values()) if seen else []
    called = [found.calls[rows[at].comparison_id] if seen else True for at in [*labelled, *pool]]
    return Fresh(
        score=_scores(rows, score),
        user=np.asarray(user, np.int64),
        ok=np.array([row.ok for row in rows], bool),
        labelled=np.array(labelled, np.int64),
        good=np.array([found.labels[rows[at].comparison_id] for at in labelled], bool),
        pool=np.array(pool, np.int64),
        called=np.array(called, bool),
    )


def _looks(layout: Layout) -> list[dict[str, Any]]:
    """Earlier tries, of any candidate."""
    lines = layout.certificate_looks.read_bytes().splitlines() if layout.certificate_looks.exists() else []
    try:
        return [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        raise ZantaraError(f"{layout.certificate_looks.name} holds a line that is no look", "remove it") from None


def _look(config: Config, found: Evidence, looks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """This look and its number. Labels that were looked at are looked at with the same settings, or not again."""
    plan = config.rollout
    of = repr((plan.certify.quality, plan.certify.alpha, sorted(plan.categories), config.seed, FEATURES))
    settings = hashlib.sha256(of.encode()).hexdigest()[:16]
    mine = {"sample": found.sample, "labels": len(found.labels), "settings": settings}
    known = [look for look in looks if look["candidate"] == found.epoch]
    if any(look["sample"] == found.sample and look["settings"] != mine["settings"] for look in known):
        raise ZantaraError(
            "these labels were looked at with another quality, alpha, seed or categories: what is chosen after looking "
            "shows nothing; a new certificate needs fresh users",
            command("stage=review", "force=true", note="draws another sample"),
        )
    numbers = {(look["sample"], look["labels"]): look["look"] for look in known}
    number = numbers.get((found.sample, len(found.labels)), max(numbers.values(), default=0) + 1)
    return {"candidate": found.epoch, **mine, "look": number}


def _enough(of: Fresh, tests: Order, quality: float, alpha: float) -> None:
    """Refuse a look that cannot show anything, before it is one."""
    moved = of.score[of.labelled] >= tests.thresholds[tests.start]
    least, share = thresholds.fewest(quality, alpha), float(moved.mean()) if moved.size else 0.0
    if moved.sum() < least:
        about = thresholds.needed(share, quality, alpha) or least
        raise MissingInputError(
            f"{moved.sum()} of {moved.size} labels are of requests that would move first, {least} are needed even if "
            f"all are good; about {about} labels would do if the candidate is good at them",
            command("stage=review", f"review.size={about}", "force=true"),
        )


def _bill(rows: Sequence[Row], of: Fresh, point: Point) -> float:
    """Share of what the primary takes that would move."""
    usd = np.array([row.usd for row in rows])
    return float(usd[of.score >= point.threshold].sum() / usd.sum()) if usd.any() else 0.0


def _result(said: Mapping[str, Any], layout: Layout) -> StageResult:
    best = certified_routing.best(said)
    found = certified_routing.in_short(said) + (_more(said) if best is None else "")
    about = f"{said['labels']} labels, look {said['look']}, alpha {said['alpha']:.3g}"
    return StageResult(
        summary={"candidate": f"{said['candidate']}", "certified": found, "by": about},
        metrics={f"routing/{name}": best[name] if best else 0.0 for name in ("moved", "bill", "lower")},
        tags={"epoch": said["candidate"], "certified": "yes" if best else "no"},
        tables=[certified_routing.shown(said)],
        artifacts=[layout.routing, *([layout.certificate] if best else [])],
        next_command=command("stage=rollout", "rollout.route=learned", "rollout.action=start") if best else "",
    )


def _more(said: Mapping[str, Any]) -> str:
    """What it would take, after a look that showed nothing."""
    first = next(point for point in said["curve"] if point["threshold"] == said["start"])
    alpha = thresholds.alpha_of(said["look"] + 1, said["alpha"] / thresholds.alpha_of(said["look"], 1.0))
    share, alpha = first["labels"] / said["labels"], thresholds.in_order(alpha)
    about = thresholds.needed(share, said["quality"], alpha, first["estimate"])
    return f"; about {about} labels would show it of the first {100 * first['moved']:.0f} %" if about else ""
