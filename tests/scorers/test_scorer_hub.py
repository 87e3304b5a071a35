"""Classifiers of the hub: the same numbers as transformers gives, and refusals that say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from llmaudit.errors import InvalidFileError, ScorerError, UnknownNameError, UsageError
from llmaudit.scorer_models import ScorerLoader, ScorerOptions
from llmaudit.scorers import Scorer, ScorerInput
from llmaudit.scorers.hub_network import MOST_WINDOWS
from tiny_classifiers import (
    POSITIONS,
    change_config,
    train_words,
    write_classifier,
    write_decoder_classifier,
)

TOXIC = {0: "neutral", 1: "toxic", 2: "odd"}
TEXTS = ("you are kind", "rude", "the sun is out today my friend", "you are rude rude rude")
CARD = """
format: 1
kind: classifier
model: {model}
construct: toxicity
description: A tiny random network.
licence: CC0-1.0
languages: [en]
higher_is: worse
threshold: 0.4
positive: [abuse, odd]
labels: {{toxic: abuse}}
max_tokens: 12
evaluation:
  ours: {{n: 10, source: here, positives: 4, sensitivity: 0.5, specificity: 0.5}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a classifier of three labels that exclude each other."""
    return write_classifier(tmp_path_factory.mktemp("hub") / "tox", TOXIC)


def load(name: str, **options: Any) -> Scorer:
    return ScorerLoader(ScorerOptions(**options)).load(name)


def values(scorer: Scorer, *texts: str) -> list[float | None]:
    return [one.value for one in scorer.score([ScorerInput(text, "", "en") for text in texts])]


def reference(folder: Path, text: str, *, tokens: bool = False) -> torch.Tensor:
    """Return transformers' own logits for one text alone."""
    import transformers

    kind = "AutoModelForTokenClassification" if tokens else "AutoModelForSequenceClassification"
    network = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.inference_mode():
        logits: torch.Tensor = network(**train_words()(text, return_tensors="pt")).logits[0]
    return logits


def test_a_label_is_scored_as_transformers_does_alone_and_in_company(folder: Path) -> None:
    scorer = load(f"hf:{folder}#toxic")
    expected = [float(reference(folder, text).softmax(-1)[1]) for text in TEXTS]
    assert values(scorer, *TEXTS) == pytest.approx(expected, abs=1e-6)
    assert [values(scorer, text)[0] for text in TEXTS] == pytest.approx(expected, abs=1e-6)
    labels = [one.label for one in scorer.score([ScorerInput(text, "", "en") for text in TEXTS])]
    assert labels == [TOXIC[int(reference(folder, text).argmax())] for text in TEXTS]
    facts = scorer.facts
    assert (facts.name, facts.construct, facts.higher_is) == (
        "hf:./tox#toxic",
        "unknown",
        "neutral",
    )
    assert facts.languages == ("any",) and facts.threshold == 0.5
    assert [one.name for one in facts.files] == ["model.safetensors"]
    assert facts.card["checkpoint"]["labels"] == ["neutral", "toxic", "odd"]
    assert "nobody has measured" in facts.card["not_measured"]
    assert str(folder) not in json.dumps(facts.card) + facts.description
    assert facts.digest != load(f"hf:{folder}#odd").facts.digest


def test_long_texts_are_scored_by_windows_and_marks_are_read_as_text(folder: Path) -> None:
    scorer = load(f"hf:{folder}#toxic")
    words = ["the", "sun", "is", "out", "today", "my", "friend", ".", "you", "are", "kind"] * 6
    room = POSITIONS - 2
    step = room - room // 4
    parts = [" ".join(words[at : at + room]) for at in range(0, len(words) - room // 4, step)]
    highest = max(float(reference(folder, part).softmax(-1)[1]) for part in parts)
    assert values(scorer, " ".join(words)) == pytest.approx([highest], abs=1e-6)
    inputs = [ScorerInput(text, "", "en") for text in ("", "sun " * room * (MOST_WINDOWS + 1))]
    assert [one.reason for one in scorer.score(inputs)] == ["empty", "too_long"]
    unknown = float(reference(folder, "qq qq qq you").softmax(-1)[1])
    assert values(scorer, "[SEP] you") == pytest.approx([unknown], abs=1e-6)


def test_labels_that_do_not_exclude_each_other_stand_for_themselves(tmp_path: Path) -> None:
    many = {0: "toxic", 1: "threat"}
    folder = write_classifier(tmp_path / "m", many, problem_type="multi_label_classification")
    scorer = load(f"hf:{folder}#threat")
    found = scorer.score([ScorerInput(text, "", "en") for text in TEXTS])
    expected = [float(reference(folder, text).sigmoid()[1]) for text in TEXTS]
    assert [one.value for one in found] == pytest.approx(expected, abs=1e-6)
    assert [one.label for one in found] == ["threat" if v >= 0.5 else "none" for v in expected]
    (folder / "llmaudit-scorer.yaml").write_text(
        CARD.format(model="x").replace("labels: {toxic: abuse}", "activation: softmax")
        .replace("[abuse, odd]", "[toxic, threat]"), "utf-8",
    )  # fmt: skip
    assert values(load(f"hf:{folder}"), *TEXTS) == pytest.approx([1.0] * 4, abs=1e-6)


def test_tokens_are_scored_by_the_highest_one_of_the_text(tmp_path: Path) -> None:
    spans = {0: "O", 1: "B-RUDE", 2: "I-RUDE", 3: "B-NAME"}
    folder = write_classifier(tmp_path / "t", spans, tokens=True)
    scorer = load(f"hf:{folder}#RUDE")
    expected = [
        float(reference(folder, text, tokens=True)[1:-1].softmax(-1)[:, 1:3].sum(-1).max())
        for text in TEXTS
    ]
    assert values(scorer, *TEXTS) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(UnknownNameError, match="did you mean 'RUDE'"):
        load(f"hf:{folder}#RUDES")


def test_a_network_that_knows_no_padding_reads_one_text_at_a_time(tmp_path: Path) -> None:
    folder = write_decoder_classifier(tmp_path / "g", {0: "no", 1: "yes"})
    expected = [float(reference(folder, text).softmax(-1)[1]) for text in TEXTS]
    assert values(load(f"hf:{folder}#yes"), *TEXTS) == pytest.approx(expected, abs=1e-6)


def test_a_card_says_what_is_measured(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(CARD.format(model=folder), "utf-8")
    scorer = load(f"hf:{folder}", cards=(path,))
    expected = [float(reference(folder, text).softmax(-1)[1:].sum()) for text in TEXTS[:2]]
    assert values(scorer, *TEXTS[:2]) == pytest.approx(expected, abs=1e-6)
    facts = scorer.facts
    assert (facts.construct, facts.licence, facts.threshold) == ("toxicity", "CC0-1.0", 0.4)
    assert facts.card["evaluation"]["ours"]["n"] == 10 and "not_measured" not in facts.card
    assert facts.card["checkpoint"]["window_tokens"] == 12
    assert facts.card["checkpoint"]["labels"] == ["neutral", "abuse", "odd"]
    other = load(f"hf:{folder}#neutral", cards=(path,)).facts
    assert (other.construct, other.higher_is) == ("unknown", "neutral")
    with pytest.raises(UnknownNameError, match="abuse, neutral, odd"):
        load(f"hf:{folder}#toxic", cards=(path,))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("construct: toxicity", "constructs: toxicity", "card.yaml:5.*did you mean 'construct'"),
        ("kind: classifier", "kind: guard", "a guard needs 'guard'"),
        ("positive: [abuse, odd]", "positive: []", "name the labels that count in 'positive'"),
        ("threshold: 0.4", "threshold: 4", "card.yaml:10: threshold"),
        ("max_tokens: 12", "read: text", "belong to cards of kind guard"),
        ("model: m\n", "", "does not say what it is about"),
    ],
)
def test_a_faulty_card_names_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "card.yaml"
    text = CARD.format(model="m")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(InvalidFileError, match=said):
        ScorerLoader(ScorerOptions(cards=(path,)))


def test_cards_are_about_a_scorer_of_the_run(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(CARD.format(model="org/name"), "utf-8")
    with pytest.raises(UsageError, match="Add --scorer hf:org/name"):
        ScorerLoader(ScorerOptions(cards=(path,))).check_names([f"hf:{folder}#toxic"])
    with pytest.raises(InvalidFileError, match="org/name has two cards"):
        ScorerLoader(ScorerOptions(cards=(path, path)))


def test_what_is_no_safe_classifier_is_refused(folder: Path, tmp_path: Path) -> None:
    def copy(name: str, **changes: Any) -> Path:
        import shutil

        return change_config(Path(shutil.copytree(folder, tmp_path / name)), **changes)

    refused: list[tuple[str, dict[str, Any], str]] = [
        ("code", {"model_type": "own", "auto_map": {"AutoConfig": "c.C"}}, "needs code of its own"),
        ("kind", {"architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM, not a classifier"),
        ("none", {"architectures": None}, "unknown architecture"),
        ("labels", {"id2label": None}, "config.json has no labels"),
        ("gaps", {"id2label": {"0": "a", "2": "b"}}, "does not count from 0"),
        ("twice", {"id2label": {"0": "a", "1": "toxic", "2": "a"}}, "two outputs have the same"),
        ("number", {"problem_type": "regression"}, "trained to give a number"),
        ("sizes", {"id2label": {"0": "a", "1": "toxic"}}, "could not be loaded|lacks"),
        ("layers", {"num_hidden_layers": 3}, "lacks 16 of the weights"),
    ]
    for name, changes, said in refused:
        with pytest.raises(ScorerError, match=said):
            load(f"hf:{copy(name, **changes)}#toxic")
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ScorerError, match=r"pickle.*convert them to safetensors first\.$"):
        load(f"hf:{pickled}#toxic")
    broken = copy("broken")
    (broken / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(ScorerError, match="the tokenizer of broken cannot be loaded"):
        load(f"hf:{broken}#toxic")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(ScorerError, match="holds no vocabulary"):
        load(f"hf:{broken}#toxic")
    unreadable = copy("unreadable")
    (unreadable / "config.json").write_text("[1]", "utf-8")
    with pytest.raises(ScorerError, match="does not hold a JSON object"):
        load(f"hf:{unreadable}#toxic")


def test_labels_that_a_card_gives(folder: Path, tmp_path: Path) -> None:
    import shutil

    bare = change_config(Path(shutil.copytree(folder, tmp_path / "bare")), id2label=None)
    card = CARD.format(model="x").replace(
        "{toxic: abuse}", "{LABEL_0: neutral, LABEL_1: abuse, LABEL_2: odd}"
    )
    (bare / "llmaudit-scorer.yaml").write_text(card, "utf-8")
    named = load(f"hf:{bare}")
    assert named.facts.card["checkpoint"]["card"] == "beside the weights"
    expected = [float(reference(folder, text).softmax(-1)[1:].sum()) for text in TEXTS[:2]]
    assert values(named, *TEXTS[:2]) == pytest.approx(expected, abs=1e-6)
    (bare / "llmaudit-scorer.yaml").write_text(card.replace("classifier", "tokens"), "utf-8")
    with pytest.raises(ScorerError, match="correct 'kind'"):
        load(f"hf:{bare}")


def test_a_label_must_be_named_where_nobody_wrote_a_card(folder: Path) -> None:
    with pytest.raises(ScorerError, match="Its labels: neutral, toxic, odd"):
        ScorerLoader().check([f"hf:{folder}"])
    with pytest.raises(UnknownNameError, match="did you mean 'toxic'"):
        ScorerLoader().check([f"hf:{folder}#toxi"])
    ScorerLoader().check([f"hf:{folder}#toxic"])


def test_what_is_nowhere_says_what_to_do(empty_hub: Path) -> None:
    with pytest.raises(ScorerError, match=r"hf download some/thing.*hf:\./folder"):
        ScorerLoader().check(["hf:some/thing#x"])
    with pytest.raises(ScorerError, match=r"there is no folder \./nowhere"):
        ScorerLoader().check(["hf:./nowhere#x"])


def test_a_snapshot_of_the_hub_has_its_revision(folder: Path, empty_hub: Path) -> None:
    import shutil

    commit = "a" * 40
    snapshot = empty_hub / "models--some--thing" / "snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    shutil.copytree(folder, snapshot)
    reference_file = empty_hub / "models--some--thing" / "refs" / "main"
    reference_file.parent.mkdir()
    reference_file.write_text(commit, "utf-8")
    facts = load("hf:some/thing#toxic").facts
    assert facts.name == "hf:some/thing#toxic" and facts.version == f"1 (revision {commit})"
    assert facts.card["checkpoint"]["origin"] == "some/thing"
