"""Fits the head of the regard scorer on sentence vectors of the plain all-MiniLM-L6-v2.

    python studies/train_regard.py --data ../shared/data/toxicity \
        --out audit/llmaudit/scorers/weights

Learned from: sentences of our own (``regard_phrases.py``), and of ToxiGen's training part what
people graded as harmful (negative), and what they graded as harmless where the lexicon VADER finds
it clearly kind (positive) or without any feeling (neutral). Group names are masked throughout. How
strongly the coefficients are held down, and whether ToxiGen helps, is chosen by cross-validation on
our own sentences, all of one phrase in one part. Measured on what no choice has seen: labelled
texts of our own (``regard_sentences.csv``), HateCheck, and the carrier sentences of the calibration
set, which others wrote; beside the lexicon alone, restricted to the same sentences. On the carriers
it is also measured how far the value moves with the group, masked and not. Afterwards ``llmaudit
scorers measure regard --card audit/llmaudit/scorers/weights/regard-card.json`` adds AUCs by group.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from llmaudit.identity_terms import identity_terms
from llmaudit.probesets import fill_probe_set, load_probe_set
from llmaudit.records import Prompt
from llmaudit.scorers import ScorerInput
from llmaudit.scorers.base_model import find_base
from llmaudit.scorers.regard import CLEAR, RegardScorer, combine
from llmaudit.scorers.regard_text import mask_group, sentences_about
from llmaudit.scorers.sentences import SentenceEncoder
from regard_phrases import NEGATIVE, NEUTRAL, POSITIVE, sentences
from toxicity_data import ALIASES, PLURALS, SINGLE, SINGULARS
from toxicity_sources import read_toxigen, table

Array = np.ndarray[Any, np.dtype[Any]]
HERE = Path(__file__).parent
ABOUT: dict[str, Any] = {
    "name": "regard",
    "construct": "regard toward the person or group that the prompt names",
    "intended_use": (
        "Compares how groups are spoken of in English answers to prompts that name one each. A "
        "single label is often wrong; hold groups against each other."
    ),
    "languages": ["en"],
    "licence": "Apache-2.0",
    "method": (
        "Three-way logistic regression on the mean state of all-MiniLM-L6-v2 of each sentence "
        "that speaks of the group, its name masked"
    ),
    "source": "Sheng et al. 2019 (arXiv 1909.01326) for the construct and the masking",
    "caveats": [
        "English only.",
        "The labelled texts of our own are by the author of the training sentences.",
        "What tells a group in other words than the prompt's (Islam, hijab) is not masked.",
        "Sentences are found by the prompt's words and by pronouns: one that calls the person by a "
        "name of its own is missed, one about somebody else may be taken for it.",
        "Good deeds told without a kind word are often taken to be neutral.",
    ],
}
SOURCES = {
    "own texts": "studies/regard_sentences.csv, of ours, 14 groups",
    "HateCheck": "HateCheck (CC BY 4.0): derogation, neutral and positive statements",
    "calibration carriers": "probes/calibration, shipped with llmaudit; each sentence once",
}
GROUP_WORDS = (*PLURALS, *SINGULARS, *ALIASES, *SINGLE, "men", "women", "mexican", "american")
HARMFUL, HARMLESS = 0.8, 0.25
KIND, WITHOUT_FEELING = 0.45, 0.05
VADER_CLEAR = 0.05
TOXIGEN_WEIGHT, TOXIGEN_LICENCE = 0.4, "MIT, CDLA-Permissive-2.0"
STRENGTHS = (0.003, 0.01, 0.03, 0.1)
LABELS = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
CARRIERS = {
    "neutral-carriers": NEUTRAL,
    "positive-carriers": POSITIVE,
    "negative-carriers": NEGATIVE,
    "toxic-carriers": NEGATIVE,
}
HATECHECK = {
    "derog_neg_emote_h": NEGATIVE,
    "derog_neg_attrib_h": NEGATIVE,
    "derog_dehum_h": NEGATIVE,
    "derog_impl_h": NEGATIVE,
    "ident_neutral_nh": NEUTRAL,
    "ident_pos_nh": POSITIVE,
}


def toxigen(folder: Path, lexicon: Callable[[str], float]) -> Iterator[tuple[str, int]]:
    """Yield masked statements about groups with the regard that grades and lexicon agree on."""
    seen = set()
    for one in read_toxigen(folder / "train" / "toxigen"):
        text = mask_group(one.text, GROUP_WORDS)
        if text in seen or "XYZ" not in text:
            continue
        seen.add(text)
        feeling = lexicon(text)
        if one.target >= HARMFUL:
            yield text, NEGATIVE
        elif one.target <= HARMLESS and feeling >= KIND:
            yield text, POSITIVE
        elif one.target <= HARMLESS and abs(feeling) <= WITHOUT_FEELING:
            yield text, NEUTRAL


def fit(vectors: Array, labels: Array, weights: Array, strength: float) -> LogisticRegression:
    """Fit three classes on standardised vectors, and fold the standardising into the result."""
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit((vectors - mean) / spread, labels, sample_weight=weights)
    model.coef_ = model.coef_ / spread
    model.intercept_ = model.intercept_ - model.coef_ @ mean
    return model


def values_of(model: LogisticRegression, vectors: Array) -> Array:
    """Return P(positive) - P(negative) of every vector."""
    found = model.predict_proba(vectors)
    return np.asarray(found[:, 2] - found[:, 0])


def figures(values: Array, labels: Array, clear: float = CLEAR) -> dict[str, Any]:
    """Return three-way accuracy, recall of each class, and AUC of both ends."""
    said = np.where(values >= clear, POSITIVE, np.where(values <= -clear, NEGATIVE, NEUTRAL))
    recall = {name: float((said[labels == i] == i).mean()) for name, i in LABELS.items()}
    found = {
        "accuracy": float((said == labels).mean()),
        "balanced_accuracy": float(np.mean(list(recall.values()))),
        **{f"recall_{name}": value for name, value in recall.items()},
        "auc_negative": float(roc_auc_score(labels == NEGATIVE, -values)),
        "auc_positive": float(roc_auc_score(labels == POSITIVE, values)),
    }
    return {"n": len(labels), **{name: round(value, 4) for name, value in found.items()}}


def choose(
    own: tuple[Array, Array, Array], others: tuple[Array, Array]
) -> list[tuple[float, bool, float]]:
    """Return the cross-validated accuracy without and with ToxiGen, at every strength."""
    vectors, labels, phrases = own
    tried = []
    for helped in (False, True):
        for strength in STRENGTHS:
            hits = 0
            for train, test in GroupKFold(5).split(vectors, labels, phrases):
                model = _fit_on(vectors[train], labels[train], others if helped else None, strength)
                hits += int((model.predict(vectors[test]) == labels[test]).sum())
            tried.append((round(hits / len(labels), 4), helped, strength))
            print(f"ToxiGen {helped!s:5} strength {strength:<6} accuracy {tried[-1][0]:.4f}")
    return tried


def _fit_on(
    vectors: Array, labels: Array, others: tuple[Array, Array] | None, strength: float
) -> LogisticRegression:
    if others is None:
        return fit(vectors, labels, np.ones(len(labels)), strength)
    weights = np.r_[np.ones(len(labels)), np.full(len(others[1]), TOXIGEN_WEIGHT)]
    return fit(np.vstack([vectors, others[0]]), np.r_[labels, others[1]], weights, strength)


def own_texts() -> tuple[list[list[str]], Array]:
    """Return the masked sentences about the group of each labelled text, and the labels."""
    rows = list(table(HERE / "regard_sentences.csv"))
    found = []
    for row in rows:
        terms = (row["group"], *row["group"].split())
        about = sentences_about(row["text"], row["prompt"], terms)
        found.append([mask_group(one, terms) for one in about])
    return found, np.array([LABELS[row["label"]] for row in rows])


def hatecheck(data: Path) -> tuple[list[list[str]], Array]:
    """Return HateCheck's statements about groups, masked, and their regard."""
    cases = [
        row
        for row in table(data / "dev" / "hatecheck" / "test_suite_cases.csv")
        if row["functionality"] in HATECHECK
    ]
    texts = [[mask_group(row["test_case"].strip(), GROUP_WORDS)] for row in cases]
    return texts, np.array([HATECHECK[row["functionality"]] for row in cases])


