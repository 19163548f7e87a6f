"""What a person sees in MLflow: a sweep, its runs beside one another, and a published model, in a real browser.

The pictures in docs/ are made anew by `ZANTARA_PICTURES=docs python -m pytest tests/tracking/test_pages.py`.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.browsing import CHROMIUM, browser_page
from tests.test_pipeline import SMALL, run, stop_database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine; next: apt-get install chromium"),
]
RATES = ("0.001", "0.003", "0.01")
AS_CHOSEN = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
"""MLflow shows its pages for chats, and an assistant, until one chooses otherwise."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with a published model and a sweep of three learning rates."""
    folder = tmp_path_factory.mktemp("pages")
    rates = f"trainer.learning_rate={','.join(RATES)}"
    for arguments in (
        ["stage=pipeline", "stage.steps=[extract,prepare,train,evaluate]"],
        ["stage=publish", "publish.even_without_go=true"],
        ["-m", "stage=train", "hydra.launcher.n_jobs=2", rates],
    ):
        done = run(folder, *arguments, *SMALL, "trainer.epochs=3")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    stop_database(folder)
    return folder


@pytest.fixture(scope="module")
def ui(store: Path) -> Iterator[str]:
    """MLflow's own server over the folder's database, as docs/training.md starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    command = [mlflow, "ui", "--backend-store-uri", "sqlite:///mlruns/mlflow.db"]
    # One process, and none for jobs: they take 270 MB each.
    settings = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (store / "ui.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--workers", "1"], cwd=store, env=settings, stdout=log, stderr=log
        )
        try:
            _wait(f"{address}/health", server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None
        try:
            urlopen(address).close()  # noqa: S310  of our own server
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="module")
def ids(store: Path) -> dict[str, Any]:
    """The training experiment, the sweep, and its runs by learning rate."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("zantara training")
    assert experiment is not None
    (sweep,) = client.search_runs([experiment.experiment_id], "tags.stage = 'sweep'")
    children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{sweep.info.run_id}'")
    by_rate = {run.data.params["trainer.learning_rate"]: run.info.run_id for run in children}
    return {"experiment": experiment.experiment_id, "sweep": sweep.info.run_id, "runs": by_rate}


def _keep(page: Any, name: str) -> None:
    """The picture, small, where it is asked for."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot()))
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 50  # it shows something
    if folder := os.environ.get("ZANTARA_PICTURES"):
        picture.convert("RGB").quantize(48).save(Path(folder) / f"mlflow-{name}.png", optimize=True)


def test_a_sweep_tells_which_of_its_runs_is_best(ui: str, ids: dict[str, Any]) -> None:
    with browser_page(f"{ui}/#/experiments/{ids['experiment']}/runs/{ids['sweep']}", 1280, 640, AS_CHOSEN) as page:
        page.get_by_text("The lowest model/val_loss of 3 runs is").wait_for()
        assert "learning_rate=0.01." in page.inner_text("body")
        page.get_by_text("Show more").click()
        for rate in RATES:
            page.get_by_role("link", name=f"tiny lr={rate}", exact=True).wait_for()
            assert page.locator("td", has_text=rate).count()
        _keep(page, "sweep")


def test_runs_stand_beside_one_another(ui: str, ids: dict[str, Any]) -> None:
    runs, experiments = json.dumps([*ids["runs"].values()]), json.dumps([ids["experiment"]])
    address = f"{ui}/#/compare-runs?runs={quote(runs)}&experiments={quote(experiments)}"
    with browser_page(address, 1280, 760, AS_CHOSEN) as page:
        page.get_by_text("Comparing 3 Runs from 1 Experiment").wait_for()
        page.get_by_text("Parallel Coordinates Plot").wait_for()
        page.locator(".js-plotly-plot").first.wait_for()
        page.wait_for_function("document.body.innerText.includes('tiny lr=0.01')")
        assert "trainer.learning_rate" in page.inner_text("body")
        _keep(page, "compare")


def test_a_published_model_shows_its_card(ui: str) -> None:
    with browser_page(f"{ui}/#/models/zantara-candidate/versions/1", 1280, 760, AS_CHOSEN) as page:
        page.get_by_role("heading", name="zantara-tiny").wait_for()
        page.get_by_role("link", name="publish tiny").wait_for()
        assert page.locator("img[alt='Loss over the updates']").count() == 0  # it lies in the model's folder
        assert "candidate" in page.inner_text("body")
        _keep(page, "model")
