"""The table of kinds and the files of the kinds say the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from zantara_exp.config.kinds import KINDS, METHODS
from zantara_exp.gates import kinds
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.by_user import ByUser


@pytest.mark.parametrize("name", KINDS)
def test_a_row_has_its_file(name):
    kind, row = kind_named(name), KINDS[name]
    assert kind.name == name
    assert tuple(kind.methods) == row.methods
    assert kind.random != row.counted
    assert not (row.windowed or row.by_segment) or isinstance(kind, ByUser)


@pytest.mark.parametrize("name", KINDS)
def test_a_method_says_the_same_in_its_row_and_its_class(name):
    for method, written in kind_named(name).methods.items():
        row = METHODS[method]
        assert written.forecasts == (not row.one_look and not row.alarms)


def test_a_file_has_its_row():
    folder = Path(kinds.__file__).parent
    ending = {path.stem for path in folder.glob("*.py") if "\nKIND = " in path.read_text()}
    assert ending == set(KINDS)


@pytest.mark.interpreter
def test_a_config_is_checked_without_statistics():
    code = "import sys, zantara_exp.config.gate as g; list(g.Criterion('m').rules()); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
