from __future__ import annotations

from tests.analysis.conftest import config as config
from tests.analysis.conftest import defaults as defaults
from tests.analysis.conftest import layout as layout
