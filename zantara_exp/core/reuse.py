"""Whether a finished stage can stand for a new one: same inputs, same config, same code, outputs untouched."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.source_code import code_digest
from zantara_exp.core.stage import StageResult
from zantara_exp.core.stage_table import STAGES, StageSpec
from zantara_exp.io.whole_files import write_whole


def digest(*parts: bytes) -> str:
    """First 16 hexadecimal digits of the SHA-256 of `parts`."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big") + part)
    return hasher.hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Hash of a file, or of all files below a folder with their names."""
    if path.is_dir():
        inner = [p for p in sorted(path.rglob("*")) if p.is_file()]
        return digest(*(f"{p.relative_to(path)}={file_digest(p)}".encode() for p in inner))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@dataclass(frozen=True)
class Fingerprint:
    """Everything a stage's outcome depends on, hashed."""

    config: str
    data: str
    code: str
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, spec: StageSpec, config: Config, layout: Layout) -> Fingerprint:
        """Hash what `spec` declares. Raises MissingInputError when an input is not there."""
        inputs: dict[str, str] = {}
        for path in spec.inputs(layout):
            if not path.exists():
                before = next(name for name, other in STAGES.items() if path in other.outputs(layout))
                raise MissingInputError(
                    f"{relative(path)} is not there; stage={before} writes it",
                    hint=command(f"stage={before}"),
                )
            inputs[relative(path)] = file_digest(path)
        chosen = {group: plain(getattr(config, group)) for group in spec.groups}
        return cls(
            config=digest(orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)),
            data=digest(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS), spec.outside(config).encode()),
            code=code_digest(spec.module),
            inputs=inputs,
        )


def plain(node: Any) -> Any:
    """A config node as JSON-compatible values."""
    return asdict(node) if hasattr(node, "__dataclass_fields__") else node


def relative(path: Path) -> str:
    """`path` as seen from the working directory, where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Records:
    """What finished stages left behind, one JSON file per stage and set of outputs, under `paths.state`."""

    def __init__(self, stage: str, spec: StageSpec, layout: Layout) -> None:
        self._spec, self._layout = spec, layout
        key = digest(*(str(path).encode() for path in (layout.dataset, layout.model, layout.logs)))[:8]
        self._file = layout.state / "stages" / f"{stage}-{key}.json"

    @property
    def _outputs(self) -> list[Path]:
        return list(self._spec.outputs(self._layout))

    def matching(self, fingerprint: Fingerprint) -> dict[str, Any] | None:
        """The record of a finished stage with this fingerprint whose outputs are as it left them."""
        if not self._outputs or not self._file.is_file():
            return None
        try:
            record: dict[str, Any] = orjson.loads(self._file.read_bytes())
        except orjson.JSONDecodeError:
            return None
        if any(record.get(part) != getattr(fingerprint, part) for part in ("config", "data", "code")):
            return None
        if not all(path.exists() for path in self._outputs):
            return None
        return record if {relative(path): file_digest(path) for path in self._outputs} == record["outputs"] else None

    def write(self, fingerprint: Fingerprint, run_id: str, result: StageResult) -> None:
        """Remember a finished stage, where it can be reused."""
        if not self._outputs:
            return
        missing = [relative(path) for path in self._outputs if not path.exists()]
        if missing:
            raise ZantaraError(
                f"the stage ended without writing {', '.join(missing)}",
                "see that nothing else removes it meanwhile, and run the same command again",
            )
        record = {
            "run_id": run_id,
            "config": fingerprint.config,
            "data": fingerprint.data,
            "code": fingerprint.code,
            "outputs": {relative(path): file_digest(path) for path in self._outputs},
            "summary": dict(result.summary),
            "metrics": {name: value for name, value in result.metrics.items() if math.isfinite(value)},
        }
        write_whole(self._file, orjson.dumps(record, option=orjson.OPT_INDENT_2))

    def forget(self) -> None:
        """Drop the record before the outputs change, so that a kill in between cannot leave a wrong one."""
        self._file.unlink(missing_ok=True)

    @contextmanager
    def only_one(self, *, wait: bool = False) -> Iterator[None]:
        """Refuse to run while another process writes the same outputs, or `wait` for it: runs of one sweep do."""
        import fcntl

        if not self._outputs:
            yield
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise ZantaraError(
                    f"another run is writing {', '.join(relative(path) for path in self._outputs)}",
                    hint="wait until it has ended, or give this run other paths, such as paths.models=models/other",
                ) from None
            yield
