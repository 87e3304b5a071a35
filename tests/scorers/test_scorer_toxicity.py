"""The embedded toxicity scorer: windows, batches, calibration and refusal of wrong files."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from llmaudit.errors import ScorerError
from llmaudit.scorers import ScorerInput, ScorerOutput
from llmaudit.scorers.minilm import (
    adapter_names,
    load_encoder,
    merge_adapters,
    pool_states,
    spell_out,
)
from llmaudit.scorers.toxicity import (
    MOST_WINDOWS,
    STRIDE,
    WINDOW,
    ToxicityScorer,
    split_windows,
    toxicity_facts,
)


@pytest.fixture(scope="module")
def scorer(tiny_base: Path, tiny_weights: Path) -> ToxicityScorer:
    return ToxicityScorer(tiny_base, tiny_weights, check_base=False)


def inputs(*texts: str) -> list[ScorerInput]:
    return [ScorerInput(text, "", "en") for text in texts]


def value(output: ScorerOutput) -> float:
    assert output.value is not None
    return output.value


def test_the_score_is_the_heads_calibrated_output(
    scorer: ToxicityScorer, tiny_base: Path, tiny_weights: Path
) -> None:
    """The same network written out once more, adapters as products instead of merged weights."""
    encoder = BertModel(BertConfig.from_pretrained(tiny_base), add_pooling_layer=False)
    encoder.load_state_dict(load_file(str(tiny_base / "model.safetensors")))
    tensors = load_file(str(tiny_weights))
    for name in adapter_names(2):
        layer = encoder.get_submodule(name)
        a, b = tensors[f"{name}.a"], tensors[f"{name}.b"]
        assert isinstance(layer, torch.nn.Linear)
        layer.register_forward_hook(lambda _, x, y, a=a, b=b: y + 0.5 * x[0] @ a.T @ b.T)
    ids = Tokenizer.from_file(str(tiny_base / "tokenizer.json")).encode("you are a b").ids
    with torch.inference_mode():
        encoder.train(False)
        states = encoder(input_ids=torch.tensor([[2, *ids, 3]])).last_hidden_state[0]
        pooled = torch.cat((states.mean(0), states.amax(0)))
        hidden = torch.nn.functional.gelu(tensors["head.0.weight"] @ pooled)
        logit = float(tensors["head.1.weight"][0] @ hidden)
    expected = 1 / (1 + math.exp(-(0.7 * logit - 0.2)))
    assert value(scorer.score(inputs("you are a b"))[0]) == pytest.approx(expected, abs=1e-5)


def test_alone_or_in_a_batch_the_score_is_the_same(scorer: ToxicityScorer) -> None:
    texts = ["you are a", "b", "c d e f g " * 9, "you " * 60, "a b", "x y z " * 70]
    together = [value(output) for output in scorer.score(inputs(*texts))]
    alone = [value(scorer.score(inputs(text))[0]) for text in texts]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(v, 3) for v in together}) > 1


def test_threads_do_not_disturb_each_other(scorer: ToxicityScorer) -> None:
    texts = [f"you are {letter}" for letter in "abcdefgh"]
    expected = [value(output) for output in scorer.score(inputs(*texts))]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: value(scorer.score(inputs(text))[0]), texts))
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_long_text_gets_its_highest_window(scorer: ToxicityScorer) -> None:
    words = [chr(97 + (n * n) % 26) for n in range(WINDOW + STRIDE)]
    windows = [" ".join(words[:WINDOW]), " ".join(words[STRIDE:])]
    parts = [value(output) for output in scorer.score(inputs(*windows))]
    assert value(scorer.score(inputs(" ".join(words)))[0]) == pytest.approx(max(parts), abs=1e-5)


def test_what_cannot_be_scored_has_a_reason(scorer: ToxicityScorer) -> None:
    endless = "a " * (STRIDE * MOST_WINDOWS + WINDOW)
    assert [o.reason for o in scorer.score(inputs("  ", endless, "a"))] == [
        "empty",
        "too_long",
        None,
    ]
    assert scorer.score([]) == []


@pytest.mark.parametrize("count", [1, WINDOW - 1, WINDOW, WINDOW + 1, 500])
def test_windows_cover_every_piece(count: int) -> None:
    windows = split_windows(range(count))
    assert sorted({i for part in windows for i in part}) == list(range(count))
    assert all(len(part) <= WINDOW for part in windows)
    assert len(windows) == max(1, math.ceil((count - (WINDOW - STRIDE)) / STRIDE))


def test_pooling_ignores_padding() -> None:
    states = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [99.0, 99.0]]])
    pooled = pool_states(states, torch.tensor([[1, 1, 0]]))
    assert pooled.tolist() == [[2.0, -6.0, 3.0, -5.0]]


def test_merging_adds_the_scaled_product(tiny_base: Path) -> None:
    encoder = load_encoder(tiny_base)
    name = adapter_names(2)[0]
    before = encoder.get_submodule(name).weight.detach().clone()
    a, b = torch.zeros(1, 16), torch.zeros(16, 1)
    a[0, 2], b[5, 0] = 3.0, 2.0
    merge_adapters(encoder, {f"{name}.a": a, f"{name}.b": b}, 0.5)
    difference = encoder.get_submodule(name).weight - before
    assert difference[5, 2].item() == pytest.approx(3.0, abs=1e-6)
    assert difference.abs().sum().item() == pytest.approx(3.0, abs=1e-5)


def test_emoji_are_spelled_out_and_letters_folded() -> None:
    assert spell_out("a \N{PILE OF POO}") == "a  pile of poo "
    assert spell_out("\N{FULLWIDTH LATIN SMALL LETTER A}é") == "aé"
    assert spell_out("\N{FACE WITH TEARS OF JOY}").strip() == "tears of joy"


def test_facts_name_the_weights(scorer: ToxicityScorer, tiny_weights: Path) -> None:
    facts = scorer.facts
    assert facts.threshold == 0.5 and facts.range == (0.0, 1.0) and facts.languages == ("en",)
    assert facts.files[0].size == tiny_weights.stat().st_size
    assert facts.digest != toxicity_facts().digest
    assert facts.card == {}


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x80\x04cos\nsystem\n"])
def test_damaged_weights_are_refused(tiny_base: Path, tmp_path: Path, content: bytes) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(content)
    with pytest.raises(ScorerError, match="not a file of toxicity weights"):
        ToxicityScorer(tiny_base, weights, check_base=False)


def test_missing_metadata_and_missing_file_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_file({"head.0.bias": torch.zeros(1)}, str(weights))
    for path in (weights, tmp_path / "absent.safetensors"):
        with pytest.raises(ScorerError, match="not a file of toxicity weights"):
            ToxicityScorer(tiny_base, path, check_base=False)


def test_weights_for_another_width_are_refused(
    tiny_base: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    tensors = load_file(str(tiny_weights))
    tensors[f"{adapter_names(2)[0]}.a"] = torch.zeros(3, 99)
    metadata = {"scale": "1", "slope": "1", "offset": "0", "labels": "toxicity"}
    save_file(tensors, str(tmp_path / "w.safetensors"), metadata=metadata)
    with pytest.raises(ScorerError, match="does not fit the base model"):
        ToxicityScorer(tiny_base, tmp_path / "w.safetensors", check_base=False)


def test_another_base_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match="SHA-256"):
        ToxicityScorer(tiny_base)
    with pytest.raises(ScorerError, match=r"lacks config\.json"):
        ToxicityScorer(tmp_path)


def test_a_base_without_all_tensors_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = copytree(tiny_base, tmp_path / "base")
    tensors = load_file(str(folder / "model.safetensors"))
    tensors.pop("embeddings.word_embeddings.weight")
    save_file(tensors, str(folder / "model.safetensors"))
    with pytest.raises(ScorerError, match="lacks 1 tensors"):
        load_encoder(folder)
