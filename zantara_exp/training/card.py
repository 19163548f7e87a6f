"""The model card: what the model was made from and how, its curves, and how it did. README.md beside the weights.

Written by stage=train and again by stage=evaluate, from the files that they leave; it holds no chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zantara_exp.core.layout import Layout
from zantara_exp.io.whole_files import write_whole
from zantara_exp.training.estimate import duration, priced
from zantara_exp.training.files import read_json

CARD, CURVES = "README.md", "curves.png"
_SHOWN = ("loss", "token_accuracy", "exact_match", "chrf", "rouge_l", "language_match", "flawed")


def write_card(at: Layout, licence: str | None = None) -> Path:
    """Write README.md and curves.png beside the model from train.json and, where it is about this model, what was
    measured of it. `licence` stands for the base's where training did not know it."""
    trained = read_json(at.train_summary) or {}
    trained["licence"] = trained.get("licence") or licence
    if trained.get("curve"):
        _draw(trained["curve"], at.model / CURVES)
    evaluated = read_json(at.evaluation)
    verdicts = [read_json(path) for path in sorted(at.reports.glob("verdict-training*.json"))]
    text = "\n".join(
        [
            *_header(trained),
            f"# {at.model.name}",
            "",
            f"{_base(trained)} fine-tuned on chats of a product; epoch `{str(trained.get('epoch'))[:12]}`, "
            f"{trained.get('parameters', 0) / 1e6:,.1f} M parameters. It answers in the manner of those chats and is "
            "meant for the same users and questions; what it states as a fact is not checked by any figure below.",
            "",
            *_data(trained, read_json(at.prepare_summary)),
            *_preferences(trained),
            *_training(trained),
            *_evaluation(trained, evaluated),
            *_gates(trained, verdicts),
            *_licence(trained),
        ]
    )
    write_whole(at.model / CARD, text.encode())
    return at.model / CARD


def _base(trained: Mapping[str, Any]) -> str:
    if trained.get("base") in (None, "random weights"):
        return "A Llama of random weights"
    revision = trained.get("base_revision")
    return f"`{trained['base']}`" + (f" (revision `{revision}`)" if revision else "")


def _header(trained: Mapping[str, Any]) -> list[str]:
    """What the hub reads."""
    base = [f"base_model: {trained['base']}"] if trained.get("base_on_hub") else []
    method = trained.get("trainer", {}).get("method", "full")
    licence = [f"license: {trained['licence']}"] if trained.get("licence") else []
    kind = ["library_name: transformers", "pipeline_tag: text-generation"]
    return ["---", *kind, *licence, *base, f"tags: [{method}]", "---", ""]


def _licence(trained: Mapping[str, Any]) -> list[str]:
    """What the base's licence asks of whoever passes a model made from it on."""
    if trained.get("base") in (None, "random weights"):
        return []
    licence = trained.get("licence")
    if not licence:
        return ["## Licence", "", "That of the base, which was not told: see the base.", ""]
    lines = ["## Licence", "", f"That of the base: `{licence}`."]
    if licence.startswith("llama3"):
        version = licence.removeprefix("llama")
        lines += [
            f"Built with Llama. Llama {version} is licensed under the Llama {version} Community License,",
            "Copyright © Meta Platforms, Inc. All Rights Reserved.",
        ]
    return [*lines, ""]


def _data(trained: Mapping[str, Any], prepared: Mapping[str, Any] | None) -> list[str]:
    rows = [
        [name, f"{s['examples']:,}", f"{s['tokens']:,}", f"{s['assistant_tokens']:,}", str(s["cut"]), str(s["dropped"])]
        for name, s in trained.get("data", {}).items()
    ]
    lines = ["## Data", "", *_grid(["split", "examples", "tokens", "trained on", "cut", "dropped"], rows)]
    if prepared:
        lines += [f"Made from {prepared.get('kept')} of {prepared.get('conversations')} conversations, redacted; users"]
        lines += ["stand in one split only. The dataset's own card says how the rest was left out.", ""]
    return lines


