"""Detoxify through its own library: the same numbers, for all variants, texts and classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from detoxify_cases import LENGTH, TEXTS, study, write_again, write_small

from llmaudit.errors import ScorerError, UnknownNameError
from llmaudit.scorers import ScorerInput, load_scorer, score_safely
from llmaudit.scorers import detoxify_network as network
from llmaudit.scorers.detoxify_variants import VARIANTS, scorer_name


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a small checkpoint of every variant, its base's files beside it."""
    folder = tmp_path_factory.mktemp("detoxify")
    return {name: write_small(folder / name, name) for name in VARIANTS}


@pytest.fixture(autouse=True)
def _no_network_is_kept() -> Iterator[None]:
    network._loaded.clear()
    yield
    network._loaded.clear()


def library(checkpoint: Path, variant: str) -> Any:
    """Return the library's own classifier of a checkpoint."""
    base = checkpoint.parent / VARIANTS[variant].base.name
    named = write_again(checkpoint, checkpoint.with_name("library.ckpt"), model_type=str(base))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from detoxify import Detoxify

        return Detoxify(checkpoint=str(named))


def values(scorer: Any, *texts: str) -> list[Any]:
    return [output.value for output in scorer.score([ScorerInput(one, "", "en") for one in texts])]


@pytest.mark.parametrize(
    ("variant", "packs"), [("original", False), *((name, True) for name in VARIANTS)]
)
def test_the_same_numbers_as_the_library(
    checkpoints: dict[str, Path], variant: str, packs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not packs:
        monkeypatch.setattr(network, "can_pack", lambda: False)
    theirs = library(checkpoints[variant], variant)
    expected = theirs.predict(list(TEXTS))
    assert list(expected) == list(VARIANTS[variant].labels)
    for label in VARIANTS[variant].labels:
        name = scorer_name(variant, label)
        scorer = load_scorer(name, checkpoint=checkpoints[variant])
        assert (scorer.facts.name, scorer.facts.construct) == (name, label)
        found = values(scorer, *TEXTS)
        assert found == pytest.approx(expected[label], abs=1e-5)
    assert len({round(value, 2) for value in expected["toxicity"]}) > 3


def test_a_text_gets_the_same_score_alone_and_in_company(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints["original"]
    together = values(load_scorer("detoxify", checkpoint=path), *TEXTS)
    monkeypatch.setattr(network, "MOST_PADDING", 1.0)
    network._loaded.clear()
    padded = values(load_scorer("detoxify", checkpoint=path), *TEXTS)
    theirs = library(path, "original")
    for text, *others in zip(TEXTS, together, padded, strict=True):
        network._loaded.clear()
        [alone] = values(load_scorer("detoxify", checkpoint=path), text)
        assert others == pytest.approx([alone, alone], abs=1e-6)
        assert alone == pytest.approx(theirs.predict(text)["toxicity"], abs=1e-5)


def test_a_long_text_gets_its_highest_window(checkpoints: dict[str, Path]) -> None:
    scorer = load_scorer("detoxify", checkpoint=checkpoints["original"])
    inside, overlap = LENGTH - 2, LENGTH // 4
    letters = ["abcdefghijklmnopqrstuvwxyz"[(7 * n * n) % 26] for n in range(2 * inside - overlap)]
    windows = [letters[:inside], letters[inside - overlap :]]
    expected = max(values(scorer, *(" ".join(window) for window in windows)))
    assert values(scorer, " ".join(letters))[0] == pytest.approx(expected, abs=1e-5)
    endless = "a " * (network.MOST_WINDOWS * LENGTH)
    outputs = scorer.score([ScorerInput(endless, "", "en"), ScorerInput("you", "", "en")])
    assert (outputs[0].value, outputs[0].reason) == (None, "too_long")
    assert outputs[1].value == values(scorer, "you")[0]


def test_labels_share_a_network_and_its_results(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    forward = network.DetoxifyNetwork._forward

    def counted(self: Any, rows: Any) -> Any:
        calls.append(len(rows))
        return forward(self, rows)

    monkeypatch.setattr(network.DetoxifyNetwork, "_forward", counted)
    path = checkpoints["unbiased"]
    scorer = load_scorer("detoxify:unbiased", checkpoint=path)
    first = values(scorer, *TEXTS, TEXTS[0])
    assert (sum(calls), first[0]) == (len(TEXTS), first[-1])
    other = load_scorer("detoxify:unbiased#threat", checkpoint=path)
    assert values(other, *TEXTS) != first[:-1]
    assert sum(calls) == len(TEXTS)
    monkeypatch.setattr(network, "MOST_KEPT", 0)
    assert values(scorer, "yak")[0] == values(scorer, "yak")[0]
    assert sum(calls) == len(TEXTS) + 2


def test_a_network_that_gives_no_number_is_no_low_score(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = load_scorer("detoxify", checkpoint=checkpoints["original"])
    forward = network.DetoxifyNetwork._forward

    def broken(self: Any, rows: Any) -> torch.Tensor:
        logits: torch.Tensor = forward(self, rows)
        logits[-1] = float("nan")
        return logits

    monkeypatch.setattr(network.DetoxifyNetwork, "_forward", broken)
    long = "you " * (2 * LENGTH)
    outputs = score_safely(scorer, [ScorerInput(one, "", "en") for one in ("you", long)])
    assert [(one.value, one.reason) for one in outputs] == [(None, "invalid_score")] * 2


def test_the_digest_is_of_weights_base_and_class(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path = checkpoints["original-small"]
    name = "detoxify:original-small"
    facts = load_scorer(name, checkpoint=path).facts
    assert [one.name for one in facts.files][:2] == ["own.ckpt", "config.json"]
    assert all(len(one.sha256) == 64 and one.size > 0 for one in facts.files)
    assert facts.threshold == 0.5 and facts.needs == "files"
    changed = tmp_path / "base"
    changed.mkdir()
    for file in (path.parent / "albert-base-v2").iterdir():
        text = file.read_text("utf-8")
        (changed / file.name).write_text(text + "\n", encoding="utf-8")
    others = [
        load_scorer(f"{name}#threat", checkpoint=path).facts.digest,
        load_scorer(name, checkpoint=path, base=changed).facts.digest,
        load_scorer(
            name,
            checkpoint=write_again(path, tmp_path / "two.ckpt", model_type="x"),
            base=path.parent / "albert-base-v2",
        ).facts.digest,
    ]
    assert len({facts.digest, *others}) == 4 and all(others)


@pytest.mark.parametrize(
    ("asked", "given", "message"),
    [
        ("detoxify", "unbiased", "asks for model_name 'RobertaForSequenceClassification'"),
        ("detoxify:multilingual", "unbiased", "uses XLMRobertaForSequenceClassification"),
        ("detoxify:original-small", "unbiased-small", "classes of detoxify's unbiased variants"),
        ("detoxify:unbiased-small#sexual_explicit", "original-small", "has no class sexual_expl"),
    ],
)
def test_another_variants_checkpoint_is_refused(
    checkpoints: dict[str, Path], asked: str, given: str, message: str
) -> None:
    base = checkpoints[given].parent / VARIANTS[given].base.name
    with pytest.raises(ScorerError, match=message):
        load_scorer(asked, checkpoint=checkpoints[given], base=base)


def test_another_base_is_refused(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    path, base = checkpoints["original"], checkpoints["unbiased"].parent / "roberta-base"
    with pytest.raises(ScorerError, match=r"describes a model of type 'roberta'"):
        load_scorer("detoxify", checkpoint=path, base=base)
    odd = write_again(path, tmp_path / "odd.ckpt", model_type="roberta-base")
    with pytest.raises(ScorerError, match="was made from roberta-base; this variant"):
        load_scorer("detoxify", checkpoint=odd, base=path.parent / "bert-base-uncased")
    (tmp_path / "vocab.txt").write_text("a", encoding="utf-8")
    for text, message in (("[]", "of type None"), ("{", r"config\.json cannot be read")):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(ScorerError, match=message):
            load_scorer("detoxify", checkpoint=path, base=tmp_path)


def test_bfloat16_is_near_and_another_scorer(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints["original"]
    exact = load_scorer("detoxify", checkpoint=path)
    if network.can_narrow():
        near = load_scorer("detoxify", checkpoint=path, dtype="bfloat16")
        assert values(near, *TEXTS) == pytest.approx(values(exact, *TEXTS), abs=0.03)
        assert values(near, *TEXTS) != values(exact, *TEXTS)
        assert near.facts.digest != exact.facts.digest
        assert near.facts.description.endswith("Computed in bfloat16.")
    monkeypatch.setattr(network, "multiplies_narrow", lambda: False)
    with pytest.raises(ScorerError, match="does not multiply faster in bfloat16"):
        load_scorer("detoxify", checkpoint=path, dtype="bfloat16")
    with pytest.raises(UnknownNameError, match="unknown number format 'float64'"):
        load_scorer("detoxify", checkpoint=path, dtype="float64")


def test_the_study_takes_turns_and_divides_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = study("detoxify_speed")
    clock, order = [0.0], list[str]()

    def way(name: str, seconds: float, off: float) -> Any:
        def score(chosen: Any) -> list[float]:
            clock[0] += seconds
            order.append(name)
            return [0.5 + off for _ in chosen]

        return score

    monkeypatch.setattr(speed.time, "process_time", lambda: clock[0])
    speed.measure({"a": way("a", 6, 0), "b": way("b", 3, 0), "c": way("c", 2, 1e-3)}, ["x"] * 512)
    assert order == ["a", "b", "c", "b", "c", "a"]
    last = " ".join(capsys.readouterr().out.splitlines()[-1].split())
    assert last == "c 4.0 s 3.00 x lists 1.50 x one by one largest difference 1.0e-03"
