"""An MLflow model that names a folder of weights instead of holding a copy: 16 GB are not stored twice.

`mlflow.pyfunc.load_model("models:/zantara-candidate@candidate").predict(pandas.DataFrame({"messages": [[...]]}))`
answers with it, on a machine where the folder is.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

_LOADER = "zantara_exp.evaluation.mlflow_model"


@contextmanager
def reference(weights: str, epoch: str) -> Iterator[Path]:
    """A folder with the MLmodel file and its signature: a chat in, its answer out."""
    with tempfile.TemporaryDirectory(prefix="zantara-mlmodel-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about its own type hints when this part of it is imported
        from mlflow import pyfunc

        data = Path(scratch) / "reference.json"
        data.write_bytes(orjson.dumps({"path": weights}))
        pyfunc.save_model(
            path=f"{scratch}/model",
            loader_module=_LOADER,
            data_path=str(data),
            signature=_signature(),
            pip_requirements=[f"{name}=={version(name)}" for name in ("zantara-exp", "transformers", "torch")],
            metadata={"weights": weights, "epoch": epoch},
        )
        yield Path(scratch) / "model"


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    turn = Object([Property("role", DataType.string), Property("content", DataType.string)])
    inputs = Schema([ColSpec(Array(turn), name="messages")])
    params = ParamSchema([ParamSpec("max_new_tokens", DataType.long, 256)])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec(DataType.string)]), params=params)
