"""Setting up: what the locks hold, that uv does as pip is told, and what is said where it cannot."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import _uv
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_names_versions_and_hashes_and_nothing_else(lock: Path) -> None:
    comment, *lines = lock.read_text().splitlines()
    assert comment.startswith("# Made by scripts/lock")
    one = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w.'\"=!<>() ]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not one.fullmatch(line)] == []  # no address, no option, no path
    blocks = _uv.blocks_of(lock.read_text())
    assert blocks
    assert [name for name, block in blocks.items() if "--hash" not in block] == []
    # torch is installed apart: locked, it would be one build for every machine, that of CUDA
    assert [name for name in blocks if re.match(r"torch$|triton|nvidia-|cuda-", name)] == []


def test_the_lock_holds_the_builds_for_every_python() -> None:
    """What is installed here as a build for one Python has builds for the two others as well."""
    few = []
    for name, block in _uv.locked("dev").items():
        wheel = importlib.metadata.distribution(name).read_text("WHEEL") if installed(name) else ""
        if re.search(r"^Tag: cp3\d+-cp3", wheel or "", re.MULTILINE) and block.count("--hash") < 3:
            few.append(name)
    assert few == []


def installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.parametrize(
    ("wanted", "locks"),
    [
        ([*PROJECT["dependencies"], *EXTRAS["dev"]], ["dev"]),
        (EXTRAS["spark"], ["dev", "spark"]),
        (EXTRAS["runpod"], ["dev", "runpod"]),
        (EXTRAS["clients"], ["dev", "clients"]),
        (EXTRAS["apps"], ["dev", "apps"]),
        (EXTRAS["otel"], ["dev"]),
        (EXTRAS["gpu"], ["unsloth"]),
    ],
)
def test_the_locks_cover_what_the_project_asks_for(wanted: list[str], locks: list[str]) -> None:
    held = {name: block for lock in locks for name, block in _uv.locked(lock).items()}
    for one in map(Requirement, wanted):
        if one.name == "torch":
            assert str(one.specifier).startswith("=="), "torch is installed in one version"
            continue
        version = re.match(r"[^=]+==(\S+)", held.get(canonicalize_name(one.name), ""))
        assert version, f"{one} is in no lock; next: scripts/lock"
        assert one.specifier.contains(version[1]), f"{one}, but {version[1]} is locked; next: scripts/lock"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings of this machine out of sight; a file for pip's own in their place."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    settings = tmp_path / "pip.conf"
    settings.write_text("")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for place in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(place, str(tmp_path / "home"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return settings


def test_every_setting_of_pip_reaches_uv(alone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    alone.write_text(
        f"[global]\nindex-url = https://me:secret@one.example/simple\ntimeout = 7\ntrusted-host = one.example\n"
        f"find-links = {tmp_path}/wheels\n    {tmp_path}/gone\n    https://two.example/links\n"
        "[install]\nextra-index-url = https://three.example https://four.example\nproxy = http://proxy.example\n"
    )
    monkeypatch.setenv("PIP_CONSTRAINT", "a.txt b.txt")
    monkeypatch.setenv("PIP_CERT", "/one.pem")
    monkeypatch.setenv("PIP_TIMEOUT", "9")  # a variable wins over a file
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    told = _uv.told(_uv.pip_settings(Path(sys.executable)))
    assert {name: value for name, value in told.items() if os.environ.get(name) != value and name != "NO_COLOR"} == {
        "UV_DEFAULT_INDEX": "https://me:secret@one.example/simple",
        "UV_INDEX": "https://three.example https://four.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path}/wheels,https://two.example/links",
        "UV_CONSTRAINT": "a.txt b.txt",
        "UV_INSECURE_HOST": "one.example",
        "UV_HTTP_TIMEOUT": "9",
        "SSL_CERT_FILE": "/one.pem",
        "ALL_PROXY": "http://proxy.example",
    }
    monkeypatch.setenv("UV_INDEX", "https://mine.example")  # what is said to uv itself stays
    assert _uv.told({"extra-index-url": ["https://three.example"]})["UV_INDEX"] == "https://mine.example"


def wheel(folder: Path, version: str) -> str:
    """A package that holds nothing; the line of a lock for it."""
    folder.mkdir(exist_ok=True)
    file, about = folder / f"tiny-{version}-py3-none-any.whl", f"tiny-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny.py", f"version = {version!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"tiny.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return f"tiny=={version} \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def bare(alone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment with pip and uv but no package; locks of its own, and a folder of wheels that pip.conf names."""
    made = tmp_path / "venv"
    venv.create(made, symlinks=True)
    site = next(made.glob("lib/python*/site-packages"))
    (site / "ours.pth").write_text(str(Path(importlib.util.find_spec("pip").origin).parents[1]))  # type: ignore[union-attr,arg-type]
    (made / "bin" / "uv").symlink_to(Path(sys.executable).parent / "uv")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "dev.txt").write_text(wheel(tmp_path / "wheels", "1.0"))
    wheel(tmp_path / "wheels", "2.0")
    alone.write_text(f"[global]\nno-index = true\nfind-links = {tmp_path}/wheels\n")
    monkeypatch.setattr(_uv, "LOCKS", tmp_path / "locks")
    return made


