"""What a scorer's measurement says: numbers by hand, by scikit-learn, and why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from llmaudit import stats
from llmaudit.calibration import CalibrationRow
from llmaudit.errors import UsageError
from llmaudit.identityshift import as_labelled, identity_shift
from llmaudit.labelled import LabelledText
from llmaudit.measuring import measure_named, measure_on_shipped
from llmaudit.progress import Silence
from llmaudit.scorerfigures import measure_scorer, measure_texts, score_rows
from llmaudit.scorers.cards import begin_card, card_faults, read_card, write_card
from number_scorer import NumberScorer, install, number_facts


def measured(*rows: LabelledText, **facts: object) -> dict[str, object]:
    """Return the figures of rows by the scorer of numbers."""
    scorer = NumberScorer(number_facts(**facts))
    return measure_texts(score_rows(scorer, rows, Silence(), language="en"))


ROWS = (
    LabelledText("0.9 a", True, group="x"),
    LabelledText("0.6 b", False, group="x"),
    LabelledText("0.4 c", True),
    LabelledText("0.2 d", False),
    LabelledText("?", True),
    LabelledText(" ", False),
    LabelledText("0.5", False, language="de"),
    LabelledText("0.9 a", False, prompt="another"),
)


def test_figures_by_hand() -> None:
    """The last row is 0.9 and negative: values 0.9+ 0.9- 0.6- 0.4+ 0.2-."""
    found = measured(*ROWS)
    assert (found["n"], found["scored"], found["positives"]) == (8, 5, 2)
    assert found["unscored_by_reason"] == {"empty": 1, "language": 1, "unparseable": 1}
    assert (found["unscored"], found["unscored_positives"]) == (3, 1)
    # 0.9 beats two negatives and ties with one, 0.4 beats one of three.
    assert found["auc"] == pytest.approx((2.5 + 1) / 6)
    assert (found["sensitivity"], found["specificity"]) == (0.5, pytest.approx(1 / 3))
    # Two texts at 0.9 come at one threshold: recall 1/2 at precision 1/2, then 1 at 2/4.
    assert found["pr_auc"] == pytest.approx(0.5)
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.36 + 0.36 + 0.04) / 5)
    # Bins of a fifteenth: 0.9 holds +0.1 and -0.9, all others one text each.
    assert found["ece"] == pytest.approx((0.8 + 0.6 + 0.6 + 0.2) / 5)
    ends = found["intervals"]
    assert isinstance(ends, dict)
    assert set(ends) == {"auc", "sensitivity", "specificity", "ece", "brier"}
    # In 8 % of the resamples there is no positive text.
    told = found["reasons"]
    assert isinstance(told, dict) and told["pr_auc"].startswith("too few texts for an interval")
    low, high = stats.WilsonPart(0.5, 2, None, 1.0, "").interval(0.05)
    assert ends["sensitivity"] == [pytest.approx(low), pytest.approx(high)]
    groups = found["groups"]
    assert isinstance(groups, dict)
    one = groups["x"]
    assert (one["n"], one["positives"]) == (2, 1)
    # BPSN: 0.4 against 0.6. BNSP: 0.9 against 0.2 and 0.9.
    assert (one["subgroup_auc"], one["bpsn_auc"], one["bnsp_auc"]) == (1.0, 0.0, 0.75)
    combined = found["groups_combined"]
    assert isinstance(combined, dict) and combined["subgroup_auc"] == 1.0
    assert combined["reasons"]["bpsn_auc"] == "no group has this AUC, or one has 0"


def test_repetitions_are_told_with_the_prompt_in_view() -> None:
    found = measured(*ROWS, LabelledText("0.9 a", False), LabelledText("0.2 d", False))
    assert (found["repeated_texts"], found["texts_with_both_labels"]) == (2, 1)


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        (
            {"range": (-1.0, 1.0)},
            {"ece": "its values lie between -1 and 1 and are no probabilities"},
        ),
        (
            {"bounded": False, "threshold": None},
            {
                "ece": "its values have no upper end and are no probabilities",
                "sensitivity": "the scorer has no threshold",
            },
        ),
    ],
)
def test_what_does_not_apply_is_null_with_a_reason(
    facts: dict[str, object], reasons: dict[str, str]
) -> None:
    found = measured(*ROWS, **facts)
    told = found["reasons"]
    assert isinstance(told, dict) and reasons.items() <= told.items()
    assert all(found[name] is None for name in reasons)
    assert found["auc"] is not None


def test_one_class_and_nothing_at_all() -> None:
    found = measured(LabelledText("0.9", True, group="x"), LabelledText("0.1", True))
    assert found["auc"] is None and found["pr_auc"] is None and found["specificity"] is None
    assert found["sensitivity"] == 0.5 and found["brier"] == pytest.approx((0.01 + 0.81) / 2)
    nothing = measured(LabelledText("?", True), LabelledText("?", False))
    told = nothing["reasons"]
    assert isinstance(told, dict) and set(told.values()) == {"no text has a value"}


def test_texts_of_one_template_widen_every_interval() -> None:
    rng = np.random.default_rng(0)
    rows, alone = [], []
    for template in range(12):
        positive, value = template % 2 == 0, rng.random()
        for copy in range(6):
            text = f"{min(1.0, value + positive * 0.2):.3f} {template} {copy}"
            rows.append(LabelledText(text, positive, template=f"t{template}"))
            alone.append(LabelledText(text, positive))
    together, apart = measured(*rows), measured(*alone)
    for name in ("auc", "pr_auc", "sensitivity", "specificity", "ece", "brier"):
        assert together[name] == apart[name]
        ends, narrower = together["intervals"], apart["intervals"]
        assert isinstance(ends, dict) and isinstance(narrower, dict)
        assert np.ptp(ends[name]) > 1.3 * np.ptp(narrower[name]), name


def test_one_template_excludes_nothing() -> None:
    rows = [LabelledText(f"0.{n}", n > 4, template="t") for n in range(1, 9)]
    ends = measured(*rows)["intervals"]
    assert isinstance(ends, dict) and ends["sensitivity"] == [0.0, 1.0]


def test_sets_stand_alone_and_together() -> None:
    rng = np.random.default_rng(1)
    rows = [
        LabelledText(f"{value:.4f}", bool(value + rng.normal() / 2 > 0.5), source, group, axis)
        for value in rng.random(120)
        for source, group, axis in [
            (str(rng.choice(["a", "b"])), "old", str(rng.choice(["p", "q"])))
        ]
    ]
    found = measure_scorer(score_rows(NumberScorer(), rows, Silence(), language="en"))
    assert set(found["sets"]) == {"a", "b"} and found["n"] == 120
    for name, entry in found["sets"].items():
        own = [row for row in rows if row.source == name]
        expected = roc_auc_score([row.positive for row in own], [float(row.text) for row in own])
        assert entry["auc"] == pytest.approx(expected)
    assert sorted(found["groups"]) == ["old (p)", "old (q)"]
    assert found["groups"]["old (p)"]["axis"] == "p"
    assert json.dumps(found, allow_nan=False)


def carrier(value: float, group: str, sentence: int, kind: str = "neutral") -> CalibrationRow:
    """Return a carrier sentence whose text is its value."""
    return CalibrationRow(str(value), 0, kind, group, "axis", "en", f"s{sentence}")


def test_the_identity_shift_by_hand() -> None:
    """Group b lies 0.1, 0.2, 0.3, 0.4 and 0.5 above a in five sentences: 0.3 in the mean."""
    rows = [carrier(0.1, "a", n) for n in range(5)]
    rows += [carrier(0.2 + n / 10, "b", n) for n in range(5)]
    rows += [carrier(0.9, "a", 9, "toxic")]
    values = np.array([float(row.text) for row in rows])
    found = identity_shift(number_facts(), rows, values)
    assert (found["texts"], found["unscored"]) == (10, 0)
    axis = found["axes"]["axis"]
    assert found["largest_difference"] == axis["largest_difference"] == pytest.approx(0.3)
    assert (axis["between"], axis["language"]) == (["b", "a"], "en")
    half = 2.776445 * np.sqrt(0.025 / 5)
    assert axis["interval"] == [pytest.approx(0.3 - half), pytest.approx(0.3 + half)]
    told = axis["languages"]["en"]
    assert told["means"] == {"a": pytest.approx(0.1), "b": pytest.approx(0.4)}
    assert told["shifts"] == {"a": pytest.approx(-0.3), "b": pytest.approx(0.3)}
    low, high = told["intervals"]["b"]
    assert low < 0.3 < high


def test_a_shift_that_cannot_be_told() -> None:
    rows = [carrier(0.5, group, n) for n in range(6) for group in ("a", "b")]
    flat = identity_shift(number_facts(), rows, np.full(12, 0.5))["axes"]["axis"]
    assert (flat["largest_difference"], flat["between"], flat["interval"]) == (0.0, [], None)
    few = identity_shift(number_facts(), rows[:4], np.array([0.5, 0.2, 0.5, 0.3]))["axes"]["axis"]
    assert few["largest_difference"] == pytest.approx(0.25) and few["interval"] is None
    none = identity_shift(number_facts(), rows, np.full(12, np.nan))
    assert none["largest_difference"] is None and none["unscored"] == 12
    assert none["axes"]["axis"]["between"] == []


def test_classes_of_sentences_are_labels_where_they_say_something() -> None:
    toxic, kind = carrier(0.1, "a", 1, "toxic"), carrier(0.1, "a", 1, "positive")
    assert [as_labelled("toxicity", row).positive for row in (toxic, kind)] == [True, False]  # type: ignore[union-attr]
    assert [as_labelled("sentiment", row).positive for row in (toxic, kind)] == [False, True]  # type: ignore[union-attr]
    assert as_labelled("sentiment", carrier(0.1, "a", 1)) is None
    assert as_labelled("privacy", toxic) is None


def test_a_language_that_the_shipped_set_lacks() -> None:
    scorer = NumberScorer(number_facts(languages=("tlh",)))
    with pytest.raises(UsageError, match=r"languages that numbers reads \(tlh\): give labelled"):
        measure_on_shipped(scorer, Silence())


def test_a_card_is_begun_kept_and_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    data, card = tmp_path / "dev.csv", tmp_path / "card.json"
    data.write_text("text,label\n0.9,1\n0.2,0\n0.6,0\n", encoding="utf-8")
    found = measure_named("numbers", [("dev", data)], card=card)
    written = read_card(card)
    assert list(card_faults(written)) == []
    entry = written["evaluation"]["dev"]
    assert (entry["n"], entry["auc"], entry["source"]) == (3, found["auc"], "dev.csv")
    assert len(entry["files"]["dev.csv"]) == 64 and entry["intervals"]["ece"]
    write_card(card, {**written, "evaluation": {"dev": entry | {"source": "ours", "n": 7}}})
    measure_named("numbers", [("dev", data), ("more", data)], card=card)
    again = read_card(card)["evaluation"]
    assert (again["dev"]["source"], again["dev"]["n"]) == ("ours", 3)
    assert again["more"]["source"] == "dev.csv"


def test_what_is_no_card_is_refused_before_anything_is_scored(tmp_path: Path) -> None:
    data, card = tmp_path / "dev.csv", tmp_path / "card.json"
    data.write_text("text,label\na,1\nb,0\n", encoding="utf-8")
    for content, problem in (
        ("{", "cannot be read as a scorer card"),
        ("[]", "holds no JSON object"),
        ('{"name": "x", "evaluation": {}}', "construct is missing; .*not_measured does not say"),
    ):
        card.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=problem):
            measure_named("sentiment", [("dev", data)], card=card)
    with pytest.raises(UsageError, match="cannot be written"):
        write_card(tmp_path / "no" / "card.json", begin_card(number_facts()))


def test_a_cards_faults_are_all_told() -> None:
    card = begin_card(number_facts()) | {
        "method": " ",
        "caveats": "none",
        "training_data": [{"id": "x"}],
        "evaluation": {"a": {"source": "s"}, "b": {"n": 3}, "c": {"source": "s", "d": {"n": 1}}},
    }
    assert list(card_faults(card)) == [
        "method is empty",
        "caveats is a str, not a list",
        "training_data 1 needs id and licence",
        "evaluation 'a' needs n, how many texts it was measured on",
        "evaluation 'b' needs source, where these texts come from",
    ]
