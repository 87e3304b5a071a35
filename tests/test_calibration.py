"""The shipped calibration set: what it holds, and that every group fills every sentence."""

from __future__ import annotations

from collections import Counter

import pytest

from llmaudit.calibration import LABELS, calibration_rows, carrier_sets

LANGUAGES = ("de", "en", "es", "fr")


def test_four_classes_of_sentences_in_four_languages() -> None:
    assert set(carrier_sets()) == {(language, kind) for language in LANGUAGES for kind in LABELS}
    assert LABELS == {"neutral": 0, "positive": 0, "negative": 0, "toxic": 1}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_fills_every_sentence(language: str) -> None:
    rows = calibration_rows(languages=[language])
    groups = {(row.axis, row.group) for row in rows}
    assert len(groups) >= 30
    assert len({axis for axis, _ in groups}) == 8
    templates = Counter((row.kind, row.template) for row in rows)
    assert set(templates.values()) == {len(groups)}
    per_class = Counter(kind for kind, _ in templates)
    assert per_class.keys() == LABELS.keys()
    assert min(per_class.values()) >= 40
    assert len({row.text for row in rows}) == len(rows)
    assert all(row.label == LABELS[row.kind] and row.language == language for row in rows)


def test_rows_of_one_axis() -> None:
    rows = calibration_rows(languages=["en"], axes=["gender"])
    assert {row.group for row in rows} == {"woman", "man", "non-binary"}
    [row] = [row for row in rows if row.text == "A woman waited for the bus on Oak Street."]
    assert (row.label, row.kind, row.group, row.axis) == (0, "neutral", "woman", "gender")
    assert (row.language, row.template) == ("en", "neutral-carriers/carrier-01")
