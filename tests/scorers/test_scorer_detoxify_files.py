"""Which file a detoxify scorer reads, and that it is the published one; no network is built."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import pytest

from llmaudit.errors import ScorerError, UnknownNameError, UsageError
from llmaudit.scorers import describe_needs, detoxify_options, load_scorer
from llmaudit.scorers import detoxify_files as files
from llmaudit.scorers.detoxify import DetoxifyScorer
from llmaudit.scorers.detoxify_variants import OPTION, VARIANTS, Variant, find_variant

UNBIASED = VARIANTS["unbiased"]


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no checkpoint lie on this machine, and the hub be out of reach."""
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)


def pinned(monkeypatch: pytest.MonkeyPatch, content: bytes, name: str = "unbiased") -> None:
    """Let a content be what is published as a variant."""
    sha256 = hashlib.sha256(content).hexdigest()
    table = cast(dict[str, Variant], VARIANTS)
    monkeypatch.setitem(table, name, replace(VARIANTS[name], sha256=sha256))


def base_in(folder: Path, name: str) -> Path:
    """Write files that look like those of a base model."""
    target = folder / name
    target.mkdir(parents=True)
    for file in ("config.json", "tokenizer.json"):
        (target / file).write_text("{}", encoding="utf-8")
    return target


def test_pins_are_whole_or_of_the_name() -> None:
    for variant in VARIANTS.values():
        digits = Path(variant.file).stem.rpartition("-")[2]
        assert variant.pin.startswith(digits) and len(digits) == 8
        assert len(variant.pin) in {8, 64} and len(variant.base.revision) == 40


def test_published_names_and_addresses_are_the_librarys() -> None:
    from detoxify.detoxify import MODEL_URLS

    assert {name: one.url for name, one in VARIANTS.items()} == MODEL_URLS


def test_a_published_name_with_another_content_is_refused(tmp_path: Path) -> None:
    file = tmp_path / UNBIASED.file
    file.write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ScorerError, match=rf"its SHA-256 is {found}, but .*c7548aa09468726a"):
        files.find_checkpoint(UNBIASED, file)


def test_the_note_beside_a_file_pins_it(tmp_path: Path) -> None:
    file = tmp_path / "ours.ckpt"
    file.write_bytes(b"x")
    note = tmp_path / "ours.ckpt.sha256"
    note.write_text(f"{hashlib.sha256(b'x').hexdigest().upper()}  ours.ckpt\n", encoding="utf-8")
    assert files.find_checkpoint(UNBIASED, file) == file
    note.write_text("", encoding="utf-8")
    with pytest.raises(ScorerError, match=r"ours\.ckpt\.sha256 says nothing"):
        files.find_checkpoint(UNBIASED, file)


def test_the_offline_folder_comes_before_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pinned(monkeypatch, b"x")
    variant = find_variant("unbiased")
    for folder in (tmp_path / "cache" / "detoxify", tmp_path / "offline"):
        folder.mkdir(parents=True)
        (folder / variant.file).write_bytes(b"x")
    assert files.find_checkpoint(variant).parent.name == "detoxify"
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(tmp_path / "offline"))
    assert files.find_checkpoint(variant).parent.name == "offline"


def test_a_download_is_checked_and_its_hash_noted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pinned(monkeypatch, b"published")
    variant = find_variant("unbiased")
    asked: list[Any] = []

    def download(url: str, target: str, *, hash_prefix: str, progress: bool) -> None:
        asked.append((url, hash_prefix, progress))
        Path(target).write_bytes(b"published")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    told: list[str] = []
    found = files.find_checkpoint(variant, progress=told.append)
    assert found == tmp_path / "cache" / "detoxify" / variant.file
    assert asked == [(variant.url, hashlib.sha256(b"published").hexdigest(), True)]
    assert told == [f"fetching {variant.file} from {variant.url}"]
    note = found.with_name(found.name + ".sha256").read_text("utf-8")
    assert note.split() == [hashlib.sha256(b"published").hexdigest(), variant.file]


def test_no_network_says_which_file_to_put_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(ScorerError) as caught:
        load_scorer("detoxify:unbiased#threat")
    for part in (UNBIASED.url, "roberta-base/", files.FOLDER_VARIABLE, OPTION, "no route"):
        assert part in str(caught.value)