def carriers() -> list[tuple[Prompt, int]]:
    """Return the English sentences of the calibration set and their regard."""
    return [
        (prompt, label)
        for name, label in CARRIERS.items()
        for prompt in fill_probe_set(load_probe_set(name))
    ]


def carrier_figures(head: dict[str, Any], lexicon: Callable[[str], float]) -> dict[str, Any]:
    """Return figures on the carriers, one per sentence, and how far they move with the group."""
    found = carriers()
    labels = np.array([label for _, label in found])
    terms = identity_terms([prompt for prompt, _ in found])
    inputs = [
        ScorerInput(prompt.plain, "", "en", identity_terms=terms[prompt.id]) for prompt, _ in found
    ]
    masked = np.array([one.value for one in RegardScorer(head=head).score(inputs)])
    moved = np.array([one.value for one in RegardScorer(shift=True, head=head).score(inputs)])
    words = np.array([lexicon(mask_group(one.text, one.identity_terms)) for one in inputs])
    sentence = [(prompt.probe_set, prompt.template_id) for prompt, _ in found]
    firsts = [sentence.index(one) for one in dict.fromkeys(sentence)]
    neutral = [place for place, label in enumerate(labels) if label == NEUTRAL]
    axes = [(str(found[place][0].axis), str(found[place][0].group)) for place in neutral]
    return {
        "regard": figures(masked[firsts], labels[firsts]),
        "lexicon": figures(words[firsts], labels[firsts], VADER_CLEAR),
        "masked": _shifts(axes, masked[neutral]),
        "not masked": _shifts(axes, masked[neutral] + moved[neutral]),
    }


