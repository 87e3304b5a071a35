"""Detoxify through its own library: the same numbers, and no code from a checkpoint."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from llmaudit.errors import ScorerError, UnknownNameError
from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers import detoxify_files as files
from llmaudit.scorers.detoxify import DetoxifyScorer

CLASSES = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTH = 32


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with configuration and word list of a tiny BERT."""
    folder = tmp_path_factory.mktemp("detoxify") / "bert-base-uncased"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=LENGTH,
        initializer_range=0.6,
    ).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(
        f'{{"tokenizer_class": "BertTokenizer", "model_max_length": {LENGTH}}}', encoding="utf-8"
    )
    return folder


def content(base: Path, **changes: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(base, num_labels=len(CLASSES))
    architecture = {
        "model_type": str(base),
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
        "num_classes": len(CLASSES),
        **changes,
    }
    return {
        "config": {
            "arch": {"type": "BERT", "args": architecture},
            "dataset": {"type": "JigsawDataOriginal", "args": {"classes": CLASSES}},
        },
        "state_dict": BertForSequenceClassification(config).state_dict(),
    }


@pytest.fixture(scope="module")
def checkpoint(base: Path) -> Path:
    path = base.parent / files.VARIANTS["original"].file
    torch.save(content(base), path)
    return path


def inputs(*texts: str) -> list[ScorerInput]:
    return [ScorerInput(text, "", "en") for text in texts]


def values(scorer: Any, *texts: str) -> list[float]:
    return [output.value for output in scorer.score(inputs(*texts))]


def test_the_same_numbers_as_the_library(base: Path, checkpoint: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from detoxify import Detoxify

        library = Detoxify(checkpoint=str(checkpoint))
    scorer = load_scorer("detoxify", checkpoint=checkpoint, base=base)
    texts = ["a b c", "z", "q w e r t y " * 3, "b a", "x x x x x x x x"]
    expected = [library.predict(text)["toxicity"] for text in texts]
    assert values(scorer, *texts) == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 3) for value in expected}) > 2
    alone = [values(scorer, text)[0] for text in texts]
    assert alone == pytest.approx(expected, abs=1e-5)


def test_a_long_text_gets_its_highest_window(base: Path, checkpoint: Path) -> None:
    scorer = DetoxifyScorer("original", checkpoint, base)
    letters = [LETTERS[(7 * n * n) % 26] for n in range(52)]
    inside, overlap = LENGTH - 2, LENGTH // 4
    windows = [letters[:inside], letters[inside - overlap :]]
    expected = max(values(scorer, *(" ".join(window) for window in windows)))
    assert values(scorer, " ".join(letters))[0] == pytest.approx(expected, abs=1e-5)


def test_facts_hold_the_files_hash(base: Path, checkpoint: Path) -> None:
    scorer = DetoxifyScorer("unbiased-small", checkpoint, base)
    assert scorer.facts.name == "detoxify:unbiased-small"
    assert len(scorer.facts.files[0].sha256) == 64
    assert scorer.facts.files[0].size == checkpoint.stat().st_size
    assert scorer.facts.digest and scorer.facts.threshold == 0.5


def test_the_offline_folder_is_enough(
    base: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(content(base, model_type="bert-base-uncased"), checkpoint)
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(base.parent))
    assert 0 < values(load_scorer("detoxify"), "a b c")[0] < 1


class Hostile:
    """Runs a command when unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch hostile-was-here",)


def test_a_checkpoint_with_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "config": Hostile()}, tmp_path / "bad.ckpt")
    with pytest.raises(ScorerError, match="is refused"):
        load_scorer("detoxify", checkpoint=tmp_path / "bad.ckpt")
    assert not (tmp_path / "hostile-was-here").exists()


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"state_dict": {}}, "no detoxify checkpoint"),
        ([1, 2], "no detoxify checkpoint"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, saved: Any, message: str) -> None:
    torch.save(saved, tmp_path / "other.ckpt")
    with pytest.raises(ScorerError, match=message):
        load_scorer("detoxify", checkpoint=tmp_path / "other.ckpt")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("hello", encoding="utf-8")
    with pytest.raises(ScorerError, match="cannot be read"):
        load_scorer("detoxify", checkpoint=tmp_path / "text.ckpt")
    with pytest.raises(ScorerError, match="is not a file"):
        load_scorer("detoxify", checkpoint=tmp_path / "absent.ckpt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_name": "AutoModel"}, "asks for model_name 'AutoModel'"),
        ({"tokenizer_name": "pipeline"}, "asks for tokenizer_name"),
        ({"model_type": "someone/else"}, "names the base 'someone/else'"),
    ],
)
def test_a_checkpoint_may_not_choose_other_classes(
    base: Path, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    torch.save(content(base, **change), tmp_path / "odd.ckpt")
    with pytest.raises(ScorerError, match=message):
        load_scorer("detoxify", checkpoint=tmp_path / "odd.ckpt")


def test_a_checkpoint_that_does_not_fit_is_refused(base: Path, tmp_path: Path) -> None:
    wrong = content(base)
    wrong["config"]["arch"]["args"]["extra"] = 1
    torch.save(wrong, tmp_path / "wrong.ckpt")
    with pytest.raises(ScorerError, match="does not fit"):
        load_scorer("detoxify", checkpoint=tmp_path / "wrong.ckpt", base=base)
    with pytest.raises(ScorerError, match=r"holds no config\.json"):
        load_scorer("detoxify", checkpoint=tmp_path / "wrong.ckpt", base=tmp_path)


def test_a_checkpoint_without_toxicity_is_refused(base: Path, tmp_path: Path) -> None:
    other = content(base)
    other["config"]["dataset"]["args"]["classes"] = ["joy"]
    torch.save(other, tmp_path / "joy.ckpt")
    with pytest.raises(ScorerError, match="no toxicity class"):
        load_scorer("detoxify", checkpoint=tmp_path / "joy.ckpt", base=base)


def test_no_network_says_which_file_to_put_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route")

    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    told: list[str] = []
    with pytest.raises(ScorerError) as caught:
        load_scorer("detoxify:unbiased", progress=told.append)
    for part in (
        "toxic_debiased-c7548aa0.ckpt",
        "roberta-base/",
        files.FOLDER_VARIABLE,
        "no route",
    ):
        assert part in str(caught.value)
    assert told and told[0].startswith("fetching toxic_debiased")


def test_a_cached_checkpoint_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(tmp_path / "empty"))
    variant = files.find_variant("multilingual")
    cached = tmp_path / "detoxify" / variant.file
    cached.parent.mkdir()
    cached.write_bytes(b"x")
    assert files.find_checkpoint(variant) == cached
    assert variant.hash_prefix == "0b549669"


def test_missing_base_files_say_where_to_put_them(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError("offline")

    torch.save(content(base, model_type="bert-base-uncased"), tmp_path / "original.ckpt")
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("detoxify.detoxify.get_model_and_tokenizer", refuse)
    with pytest.raises(ScorerError, match="bert-base-uncased/ beside"):
        load_scorer("detoxify", checkpoint=tmp_path / "original.ckpt")


def test_an_unknown_variant_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'unbiased'"):
        DetoxifyScorer("unbiassed")
