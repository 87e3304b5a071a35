"""What two scorers of one construct agree on, and where they differ."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from llmaudit.agreement import comparable_scorers, disagreements, measure_agreements
from llmaudit.records import Generation, Prompt, Score, ScorerFacts, Task


def facts(name: str, construct: str = "toxicity", **given: Any) -> ScorerFacts:
    base: dict[str, Any] = {"range": (0.0, 1.0), "higher_is": "worse", "threshold": 0.5}
    return ScorerFacts(
        name=name,
        version="1",
        digest=name,
        construct=construct,
        languages=("any",),
        licence="Apache-2.0",
        description="",
        **{**base, **given},
    )


def score(scorer: str, request: str, value: float | None, label: str | None = None) -> Score:
    return Score(scorer + request, request, scorer, scorer, value, label)


def shown(texts: dict[str, tuple[str, str]]) -> Any:
    """Return prompts and generations; by request, the template and what was answered."""
    prompts = {
        f"p-{key}": Prompt(f"p-{key}", "set", "d", template, key, None, None, "en",
                           Task.GENERATE, (), "say")
        for key, (template, _) in texts.items()
    }  # fmt: skip
    generations = {key: Generation(key, f"p-{key}", 0, text) for key, (_, text) in texts.items()}
    sent = dict.fromkeys(prompts, "say")
    return SimpleNamespace(prompts=prompts, sent=sent, generations=generations)


VALUES = {"a": (0.1, 0.2), "b": (0.9, 0.3), "c": (0.8, 0.9), "d": (0.4, 0.6), "e": (0.0, 0.1)}
SCORERS = {"one": facts("one"), "two": facts("two"), "other": facts("other", "sentiment")}


def both(values: dict[str, tuple[float, float]]) -> list[Score]:
    return [
        score(name, key, given[place])
        for key, given in values.items()
        for place, name in enumerate(("one", "two"))
    ]


def test_the_widest_gap_comes_first_and_carriers_are_left_out() -> None:
    scores = [*both(VALUES), score("one", "carrier", 0.0), score("two", "carrier", 1.0)]
    found = disagreements(scores, SCORERS, set(VALUES))
    assert [one.request_id for one in found] == ["b", "d", "a", "c", "e"]
    assert [round(one.gap, 6) for one in found] == [0.6, 0.2, 0.1, 0.1, 0.1]
    assert [one.apart for one in found] == [True, True, False, False, False]
    assert found[0].scorers == ("one", "two")


def test_only_scorers_of_one_construct_with_ends_are_compared() -> None:
    counted = {name: facts(name, "length", bounded=False) for name in ("words", "letters")}
    assert [(a.name, b.name) for a, b in comparable_scorers(SCORERS | counted)] == [("one", "two")]


def test_alpha_by_hand_on_values_and_on_the_sides_of_the_thresholds() -> None:
    run = shown({key: (f"t{key}", f"text {key}") for key in VALUES} | {"f": ("tf", "lone")})
    scores = [*both(VALUES), score("one", "f", 0.5), score("two", "f", None)]
    (found,) = measure_agreements(run, scores, SCORERS, seed=1)
    assert (found.construct, found.scorers, found.n, found.n_missing) == (
        "toxicity", ("one", "two"), 5, 1,
    )  # fmt: skip
    # Sum of the ten values 4.3, of their squares 2.93; of the squared differences 0.43.
    assert found.values.value == pytest.approx(1 - 9 * 2 * 0.43 / (2 * (10 * 2.93 - 4.3**2)))
    # Over: b and c by the one, c and d by the other; 4 of 10 labels; 2 of 5 pairs differ.
    assert found.labels is not None
    assert found.labels.value == pytest.approx(1 - (2 / 5) / (2 * 4 * 6 / 90))
    assert found.differing == 2
    assert [one.request_id for one in found.disputed] == ["b", "d", "a", "c", "e"]
    assert found.disputed[0].chosen_because == "one 0.90, two 0.30"


def test_scales_are_made_alike_and_turned_and_labels_are_those_they_share() -> None:
    kinder = facts("two", range=(-1.0, 1.0), higher_is="better", threshold=0.0)
    run = shown({key: ("t", key) for key in "abc"})
    values = {"a": (0.25, 0.5), "b": (1.0, -1.0), "c": (0.75, -0.5)}
    (same,) = measure_agreements(run, both(values), {"one": facts("one"), "two": kinder}, seed=1)
    assert (same.values.value, same.differing, same.disputed) == (1.0, 0, ())
    labelled = [
        score(name, key, 0.0, label)
        for name, labels in (("one", "xxy"), ("two", "xzy"))
        for key, label in zip("abc", labels, strict=True)
    ]
    (named,) = measure_agreements(run, labelled, SCORERS, seed=1)
    assert named.labels is not None
    assert named.labels.value == pytest.approx(1 - (1 / 3) / ((36 - 9 - 1 - 4) / 30))
    assert named.differing == 1
    assert named.values.reason is not None and "the same" in named.values.reason


def test_equal_texts_are_shown_once_and_few_templates_have_no_interval() -> None:
    run = shown({"a": ("t", "same"), "b": ("t", "same"), "c": ("u", "else")})
    values = {"a": (0.0, 1.0), "b": (0.0, 0.9), "c": (0.5, 0.6)}
    (found,) = measure_agreements(run, both(values), SCORERS, seed=1)
    assert [one.request_id for one in found.disputed] == ["a", "c"]
    assert (found.values.low, found.clusters) == (None, 2)
    assert found.values.reason is not None and "too few templates" in found.values.reason


def test_scorers_without_common_answers_or_thresholds() -> None:
    run = shown({"a": ("t", "text")})
    vague = {"one": facts("one", threshold=None), "two": facts("two")}
    (nothing,) = measure_agreements(run, [score("one", "a", 0.5)], vague, seed=1)
    assert (nothing.n, nothing.n_missing, nothing.values.value) == (0, 1, None)
    assert nothing.values.reason == "no answer has a value from both"
    (found,) = measure_agreements(run, both({"a": (0.1, 0.9)}), vague, seed=1)
    assert (found.labels, found.differing) == (None, 0)
