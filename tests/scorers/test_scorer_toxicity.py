"""The embedded toxicity scorer: windows, batches, calibration and refusal of wrong files."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from llmaudit.errors import ScorerError
from llmaudit.scorers import ScorerInput, ScorerOutput
from llmaudit.scorers.adapters import expand, merge, read_base
from llmaudit.scorers.toxicity import (
    MOST_WINDOWS,
    STRIDE,
    WINDOW,
    ToxicityScorer,
    split_windows,
    toxicity_facts,
)
from llmaudit.scorers.toxicity_text import plain_text


@pytest.fixture(scope="module")
def scorer(tiny_base: Path, tiny_weights: Path) -> ToxicityScorer:
    return ToxicityScorer(tiny_base, tiny_weights, check_base=False)


def inputs(*texts: str) -> list[ScorerInput]:
    return [ScorerInput(text, "", "en") for text in texts]


def value(output: ScorerOutput) -> float:
    assert output.value is not None
    return output.value


@pytest.mark.parametrize(
    ("label", "place", "slope", "offset"), [("toxicity", 0, 0.7, -0.2), ("insult", 2, 1.5, 0.1)]
)
def test_the_score_is_the_heads_calibrated_output(
    tiny_base: Path, tiny_weights: Path, label: str, place: int, slope: float, offset: float
) -> None:
    """The same network by transformers, from the merged weights."""
    own = expand(load_file(str(tiny_weights)))
    tensors, shape = read_base(tiny_base)
    merge(tensors, own, shape.layers, 0.5)
    bert = BertModel(BertConfig.from_pretrained(tiny_base), add_pooling_layer=False)
    bert.load_state_dict(tensors)
    bert.train(False)
    ids = Tokenizer.from_file(str(tiny_base / "tokenizer.json")).encode("you are a b").ids
    with torch.inference_mode():
        states = bert(input_ids=torch.tensor([[2, *ids, 3]])).last_hidden_state[0]
        pooled = torch.cat((states[0], states.mean(0), states.amax(0)))
        hidden = own["head.0.weight"] @ pooled + own["head.0.bias"]
        logits = own["head.1.weight"] @ torch.nn.functional.gelu(hidden) + own["head.1.bias"]
    expected = 1 / (1 + math.exp(-(slope * float(logits[place]) + offset)))
    scorer = ToxicityScorer(tiny_base, tiny_weights, label=label, check_base=False)
    assert value(scorer.score(inputs("you are a b"))[0]) == pytest.approx(expected, abs=0.05)
    assert scorer.facts.construct == label


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
    words = [chr(97 + (n * n) % 26) if n % 2 else "are" for n in range(WINDOW + STRIDE)]
    windows = [" ".join(words[:WINDOW]), " ".join(words[STRIDE:])]
    parts = [value(output) for output in scorer.score(inputs(*windows))]
    assert value(scorer.score(inputs(" ".join(words)))[0]) == pytest.approx(max(parts), abs=1e-5)


def test_what_cannot_be_scored_has_a_reason(scorer: ToxicityScorer) -> None:
    endless = "you " * (STRIDE * MOST_WINDOWS + WINDOW)
    assert [o.reason for o in scorer.score(inputs("  ", endless, "a"))] == [
        "empty",
        "too_long",
        None,
    ]
    assert scorer.score([]) == []


def test_longer_texts_are_also_split_into_sentences() -> None:
    ids = [*range(10), 99, *range(20), 99, 1, 99, *range(30)]
    parts = split_windows(ids, ends=(99,))
    assert parts[:2] == [ids[:WINDOW], ids[STRIDE : STRIDE + WINDOW]]
    assert parts[2:] == [ids[:11], ids[11:32], ids[34:]]
    assert split_windows(ids[:WINDOW], ends=(99,)) == [ids[:WINDOW]]


@pytest.mark.parametrize("count", [1, WINDOW - 1, WINDOW, WINDOW + 1, 500])
def test_windows_cover_every_piece(count: int) -> None:
    windows = split_windows(range(count))
    assert sorted({i for part in windows for i in part}) == list(range(count))
    assert all(len(part) <= WINDOW for part in windows)
    assert len(windows) == max(1, math.ceil((count - (WINDOW - STRIDE)) / STRIDE))


def test_emoji_are_spelled_out_and_letters_folded() -> None:
    assert plain_text("a \N{PILE OF POO}") == "a  pile of poo "
    assert plain_text("\N{FULLWIDTH LATIN SMALL LETTER A}é") == "aé"
    assert plain_text("\N{FACE WITH TEARS OF JOY}").strip() == "tears of joy"
    assert plain_text("\N{EMOJI MODIFIER FITZPATRICK TYPE-5}") == "dark skin "
    assert plain_text("\N{REGIONAL INDICATOR SYMBOL LETTER M}") == "m"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sh1t h@ppens", "shit happens"),
        ("i.d.i.o.t and f u n n y", "idiot and funny"),
        ("sooo bad", "so bad"),
        ("a book, 100 3d films at 5$", "a book, 100 3d films at 5$"),
        ("I am a U.S. citizen", "I am a U.S. citizen"),
    ],
)
def test_disguises_are_taken_off(written: str, read: str) -> None:
    assert plain_text(written) == read


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


def test_a_label_without_calibration_is_refused(tiny_base: Path, tiny_weights: Path) -> None:
    with pytest.raises(ScorerError, match=r"not a file of toxicity weights.*severe"):
        ToxicityScorer(tiny_base, tiny_weights, label="severe", check_base=False)


def test_another_base_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match="SHA-256"):
        ToxicityScorer(tiny_base)
    with pytest.raises(ScorerError, match=r"lacks config\.json"):
        ToxicityScorer(tmp_path)
