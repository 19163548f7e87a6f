"""The bill of materials is what the lock says, the same each time, and CycloneDX."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.support import ROOT


def written(*words: str) -> str:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "sbom"), *words], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", ["deploy", "dev"])
def test_it_names_every_package_of_the_lock_with_its_hashes(name: str) -> None:
    text = written(name)
    assert written(name) == text
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "locks" / f"{name}.txt").read_text()
    held = {(each["name"], each["version"]) for each in bill["components"]}
    named = set(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    assert held - named == ({("torch", "2.13.0")} if name == "dev" else set())
    assert named <= held
    assert set(re.findall(r"sha256:([0-9a-f]{64})", lock)) == set(re.findall(r'"content": "([0-9a-f]{64})"', text))
    refs = {each["bom-ref"] for each in bill["components"]}
    assert set(bill["dependencies"][0]["dependsOn"]) <= refs
    assert len(refs) == len(bill["components"])


def test_another_lock_is_refused() -> None:
    ended = subprocess.run([sys.executable, str(ROOT / "scripts" / "sbom"), "prod"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "sbom: prod: no such lock (valid: apps, clients, deploy, dev," in ended.stderr


def test_the_schema_takes_it(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx", reason="next: .venv/bin/pip install 'cyclonedx-python-lib[json-validation]'")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written("deploy")) is None