def version(environment: Path) -> str:
    found = list(environment.glob("lib/python*/site-packages/tiny.py"))
    return found[0].read_text() if found else ""


def test_uv_takes_what_the_lock_names_from_where_pip_would(bare: Path) -> None:
    uv = _uv.Uv(bare)
    uv.install_locked(bare, "dev")
    assert version(bare) == "version = '1.0'\n"
    uv("pip", "install", "--python", bare, "--upgrade", "tiny")
    assert version(bare) == "version = '2.0'\n"


def test_pips_constraints_hold(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.txt").write_text("tiny<2\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "theirs.txt"))
    _uv.Uv(bare)("pip", "install", "--python", bare, "tiny")
    assert version(bare) == "version = '1.0'\n"
    (tmp_path / "theirs.txt").write_text("tiny>1\n")
    with pytest.raises(SystemExit, match=r"tiny(.|\n)*next: "):
        _uv.Uv(bare).install_locked(bare, "dev")


def test_a_file_that_the_lock_does_not_name_is_refused(bare: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("evil.py", "")
    with pytest.raises(SystemExit, match=r"is not the one that the lock names\n  next: uv cache clean"):
        _uv.Uv(bare).install_locked(bare, "dev")
    assert version(bare) == ""


def test_no_network_is_said_without_the_index_or_its_password(bare: Path, alone: Path, tmp_path: Path) -> None:
    alone.write_text("[global]\nindex-url = http://me:secret@127.0.0.1:9/simple\nretries = 0\n")
    with pytest.raises(SystemExit) as ended:
        _uv.Uv(bare).install_locked(bare, "dev")
    assert "no package index could be reached" in str(ended.value)
    assert "next: check the network" in str(ended.value)
    assert not re.search("secret|127.0.0.1", str(ended.value))


def script(name: str) -> ModuleType:
    loader = SourceFileLoader(f"_script_{name}", str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("asked", "smi", "build"),
    [
        ("", "GPU 0: NVIDIA H200", "cuda"),
        ("", "No devices were found", "cpu"),
        ("", None, "cpu"),
        ("cpu", "GPU 0: NVIDIA H200", "cpu"),
        ("cuda", None, "cuda"),
    ],
)
def test_torchs_build_follows_the_gpu_unless_told(
    asked: str, smi: str | None, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH", asked)
    monkeypatch.setenv("PATH", str(tmp_path))
    if smi:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\necho '{smi}'\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert script("setup")._wanted_build() == build


def checkout(tmp_path: Path) -> Path:
    """Of what setting up needs; without an environment."""
    place = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", place / "scripts")
    for name in ("Makefile", "pyproject.toml", "locks"):
        (place / name).symlink_to(ROOT / name)
    return place


def failing(place: Path, *command: str, **environment: str) -> str:
    ended = subprocess.run(command, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True)
    assert ended.returncode != 0
    assert not (place / ".venv" / ".ready").exists()
    return ended.stdout + ended.stderr


def test_another_python_or_torch_is_set_up_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make` alone keeps what is there; so does one that asks for just that."""
    place = checkout(tmp_path)
    other = tmp_path / "python-other"
    other.symlink_to(sys.executable)
    (place / "scripts" / "setup").write_text(
        "import os\nassert os.environ.get('TORCH') != 'bogus'\n"
        "note = 'PYTHON=' + os.environ['PYTHON'] + '\\nTORCH=' + os.environ.get('TORCH', 'cpu') + '\\n'\n"
        "os.makedirs('.venv', exist_ok=True)\nopen('.venv/.ready', 'w').write(note)\nprint('set up')\n"
    )

    def made(*words: str) -> bool:
        ended = subprocess.run(["make", "setup", *words], cwd=place, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return "set up" in ended.stdout

    for name in ("PYTHON", "TORCH"):
        monkeypatch.delenv(name, raising=False)
    assert made(f"PYTHON={sys.executable}")
    assert not made()
    assert not made("TORCH=cpu", f"PYTHON={sys.executable}")
    assert not made("TORCH=auto")
    assert made("TORCH=cuda", f"PYTHON={sys.executable}")
    assert not made()
    assert made(f"PYTHON={other}")
    monkeypatch.setenv("TORCH", "cuda")
    assert made(f"PYTHON={other}")
    assert not made()
    ended = subprocess.run(["make", "test", "TORCH=bogus"], cwd=place, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "AssertionError" in ended.stderr


def test_what_was_set_up_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = script("setup")
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setenv("PYTHON", "python3.12")
    setup._note("cuda")
    assert (tmp_path / ".ready").read_text() == "PYTHON=python3.12\nTORCH=cuda\n"


def test_a_python_that_is_not_there_is_said(tmp_path: Path) -> None:
    said = failing(checkout(tmp_path), "make", "test", "PYTHON=nosuch")
    assert "PYTHON=nosuch is not found" in said
    assert "next: make test PYTHON=python3.11, or another" in said
    assert "is none of them" not in said


def test_a_wrong_python_is_said(tmp_path: Path) -> None:
    (tmp_path / "python3.9").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.9").chmod(0o755)
    said = failing(checkout(tmp_path), "make", "demo", f"PYTHON={tmp_path}/python3.9")
    assert "needs Python 3.11 to 3.13" in said
    assert "next: make demo PYTHON=python3.11" in said


def test_the_demo_of_another_product_has_folders_of_its_own(tmp_path: Path) -> None:
    place = checkout(tmp_path)
    told = [
        subprocess.run(
            ["make", "-n", "--no-print-directory", "demo", *words], cwd=place, capture_output=True, text=True
        ).stdout.splitlines()[-1]
        for words in ((), ("DOMAIN=helpdesk",))
    ]
    assert told[0].split() == [".venv/bin/python", "-m", "zantara_exp"]
    folders = {"paths.dataset": "data", "paths.models": "models", "paths.logs": "logs", "paths.reports": "reports"}
    own = [f"{key}={folder}/helpdesk" for key, folder in folders.items()]
    assert told[1].split() == [*told[0].split(), "domain=helpdesk", *own]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ((), None),
        (("ruff",), "ruff"),
        (("mypy", "python"), "mypy tests"),
        (("python",), "tests"),
        (("ruff", "lint-imports", "mypy"), "ruff lint-imports mypy"),
    ],
)
def test_the_last_line_names_what_failed(tmp_path: Path, broken: tuple[str, ...], says: str | None) -> None:
    place = checkout(tmp_path)
    tools = place / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("ruff", "lint-imports", "mypy", "python"):
        (tools / name).write_text(f"#!/bin/sh\nexit {int(name in broken)}\n")
        (tools / name).chmod(0o755)
    (place / ".venv" / ".ready").touch()
    # The make that runs the tests would have this one say which folder it leaves.
    outer = ("PYTHON", "TORCH", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in outer}
    ended = subprocess.run(["make", "test"], cwd=place, env=environment, capture_output=True, text=True)
    assert (ended.returncode == 0) == (says is None)
    last = ended.stdout.splitlines()[-1]
    assert last == f"make test: FAILED: {says}" if says else "FAILED" not in ended.stdout


def test_a_python_without_venv_is_said(tmp_path: Path) -> None:
    (tmp_path / "none" / "venv").mkdir(parents=True)
    (tmp_path / "none" / "venv" / "__init__.py").write_text("raise ImportError('no module ensurepip')")
    said = failing(
        checkout(tmp_path), "make", "setup", f"PYTHON={sys.executable}", PYTHONPATH=str(tmp_path / "none"), TORCH="cpu"
    )
    assert "cannot make a virtual environment" in said
    assert "next: apt-get install python3-venv" in said


def test_a_full_disk_and_a_wrong_build_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = script("setup")
    monkeypatch.setattr(setup, "VENV", tmp_path)
    with pytest.raises(SystemExit, match=r"GB are free here, \d+.0 GB are needed\n  next: make room"):
        setup._enough_disk(1e15)
    assert "next: make setup TORCH=cpu" in failing(checkout(tmp_path), sys.executable, "scripts/setup", TORCH="gpu")


@pytest.mark.slow  # installs pip twice
def test_another_python_gets_an_environment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, made = script("setup"), tmp_path / ".venv"
    monkeypatch.setattr(setup, "VENV", made)
    made.mkdir()
    (made / "pyvenv.cfg").write_text("version = 3.9.18\n")
    (made / "left").touch()
    setup._environment()
    assert not (made / "left").exists()
    assert (made / "bin" / "pip").exists()
    (made / "left").touch()
    setup._environment()
    assert (made / "left").exists(), "the same Python: what is installed stays"


@pytest.mark.parametrize("name", ["lock", "extras", "licences", "image", "sbom"])
def test_a_script_describes_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        script(name).main()
    assert not ended.value.code
    assert f"scripts/{name} " in capsys.readouterr().out


def test_the_last_line_says_what_was_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extras = script("extras")
    monkeypatch.setattr("sys.argv", ["extras", "--slow"])
    monkeypatch.setattr(extras, "ROOT", tmp_path)
    monkeypatch.setattr(extras, "Uv", lambda: None)
    monkeypatch.setattr(extras, "_has_java", lambda: False)
    monkeypatch.setattr(extras, "_has_node", lambda: False)
    monkeypatch.setattr(extras, "_environment", lambda uv, name: tmp_path / name)
    monkeypatch.setattr(extras, "_with_packages_of_node", lambda: tmp_path / "python")
    monkeypatch.setattr(extras, "_passes", lambda *_, **__: True)
    extras.main()
    *_, spark, java, node, after = capsys.readouterr().out.splitlines()
    assert spark == "extras: SKIPPED, so not tested: spark (no Java)"
    assert java == "  next: sudo apt-get install default-jre-headless && scripts/extras spark"
    assert node == "extras: SKIPPED, so not tested: node (no Node)"
    assert after.endswith(", then: scripts/extras node")
    monkeypatch.setattr(extras, "_passes", lambda *_, **__: False)
    with pytest.raises(SystemExit, match="failed: runpod, apps, names, unsloth, llamacpp, clients\n"):
        extras.main()
    monkeypatch.setattr(extras, "_has_java", lambda: True)
    monkeypatch.setattr(extras, "_has_node", lambda: True)
    monkeypatch.setattr(extras, "_passes", lambda *_, **__: True)
    extras.main()
    assert "SKIPPED" not in capsys.readouterr().out.splitlines()[-1]


def test_packages_of_node_have_exact_versions_and_no_lock_names_a_host() -> None:
    folder = ROOT / "tests" / "clients" / "node"
    named = json.loads((folder / "package.json").read_text())
    assert named["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in named["dependencies"].values())
    assert (folder / ".npmrc").read_text() == "package-lock=false\n"
    assert not (folder / "package-lock.json").exists()
