"""publish=huggingface: the model's folder on the model hub, private by default, in one commit.

Only what serving and reading about the model needs is uploaded; evaluation.jsonl, which holds chats, never is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, MissingRequirementError, ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.training.files import read_json
from zantara_exp.training.markers import MARKED

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_UPLOADED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    MARKED,
    "additional_chat_templates/*.jinja",
    "*.gguf",
    "LICENSE*",
    "LICENCE*",
    "NOTICE*",
    "USE_POLICY*",
    "README.md",
    "curves.png",
    "adapter/*.safetensors",
    "adapter/*.json",
)
"""What a loader, or a reader of the card, asks for."""


def upload(config: Config, context: Context) -> Mapping[str, str]:
    """Upload the model, or say what would be; lines for the summary.

    Raises ConfigError without a name on the hub, MissingRequirementError without a token, ZantaraError when the hub
    refuses or cannot be reached.
    """
    name, folder = hub_name(config), context.layout.model
    files = uploaded(folder)
    size = sum((folder / file).stat().st_size for file in files) / 1e6
    what = f"{len(files)} files, {size:,.1f} MB: {', '.join(files)}"
    where = f"{name} ({'private' if config.publish.private else 'public'})"
    lines = {"to": where, "licence": _licence(config, read_json(context.layout.train_summary) or {})}
    if config.publish.dry_run:
        return {"would upload": what, **lines}
    context.say(f"publish: uploading {len(files)} files, {size:,.1f} MB, to {where}")
    return {"uploaded": what, **lines, "commit": _uploaded(config, name, folder, files)}


def _licence(config: Config, trained: Mapping[str, Any]) -> str:
    """What the card says of it."""
    if trained.get("base") in (None, "random weights"):
        return "no base, so none of its"
    known = trained.get("licence") or config.model.licence
    return f"the base's, {known}" if known else "the base's, which is not known: model.licence=NAME puts it on the card"


def hub_name(config: Config) -> str:
    """The model's name on the hub. Raises ConfigError where the config gives none."""
    if not config.model.hub_name:
        raise ConfigError(
            f"model.hub_name is not set, and publish={config.publish.name} needs a name on the model hub",
            "add model.hub_name=OWNER/NAME",
        )
    return config.model.hub_name


def uploaded(folder: Path) -> list[str]:
    """Paths of the files that go to the hub, as seen from the model's folder."""
    return sorted({str(path.relative_to(folder)) for pattern in _UPLOADED for path in folder.glob(pattern)})


def _uploaded(config: Config, name: str, folder: Path, files: list[str]) -> str:
    """Create the repository where it is not there, and upload; returns the commit."""
    import httpx
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    token = get_token()  # HF_TOKEN, or what `hf auth login` keeps
    if token is None:
        raise MissingRequirementError("publishing to the model hub needs a token that may write", "export HF_TOKEN=...")
    api: HfApi = HfApi(endpoint=config.publish.hub_url, token=token)
    try:
        api.create_repo(name, private=config.publish.private, exist_ok=True, repo_type="model")
        _refuse_other_visibility(api, name, config.publish.private)
        done: Any = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=files,
            delete_patterns=list(_UPLOADED),  # an earlier model's shards or adapter, which servers might load
            commit_message=f"Upload {folder.name}",
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise ZantaraError(
            f"the model hub refused {name} (HTTP {status})",
            "check that HF_TOKEN may write to this owner (model.hub_name), then run the same command again",
        ) from error
    except (OfflineModeIsEnabled, httpx.HTTPError, OSError) as error:
        raise ZantaraError(
            f"the model hub cannot be reached ({type(error).__name__})", "run the same command again when it can"
        ) from error
    return str(done.oid)


def _refuse_other_visibility(api: HfApi, name: str, private: bool) -> None:
    """A repository that was there before keeps its visibility; a private upload must not end up in public."""
    if private and not api.model_info(name).private:
        raise ZantaraError(
            f"{name} is public on the model hub, and publish.private=true",
            "make it private there, choose another model.hub_name, or set publish.private=false",
        )