def test_base_files_lie_beside_or_in_the_offline_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "here" / "own.ckpt"
    offline = base_in(tmp_path / "offline", "roberta-base")
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(offline.parent))
    assert files.find_base_files(UNBIASED, checkpoint) == offline
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(offline))
    assert files.find_base_files(UNBIASED, checkpoint) == offline
    beside = base_in(tmp_path / "here", "roberta-base")
    assert files.find_base_files(UNBIASED, checkpoint) == beside
    (beside / "tokenizer.json").unlink()
    assert files.find_base_files(UNBIASED, checkpoint) == offline
    with pytest.raises(ScorerError, match=r"holds no config\.json and tokenizer"):
        files.find_base_files(UNBIASED, checkpoint, beside)


def test_the_hub_is_asked_for_the_pinned_revision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    snapshot = base_in(tmp_path, "snapshot")
    asked: list[Any] = []

    def snapshot_download(name: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        assert not any("safetensors" in one or "*" in one for one in allow_patterns)
        if len(asked) > 1:
            raise OSError("offline")
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert files.find_base_files(UNBIASED, tmp_path / "own.ckpt") == snapshot
    assert asked == [("roberta-base", UNBIASED.base.revision)]
    with pytest.raises(ScorerError, match="roberta-base/ beside"):
        files.find_base_files(UNBIASED, tmp_path / "own.ckpt")


def test_what_is_needed_is_told_without_loading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needed = describe_needs("detoxify:unbiased#insult")
    assert needed["checkpoint"] == f"{UNBIASED.file}: not on this machine"
    assert needed["base"].endswith("roberta-base: not on this machine")
    assert files.FOLDER_VARIABLE in needed["remedy"]
    (tmp_path / UNBIASED.file).write_bytes(b"")
    cached = base_in(tmp_path, "roberta-base") / "config.json"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(cached))
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(tmp_path))
    needed = describe_needs("detoxify:unbiased")
    assert str(tmp_path) in needed["checkpoint"] and "remedy" not in needed
    assert describe_needs("refusal") == {}


@pytest.mark.parametrize(
    ("given", "scorers", "expected"),
    [
        ("own.ckpt", ["toxicity", "detoxify"], {"detoxify": "own.ckpt"}),
        (
            "own.ckpt",
            ["detoxify:unbiased", "detoxify:unbiased#threat"],
            {"detoxify:unbiased": "own.ckpt", "detoxify:unbiased#threat": "own.ckpt"},
        ),
        ("unbiased=own.ckpt", ["detoxify", "detoxify:unbiased"], {"detoxify:unbiased": "own.ckpt"}),
        (UNBIASED.file, ["detoxify", "detoxify:unbiased"], {"detoxify:unbiased": UNBIASED.file}),
    ],
)
def test_a_file_finds_its_scorer(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    given: str,
    scorers: list[str],
    expected: dict[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(given.rpartition("=")[2]).touch()
    found = detoxify_options(scorers, [given])
    assert found == {name: {"checkpoint": Path(file)} for name, file in expected.items()}
    narrow = detoxify_options(scorers, [given], "bfloat16")
    read = {name for name in scorers if name.startswith("detoxify")}
    assert {name for name, one in narrow.items() if one["dtype"] == "bfloat16"} == read


@pytest.mark.parametrize(
    ("given", "scorers", "message"),
    [
        (["own.ckpt"], ["detoxify", "detoxify:unbiased"], "which variant is own.ckpt"),
        (["own.ckpt"], ["toxicity"], "which variant is own.ckpt"),
        (["unbiased=own.ckpt"], ["detoxify"], "Add --scorer detoxify:unbiased"),
        (["unbiased=own.ckpt"] * 2, ["detoxify:unbiased"], "two files for unbiased"),
        (["absent.ckpt"], ["detoxify"], "absent.ckpt is not a file"),
    ],
)
def test_a_file_that_no_scorer_reads_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    given: list[str],
    scorers: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.ckpt").touch()
    with pytest.raises(UsageError, match=message):
        detoxify_options(scorers, given)


def test_an_unknown_variant_or_class_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'unbiased'"):
        DetoxifyScorer("unbiassed")
    with pytest.raises(UnknownNameError, match="did you mean 'threat'"):
        DetoxifyScorer("original", label="threats")
    with pytest.raises(UnknownNameError):
        load_scorer("detoxify#sexual_explicit")
    with pytest.raises(ScorerError, match="is not a file"):
        load_scorer("detoxify", checkpoint=Path("absent.ckpt"))