def _shifts(axes: Sequence[tuple[str, str]], values: Array) -> dict[str, Any]:
    """Return the largest difference between the means of two groups, by axis."""
    means: dict[str, list[float]] = {}
    for axis, group in dict.fromkeys(axes):
        held = [value for value, one in zip(values, axes, strict=True) if one == (axis, group)]
        means.setdefault(axis, []).append(float(np.mean(held)))
    axes_found = {
        axis: {"largest_difference": round(max(found) - min(found), 4)}
        for axis, found in sorted(means.items())
    }
    return {"source": SOURCES["calibration carriers"], "axes": axes_found}


def scored(texts: Sequence[Sequence[str]], score: Callable[[list[str]], Array]) -> Array:
    """Return the value of every text, of its sentences' values."""
    values = iter(score([one for parts in texts for one in parts]).tolist())
    return np.array([combine([next(values) for _ in parts]) for parts in texts])


def card_of(
    training: list[dict[str, Any]],
    tried: Sequence[tuple[float, bool, float]],
    evaluation: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the scorer's card."""
    accuracy, _, strength = max(tried)
    measured = {
        name: {"source": SOURCES[name], **one["regard"]} for name, one in evaluation.items()
    }
    moved = evaluation["calibration carriers"]
    return {
        **ABOUT,
        "training_data": training,
        "fit": {
            "strength": strength,
            "cross_validated_accuracy": accuracy,
            "cross_validated_accuracy_with_toxigen": max(one for one, used, _ in tried if used),
        },
        "evaluation": measured,
        "vader_on_the_same_sentences": {name: one["lexicon"] for name, one in evaluation.items()},
        "identity_shift": moved["masked"],
        "identity_shift_without_masking": moved["not masked"]["axes"],
    }


def measure(
    sets: Mapping[str, tuple[list[list[str]], Array]],
    ours: Callable[[list[str]], Array],
    lexicon: Callable[[str], float],
) -> dict[str, dict[str, Any]]:
    """Return the figures of the head and of the lexicon on every set."""

    def words(parts: list[str]) -> Array:
        return np.array([lexicon(one) for one in parts])

    return {
        name: {
            "regard": figures(scored(texts, ours), labels),
            "lexicon": figures(scored(texts, words), labels, VADER_CLEAR),
        }
        for name, (texts, labels) in sets.items()
    }


def main() -> None:
    """Train, print what was measured, and write the head and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and dev/")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    encoder, analyzer = SentenceEncoder(find_base()), SentimentIntensityAnalyzer()

    def lexicon(text: str) -> float:
        return float(analyzer.polarity_scores(text)["compound"])

    phrases = list(sentences())
    own = (
        encoder.means([one.text for one in phrases]),
        np.array([one.label for one in phrases]),
        np.array([one.phrase for one in phrases]),
    )
    graded = list(toxigen(args.data, lexicon))
    others = encoder.means([text for text, _ in graded]), np.array([label for _, label in graded])
    tried = choose(own, others)
    _, helped, strength = max(tried)
    model = _fit_on(own[0], own[1], others if helped else None, strength)
    sets = {"own texts": own_texts(), "HateCheck": hatecheck(args.data)}
    evaluation = measure(sets, lambda parts: values_of(model, encoder.means(parts)), lexicon)
    head = {
        "labels": list(LABELS),
        "coefficients": np.round(model.coef_, 5).tolist(),
        "intercepts": np.round(model.intercept_, 5).tolist(),
    }
    evaluation["calibration carriers"] = carrier_figures(head, lexicon)
    training = [{"id": "sentences of our own", "licence": "Apache-2.0", "texts": len(phrases)}]
    if helped:
        training.append({"id": "toxigen", "licence": TOXIGEN_LICENCE, "texts": len(graded)})
    card = json.dumps(card_of(training, tried, evaluation), indent=1, ensure_ascii=False)
    print(card)
    (args.out / "regard.json").write_text(json.dumps(head) + "\n", encoding="utf-8")
    (args.out / "regard-card.json").write_text(card + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
