"""Sends what waits to MLflow, for a command that did not: python -m zantara_exp.tracking '{"tracking": {...}, ...}'."""

from __future__ import annotations

import sys

import orjson

from zantara_exp.config.project import Tracking
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.io import file_modes
from zantara_exp.tracking import send_waiting

if __name__ == "__main__":
    about = orjson.loads(sys.argv[1])
    config = Config(tracking=Tracking(**about["tracking"]))
    config.paths.mlruns, config.paths.state = about["mlruns"], about["state"]
    with file_modes.private():
        send_waiting(config.tracking, Layout(config))