def _preferences(trained: Mapping[str, Any]) -> list[str]:
    """From pair to model: how many, found worse by whom, of which candidate, in which file."""
    found = trained.get("preferences")
    if not found:
        return []
    learnt = f"{found['pairs']} pairs of {found['users']} users: {found['train']} learnt from, {found['val']} held out"
    lines = ["## Preferences", "", f"Learnt by DPO from {learnt}; nobody among them is in the test split."]
    if count := found["teaching_val_users"]:
        lines += [
            f"Of those who teach, {count} are in the validation split, whose loss is no longer that of strangers."
        ]
    if trained.get("base_epoch"):
        lines += [f"It began with the model of epoch `{str(trained['base_epoch'])[:12]}`."]
    rows = [["found worse by", source, str(count)] for source, count in found["by"].items()]
    rows += [[f"{by}'s run", f"`{run}`", str(n)] for by, runs in found["runs"].items() for run, n in runs.items()]
    rows += [["answers of candidate", f"`{epoch}`", str(count)] for epoch, count in found["candidates"].items()]
    rows += [["language", name, str(count)] for name, count in found["languages"].items()]
    rows += [["left out", why, str(count)] for why, count in found["left_out"].items()]
    return [*lines, "", *_grid(["what", "which", "pairs"], rows), f"SHA-256 of the pairs: `{found['sha256']}`.", ""]


def _training(trained: Mapping[str, Any]) -> list[str]:
    settings = {k: v for k, v in trained.get("trainer", {}).items() if not isinstance(v, Mapping)}
    for node in {"lora": ["lora"], "dpo": ["lora", "dpo"]}.get(str(settings.get("method")), []):
        settings |= {f"{node}.{name}": value for name, value in trained["trainer"][node].items()}
    cost = trained.get("cost", {})
    took = duration(float(trained.get("seconds") or 0)) + priced(
        float(trained.get("seconds") or 0), int(cost.get("gpus") or 0), cost.get("eur")
    )
    lines = ["## Training", "", f"{trained.get('steps')} updates in {took}; seed {trained.get('seed')}."]
    lines += [f"Kept: the weights of update {trained.get('best_step')}, of the lowest validation loss.", ""]
    lines += [f"![Loss over the updates]({CURVES})", ""] if trained.get("curve") else []
    return [*lines, *_grid(["setting", "value"], [[name, str(value)] for name, value in settings.items()])]


def _evaluation(trained: Mapping[str, Any], evaluated: Mapping[str, Any] | None) -> list[str]:
    if evaluated is None or evaluated.get("epoch") != trained.get("epoch"):
        return ["## Evaluation", "", "Not evaluated yet (stage=evaluate).", ""]
    rows = []
    for segment, values in evaluated["test"].items():
        cells = [segment, str(values["loss"]["examples"]), str(values["loss"]["users"])]
        rows.append([*cells, *(_ranged(values.get(name)) for name in _SHOWN)])
    lines = ["## Evaluation", "", "Test split, 95 % intervals clustered by user. Token accuracy says how well the"]
    lines += [
        "wording was learnt; it is not factual accuracy. Exact match to ROUGE-L compare with the primary's answers."
    ]
    lines += [""]
    lines += _grid(["segment", "examples", "users", *_SHOWN], rows)
    lines += [f"Validation loss less training loss: {evaluated['generalization_gap']:+.3f}.", ""]
    judged = evaluated.get("judge")
    if judged:
        counts = [[name, *map(str, found.values())] for name, found in judged["by_criterion"].items()]
        lines += [f"Judged by {judged['model']}: {judged['pairs']} pairs in both orders, {judged['missing']} of them"]
        lines += ["without a verdict.", ""]
        lines += _grid(["criterion", "candidate better", "tie", "primary better"], counts)
    return lines


def _ranged(value: Mapping[str, float | None] | None) -> str:
    """A bound that JSON could not hold, since there is none, is shown as `?`."""
    if not value:
        return "-"
    low, high = ("?" if value[end] is None else f"{value[end]:.3g}" for end in ("low", "high"))
    return f"{value['value']:.3g} [{low}, {high}]"


def _gates(trained: Mapping[str, Any], verdicts: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """What each training gate said of this very model."""
    epoch = str(trained.get("epoch"))
    mine = [said for said in verdicts if said and epoch.startswith(str(said.get("epoch") or "?"))]
    lines = [f"`{v.get('gate')}`: {v.get('verdict')}. {v.get('reason') or ''}".rstrip() for v in mine]
    return ["## Training gate", "", *(lines or ["Not decided yet (stage=gate gate=training)."]), ""]


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [*("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines), ""]


def _draw(curve: Sequence[Mapping[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for key, label, style in (("loss", "training", "-"), ("eval_loss", "validation", "o-")):
        points = [(entry["step"], entry[key]) for entry in curve if isinstance(entry.get(key), int | float)]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.set_xlabel("update")
    margins = [(entry["step"], entry["eval_rewards/margins"]) for entry in curve if "eval_rewards/margins" in entry]
    if margins:
        axes.plot(*zip(*margins, strict=True), "s--", label="validation margin of rewards")
    axes.set_ylabel("DPO loss, nats per pair" if margins else "loss, nats per token")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=110)
