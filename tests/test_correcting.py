"""Disparities without their scorer's own: values and intervals worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from llmaudit.arranging import carriers_of
from llmaudit.correcting import RESAMPLES, correct
from llmaudit.corrections import Correction
from llmaudit.evidence import Evidence, MeasureKey, Measurer
from llmaudit.findings import Measurement
from llmaudit.metrics import Request, measure
from llmaudit.metrics.corrected_disparity import corrected_shares
from llmaudit.records import ProbeSetFacts, Prompt, Score, ScoredSample, Task
from llmaudit.verdicts.uncertainty import estimates

TABLE = Sequence[tuple[float | None, ...]]
LEVEL = 0.95
RNG = np.random.default_rng(0)
GROUPS = ("a", "b")


def rows_of(table: TABLE, kind: str | None = None, language: str = "en") -> list[ScoredSample]:
    """Return one template per row and one group per column; None is a missing score."""
    rows = []
    for index, values in enumerate(table):
        for group, value in zip(GROUPS, values, strict=True):
            name = f"{kind}/{language}/{index}"
            prompt = Prompt(
                f"{name}/{group}", "s", "d", name, name, "axis", group, language, Task.GENERATE,
                (), "", tags={} if kind is None else {"class": kind},
            )  # fmt: skip
            reason = None if value is not None else "scorer_error"
            score = Score(prompt.id, prompt.id, "toxicity", "x", value, None, reason)
            rows.append(ScoredSample(prompt, 0, score))
    return rows


def hits(*counts: int, of: int) -> list[tuple[float, ...]]:
    """Return scores of which the first so many of each column are over the threshold."""
    return [tuple(0.9 if row < count else 0.1 for count in counts) for row in range(of)]


def corrected(metric: str, rows: TABLE, carriers: list[ScoredSample], **given: Any) -> Correction:
    """Correct the disparity of two groups by their carriers."""
    key = MeasureKey(metric, "s", "axis", "toxicity", given.pop("contrast", "others"))
    samples = rows_of(rows)
    made = [
        measure(
            metric, some, probe_set="s", axis="axis", scorer="toxicity", contrast=key.contrast,
            rng=np.random.default_rng(0),
        )
        for some in (samples, carriers_of(carriers, given.get("language", "en")))
    ]  # fmt: skip
    found = correct(
        key, made[0], made[1], samples, carriers,
        language=given.get("language", "en"), level=LEVEL, rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found is not None
    return found


def as_third(row: ScoredSample) -> ScoredSample:
    """Return the same outcome for a third group."""
    return replace(row, prompt=replace(row.prompt, id=f"{row.prompt.id}/3", group="third"))


def known(value: float | None) -> float:
    """Return a number that must be there."""
    assert value is not None
    return value


def half_width(values: Sequence[float], parts: int = 2) -> float:
    """Return the Bonferroni t half width of a mean."""
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    return float(t.isf((1 - LEVEL) / 2 / parts, len(values) - 1) * error)


MODEL = hits(8, 4, of=20)
TOXIC = hits(8, 10, of=10)
NEUTRAL = hits(1, 0, of=10)
CARRIERS = rows_of(TOXIC, "toxic") + rows_of(NEUTRAL, "neutral")


def test_shares_are_corrected_by_sensitivity_and_specificity_of_each_group() -> None:
    found = corrected("share_disparity", MODEL, CARRIERS)
    first, second = found.parts
    assert (first.part, first.sensitivity, first.specificity) == ("a", 0.8, 0.9)
    assert (second.part, second.sensitivity, second.specificity) == ("b", 1.0, 1.0)
    share = (0.4 + 0.9 - 1) / 0.7  # of group a; group b has no errors, so its share is 0.2
    assert first.value == pytest.approx(share - 0.2)
    assert second.value == pytest.approx(0.2 - share)
    assert first.own == pytest.approx(0.1)
    assert found.reason is None
    assert not first.clipped

    # Delta method: what each carrier adds to the difference of the corrected shares.
    by_toxic = half_width([-share * (row[0] > 0.5) / 0.7 + 0.2 * (row[1] > 0.5) for row in TOXIC])
    by_benign = half_width(
        [(1 - share) * (row[0] < 0.5) / 0.7 - 0.8 * (row[1] < 0.5) for row in NEUTRAL]
    )
    scaled = rows_of([((row[0] > 0.5) / 0.7, float(row[1] > 0.5)) for row in MODEL])
    scaled = [ScoredSample(one.prompt, 0, one.score, (0.0, 1 / 0.7)) for one in scaled]
    alone = measure(
        "score_disparity", scaled, probe_set="s", axis="axis", scorer="toxicity",
        rng=np.random.default_rng(0), resamples=RESAMPLES,
    )  # fmt: skip
    estimate = estimates(alone, LEVEL)[0]
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    below = math.hypot(estimate.value - estimate.low, by_toxic, by_benign)
    above = math.hypot(estimate.high - estimate.value, by_toxic, by_benign)
    assert first.low == pytest.approx(known(first.value) - below, rel=1e-6)
    assert first.high == pytest.approx(known(first.value) + above, rel=1e-6)


def test_a_share_below_the_scorers_false_alarms_is_set_to_zero_and_says_so() -> None:
    found = corrected("share_disparity", hits(4, 0, of=20), CARRIERS[:20] + rows_of(
        hits(0, 1, of=10), "positive"
    ))  # fmt: skip
    first = found.parts[0]
    assert first.clipped
    assert first.value == pytest.approx(0.2 / 0.8)  # of group b 0 were found where 0.1 are alarms
    assert known(first.low) <= known(first.value) <= known(first.high)


def test_why_shares_are_not_corrected() -> None:
    poor = rows_of(hits(2, 2, of=10), "toxic") + rows_of(NEUTRAL, "neutral")
    found = corrected("share_disparity", MODEL, poor)
    assert found.reason is not None
    assert found.reason.endswith("about a: their sum less 1 is too near 0 to divide by")
    assert [part.value for part in found.parts] == [None, None]
    assert found.parts[0].own == pytest.approx(0.1)
    # Far enough from 0, but of too few sentences to know: 0.6 + 0.9 - 1 is 2.8 standard errors.
    unsure = rows_of(hits(6, 10, of=10), "toxic") + rows_of(NEUTRAL, "neutral")
    assert corrected("share_disparity", MODEL, unsure).reason is not None
    only_neutral = corrected("share_disparity", MODEL, rows_of(NEUTRAL, "neutral"))
    assert only_neutral.reason == "the scorer was not measured on labelled sentences about a, b"
    foreign = corrected("share_disparity", MODEL, CARRIERS, language="fr")
    assert foreign.reason == only_neutral.reason
    assert foreign.parts[0].own is None


def test_means_lose_what_the_scorer_adds_on_neutral_sentences() -> None:
    rng = np.random.default_rng(5)
    model = [(0.3 + x, 0.2 + y) for x, y in rng.uniform(0, 0.1, size=(20, 2))]
    neutral = [(0.2 + x, 0.1 + y) for x, y in rng.uniform(0, 0.1, size=(12, 2))]
    found = corrected("score_disparity", model, rows_of(neutral, "neutral"), contrast="b")
    [part] = found.parts
    gaps = [[a - b for a, b in table] for table in (model, neutral)]
    assert part.value == pytest.approx(np.mean(gaps[0]) - np.mean(gaps[1]))
    assert part.own == pytest.approx(np.mean(gaps[1]))
    alone = measure(
        "score_disparity", rows_of(model), probe_set="s", axis="axis", scorer="toxicity",
        contrast="b", rng=np.random.default_rng(0),
    )  # fmt: skip
    estimate = estimates(alone, LEVEL)[0]
    assert estimate.value is not None and estimate.low is not None
    below = math.hypot(estimate.value - estimate.low, half_width(gaps[1], parts=1))
    assert part.low == pytest.approx(known(part.value) - below, rel=1e-6)


def test_missing_outcomes_widen_and_an_unmeasured_scorer_corrects_nothing() -> None:
    gappy: list[tuple[float | None, ...]] = [(0.3, None), *((0.3, 0.2 + k / 99) for k in range(9))]
    neutral = rows_of([(0.1, 0.1 + k / 999) for k in range(10)], "neutral")
    whole = corrected("score_disparity", gappy[1:], neutral).parts[0]
    wide = corrected("score_disparity", gappy, neutral).parts[0]
    assert wide.value == pytest.approx(whole.value)
    assert None not in (wide.low, wide.high, whole.low, whole.high)
    assert wide.high - wide.low > whole.high - whole.low  # type: ignore[operator]
    none = corrected("score_disparity", gappy, [])
    assert none.reason == "the scorer's own disparity is not known: no generation has a score"
    assert {part.value for part in none.parts} == {None}


def test_too_little_to_correct() -> None:
    rows, toxic, benign = (
        [*given, *(as_third(row) for row in given if row.prompt.group == "a")]
        for given in (rows_of(MODEL), CARRIERS[:20], CARRIERS[20:])
    )
    request = Request("share_disparity", "s", "axis", "toxicity", "others", 10, RNG)
    assert not isinstance(corrected_shares(rows, toxic, benign, request), str)
    silent = [
        replace(row, score=replace(row.score, value=None, reason="error"))
        if row.prompt.group == "third"
        else row
        for row in rows
    ]
    assert corrected_shares(silent, toxic, benign, request) == "a group has no outcome"
    alike = [row for row in rows if row.prompt.group == "a"]
    assert corrected_shares(alike, toxic, benign, request) == (
        "1 groups named; a disparity needs two"
    )
    alone = corrected("score_disparity", MODEL, rows_of([(0.3, 0.1)], "neutral"))
    assert [part.value for part in alone.parts] == [None, None]


def test_a_sentence_that_the_scorer_could_not_score_widens() -> None:
    neutral: list[tuple[float | None, ...]] = [(0.1 + k / 99, 0.1) for k in range(10)]
    whole = corrected("score_disparity", MODEL, rows_of(neutral, "neutral")).parts[0]
    gappy = corrected("score_disparity", MODEL, rows_of([*neutral, (None, 0.1)], "neutral")).parts[
        0
    ]
    assert gappy.value == pytest.approx(known(whole.value))
    assert known(gappy.high) - known(gappy.low) > known(whole.high) - known(whole.low)


def test_what_has_no_correction() -> None:
    key = MeasureKey("toxic_fraction", "s", "axis", "toxicity")
    undefined = Measurement("share_disparity", "s", "axis", "toxicity", (), None, 0, 0)
    given = {"language": "en", "level": LEVEL, "rng": np.random.default_rng(0)}
    assert correct(key, undefined, undefined, [], [], **given) is None  # type: ignore[arg-type]
    rate = measure(
        "toxic_fraction", rows_of(MODEL), probe_set="s", axis="axis", scorer="toxicity",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert correct(key, rate, undefined, [], [], **given) is None  # type: ignore[arg-type]


def test_the_scorers_own_is_taken_from_neutral_sentences_of_the_sets_language() -> None:
    facts = [
        ProbeSetFacts(
            name, name, name, "1", "none", name, "disparity", Task.GENERATE, ("axis",), "", "", (),
            (), 1, 1,
        )
        for name in ("en-GB", "es", "de")
    ]  # fmt: skip
    carriers = [
        *rows_of([(0.3, 0.2)] * 4, "neutral"),
        *rows_of([(0.9, 0.2)] * 4, "toxic"),
        *rows_of([(0.1, 0.6)] * 4, "neutral", "es"),
    ]
    evidence = Evidence({one.id: one for one in facts}, {}, {}, {"toxicity": carriers}, {})
    own = {
        name: Measurer(evidence, 0).measure_scorer(
            MeasureKey("score_disparity", name, "axis", "toxicity")
        )
        for name in ("en-GB", "es", "de")
    }
    assert own["en-GB"].observed is not None and own["es"].observed is not None
    assert own["en-GB"].observed.value == pytest.approx([0.1, -0.1])
    assert own["es"].observed.value == pytest.approx([-0.5, 0.5])
    assert own["de"].observed is None
