"""What lies in a checkpoint is hostile until shown otherwise: nothing of it is run or believed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from detoxify_cases import write_again, write_small

from llmaudit.errors import ScorerError
from llmaudit.scorers import detoxify_checkpoint as reading
from llmaudit.scorers import load_scorer
from llmaudit.scorers.detoxify_checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sound checkpoint."""
    return write_small(tmp_path_factory.mktemp("sound"), "original")


def refused(path: Path, base: Path | None = None) -> str:
    """Return why a checkpoint is refused."""
    with pytest.raises(ScorerError) as caught:
        load_scorer("detoxify", checkpoint=path, base=base)
    return str(caught.value)


class Hostile:
    """Runs a command when unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch hostile-was-here",)


def test_a_sound_one_is_read(checkpoint: Path) -> None:
    found = read_checkpoint(checkpoint)
    assert found.classes[:2] == ("toxicity", "severe_toxicity")
    assert found.architecture["num_classes"] == 6
    assert "bert.embeddings.position_ids" in found.state


@pytest.mark.parametrize("where", ["config", "state_dict", "optimizer"])
def test_code_is_refused_and_not_run(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, where: Hostile()}, "bad.ckpt")
    base = checkpoint.parent / "bert-base-uncased"
    message = refused(tmp_path / "bad.ckpt", base)
    assert "is refused: it holds more than tensors" in message and "system" in message
    assert not (tmp_path / "hostile-was-here").exists()
    torch.load("bad.ckpt", weights_only=False)
    assert (tmp_path / "hostile-was-here").exists(), "the payload would have run"


def test_a_file_that_is_cut_short_or_no_archive_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    whole = checkpoint.read_bytes()
    for share in (0.3, 0.95, 0.999):
        (tmp_path / "cut.ckpt").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ScorerError, match="no zip archive, or it is cut short"):
            read_checkpoint(tmp_path / "cut.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(b"hello")
    with pytest.raises(ScorerError, match="cannot be read"):
        read_checkpoint(tmp_path / "cut.ckpt")
    with zipfile.ZipFile(tmp_path / "other.ckpt", "w") as archive:
        archive.writestr("readme.txt", "no checkpoint")
    with pytest.raises(ScorerError, match="damaged or cut short"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(checkpoint) as sound, zipfile.ZipFile(bomb, "w") as archive:
        for one in sound.infolist():
            archive.writestr(one.filename, sound.read(one))
        archive.writestr("archive/data/999", bytes(2**24), zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**20
    with pytest.raises(ScorerError, match="compressed parts"):
        read_checkpoint(bomb)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MOST_BYTES", 1000, "the most that is read is 1,000"),
        ("MOST_MEMBERS", 10, "parts; the most that is read is 10"),
        ("MOST_PLAIN_BYTES", 100, "more than 100 bytes besides its tensors"),
    ],
)
def test_an_oversized_archive_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(reading, limit, value)
    with pytest.raises(ScorerError, match=message):
        read_checkpoint(checkpoint)


def test_parts_that_claim_to_be_larger_than_the_file_are_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infolist = zipfile.ZipFile.infolist

    def claims(self: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        found = infolist(self)
        found[-1].file_size = 2**40
        return found

    monkeypatch.setattr(zipfile.ZipFile, "infolist", claims)
    with pytest.raises(ScorerError, match="parts are larger than it is itself"):
        read_checkpoint(checkpoint)


_HUGE = torch.zeros(1).expand(2**40)
_ALIASED = torch.zeros(50_000)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"w": _HUGE}, "'w' is larger than what is saved of it"),
        ({f"w{i}": _ALIASED for i in range(9)}, "tensors are larger than it is itself"),
        ({"w": torch.tensor([1.0, float("nan")])}, "'w' is not finite everywhere"),
        ({"w": torch.zeros(2, dtype=torch.bool)}, "'w' is of the kind torch.bool"),
        ({"w": torch.zeros(2).to_sparse()}, "'w' is no plain tensor"),
        ({"w": "text"}, "'w' is no tensor"),
        ({7: torch.zeros(2)}, "of type int is no tensor"),
        ([1, 2], "no detoxify checkpoint"),
    ],
)
def test_what_is_no_plain_tensor_is_refused(
    checkpoint: Path, tmp_path: Path, state: Any, message: str
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "state_dict": state}, tmp_path / "odd.ckpt")
    with pytest.raises(ScorerError, match=message):
        read_checkpoint(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("saved", [{"state_dict": {}}, [1, 2], {"config": {"arch": 3}}])
def test_another_kind_of_file_is_refused(tmp_path: Path, saved: Any) -> None:
    torch.save(saved, tmp_path / "other.ckpt")
    with pytest.raises(ScorerError, match="no detoxify checkpoint"):
        read_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"huggingface_config_path": "someone/else"}, "has the key 'huggingface_config_path'"),
        ({"tokenizer_name": None}, "has no tokenizer_name"),
        ({"num_classes": 10**9}, "num_classes is not 1 to 64"),
        ({"num_classes": True}, "num_classes is not 1 to 64"),
        ({"num_classes": 3}, "1 to num_classes names"),
        ({"model_name": ["BertModel"]}, "names are no texts"),
        ({"model_name": "AutoModel"}, "asks for model_name 'AutoModel'"),
        ({"tokenizer_name": "pipeline"}, "asks for tokenizer_name 'pipeline'"),
        ({"num_classes": 7}, r"classifier.weight has the shape \(6, 32\), not \(7, 32\)"),
    ],
)
def test_the_architecture_is_what_detoxify_builds_and_nothing_else(
    checkpoint: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    odd = write_again(checkpoint, tmp_path / "odd.ckpt", **changes)
    with pytest.raises(ScorerError, match=message):
        load_scorer("detoxify", checkpoint=odd, base=checkpoint.parent / "bert-base-uncased")


def test_a_nested_name_is_not_printed(checkpoint: Path, tmp_path: Path) -> None:
    nested: Any = ()
    for _ in range(12):
        nested = (nested, nested)
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["arch"]["args"][nested] = 1
    torch.save(content, tmp_path / "nested.ckpt")
    with pytest.raises(ScorerError, match="has the key of type tuple"):
        read_checkpoint(tmp_path / "nested.ckpt")


def test_tensors_that_do_not_fit_the_network_are_named(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    state = content["state_dict"]
    state["classifier.weight"] = torch.zeros(6, 31)
    del state["bert.pooler.dense.bias"]
    state["backdoor"] = torch.zeros(2)
    torch.save(content, tmp_path / "odd.ckpt")
    message = refused(tmp_path / "odd.ckpt", checkpoint.parent / "bert-base-uncased")
    for part in (
        "bert.pooler.dense.bias is missing",
        "'backdoor' is unknown",
        "classifier.weight has the shape (6, 31), not (6, 32)",
    ):
        assert part in message


def test_classes_without_toxicity_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["dataset"]["args"]["classes"] = ["joy"]
    torch.save(content, tmp_path / "joy.ckpt")
    message = refused(tmp_path / "joy.ckpt", checkpoint.parent / "bert-base-uncased")
    assert "has no toxicity class, only joy" in message
