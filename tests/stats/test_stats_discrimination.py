"""AUCs, average precision and calibration, against scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from llmaudit import stats

LABELLED = st.lists(
    st.tuples(st.integers(0, 20).map(lambda tick: tick / 20), st.booleans()),
    min_size=2,
    max_size=60,
).filter(lambda rows: len({positive for _, positive in rows}) == 2)


def arrays(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and the labels of rows."""
    return np.array([value for value, _ in rows]), np.array([label for _, label in rows])


@given(LABELLED)
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """With ties, which the values have on purpose."""
    values, positive = arrays(rows)
    auc = stats.roc_auc(values, positive)
    assert auc is not None
    assert auc.value == pytest.approx(roc_auc_score(positive, values))
    low, high = auc.interval(0.05)
    assert 0 <= low <= auc.value + 1e-12 and auc.value - 1e-12 <= high <= 1
    assert stats.average_precision(values, positive) == pytest.approx(
        average_precision_score(positive, values)
    )
    assert stats.brier_score(values, positive) == pytest.approx(brier_score_loss(positive, values))


def test_delongs_error_by_hand() -> None:
    """Placements 1, 1/2, 3/4 of the positives and 1/2, 1 of the negatives.

    AUC 3/4; variance of the first 1/16 over 3 and of the second 1/8 over 2.
    """
    values = np.array([0.9, 0.4, 0.5, 0.5, 0.1])
    positive = np.array([True, True, True, False, False])
    auc = stats.roc_auc(values, positive)
    assert auc is not None and (auc.positives, auc.negatives) == (3, 2)
    assert auc.value == pytest.approx(0.75)
    assert auc.se == pytest.approx(np.sqrt(1 / 48 + 1 / 16))
    reach = 1.959964 * auc.se / (0.75 * 0.25)
    assert auc.interval(0.05)[1] == pytest.approx(1 / (1 + np.exp(-(np.log(3) + reach))))


def test_weights_average_precision_as_repeated_texts_would() -> None:
    values, positive = np.array([0.9, 0.6, 0.6, 0.2]), np.array([True, False, True, True])
    ranked = stats.RankedLabels.of(values, positive)
    found = ranked.average_precision(np.array([[2.0, 1, 0, 3], [0, 1, 0, 0]]))
    repeated = [(0.9, True)] * 2 + [(0.6, False)] + [(0.2, True)] * 3
    again, labels = arrays(repeated)
    assert found[0] == pytest.approx(average_precision_score(labels, again))
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("values", "trials"),
    [([0.9, 0.8, 0.2, 0.1, 0.1], 2), ([0.5] * 5, 2), ([0.1, 0.2, 0.9, 1, 1], 2)],
)
def test_what_does_not_vary_claims_no_certainty(values: list[float], trials: int) -> None:
    auc = stats.roc_auc(np.array(values), np.array([True, True, False, False, False]))
    assert auc is not None
    assert auc.interval(0.05) == stats.wilson_interval(auc.value, trials, 0.05)


def test_one_text_of_a_class_shows_no_variation() -> None:
    auc = stats.roc_auc(np.array([0.5, 0.7, 0.3]), np.array([True, False, False]))
    assert auc is not None and np.isnan(auc.se)
    assert auc.interval(0.05) == stats.wilson_interval(0.5, 1, 0.05)
    assert stats.roc_auc(np.array([0.5]), np.array([True])) is None
    assert stats.average_precision(np.array([0.5]), np.array([True])) is None


def test_copies_in_one_cluster_add_nothing() -> None:
    """Each text four times over: the error stays that of the texts, not half of it."""
    rng = np.random.default_rng(3)
    values, positive = rng.random(80), rng.random(80) < 0.5
    once = stats.roc_auc(values, positive, None, np.arange(80))
    often = stats.roc_auc(
        np.repeat(values, 4), np.repeat(positive, 4), None, np.repeat(np.arange(80), 4)
    )
    plain = stats.roc_auc(values, positive)
    assert once and often and plain
    assert (often.positives, often.negatives) == (plain.positives, plain.negatives)
    assert often.se == pytest.approx(plain.se, rel=0.03) and once.se == pytest.approx(
        plain.se, rel=0.03
    )
    alone = stats.roc_auc(values, positive, None, np.zeros(80, dtype=np.intp))
    assert alone is not None and alone.se == 0.0


def test_the_aucs_of_a_group() -> None:
    """By hand: the group's texts are a (positive, 0.9) and b (negative, 0.6)."""
    values = np.array([0.9, 0.6, 0.4, 0.2])
    positive = np.array([True, False, True, False])
    found = stats.group_aucs(values, positive, np.array([True, True, False, False]))
    assert found.subgroup and found.bpsn and found.bnsp
    assert (found.subgroup.value, found.bpsn.value, found.bnsp.value) == (1.0, 0.0, 1.0)
    nobody = stats.group_aucs(values, positive, np.zeros(4, dtype=bool))
    assert nobody.subgroup is None and nobody.bpsn is None and nobody.bnsp is None


def test_groups_are_combined_by_a_power_mean() -> None:
    rng = np.random.default_rng(4)
    values, positive, inside = rng.random(200), rng.random(200) < 0.4, rng.random(200) < 0.5
    aucs = [stats.roc_auc(values, positive, one) for one in (inside, ~inside)]
    known = [one for one in aucs if one is not None]
    found = stats.power_mean_auc(known)
    assert found is not None
    by_hand = np.mean([one.value**-5 for one in known]) ** (-1 / 5)
    assert found.value == pytest.approx(by_hand)
    moved = [stats.Auc(one.value + 1e-6, one.se, 1, 1, one.influence) for one in known]
    slopes = []
    for place in range(2):
        changed = [moved[i] if i == place else known[i] for i in range(2)]
        other = stats.power_mean_auc(changed)
        assert other is not None
        slopes.append((other.value - found.value) / 1e-6)
    # Disjoint groups: the errors are independent and add up in squares.
    expected = np.hypot(slopes[0] * known[0].se, slopes[1] * known[1].se)
    assert found.se == pytest.approx(expected, rel=1e-4)
    ends = found.interval(0.05)
    assert ends is not None and ends[0] < found.value < ends[1]
    assert stats.power_mean_auc([]) is None
    zero = stats.Auc(0.0, 0.0, 1, 1, np.zeros(2))
    assert stats.power_mean_auc([zero]) is None
    sure = stats.power_mean_auc([stats.Auc(1.0, 0.0, 1, 1, np.zeros(2))])
    assert sure is not None and sure.interval(0.05) is None


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.1 holds labels 0 and 1, 0.9 holds 1 and 1; 1.0 falls into the last bin."""
    values, positive = np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, True, True, True])
    assert stats.calibration_error(values, positive) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert stats.calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
    assert stats.calibration_error(values, positive, bins=1) == pytest.approx(0.25)


def test_resamples_draw_whole_clusters() -> None:
    """Both texts of a cluster come together, as often as the cluster was drawn."""
    seen: list[np.ndarray] = []

    def keep(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return np.asarray(weights.mean(axis=1))

    clusters = np.array([0, 0, 1, 2])
    (means,) = stats.bootstrap_texts([keep], clusters, 400, np.random.default_rng(0))
    weights = np.concatenate(seen)
    assert means.shape == (400,) and (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert weights.mean() == pytest.approx(1.0, abs=0.05)
