"""The calibration set: sentences that differ in the group only, labelled, to measure scorers on.

It is made of one probe set of carrier sentences per class (neutral, positive, mildly negative,
toxic) and language, in ``probes/calibration``; every group of an axis fills every sentence. A run
takes from it what its own axes and languages need (`llmaudit.planning`); whoever measures a scorer
takes rows of text, label, group, axis and language::

    from llmaudit.calibration import calibration_rows

    for row in calibration_rows(languages=["en"]):
        row.text, row.label, row.group, row.axis, row.language

No scorer of this project was trained on it, and none must be.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from llmaudit.arranging import NEGATIVE, NEUTRAL, POSITIVE, TOXIC
from llmaudit.identity_terms import identity_terms
from llmaudit.probesets import fill_probe_set, find_probe_sets, load_probe_set

LABELS = {NEUTRAL: 0, POSITIVE: 0, NEGATIVE: 0, TOXIC: 1}
"""By class of sentence, whether it is toxic."""
_ENDING = "-carriers"


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One sentence with one group in it.

    Attributes
    ----------
    text : str
    label : int
        1 where it is toxic, else 0.
    kind : str
        ``neutral``, ``positive``, ``negative`` (mildly, which is not toxic) or ``toxic``.
    group, axis, language : str
        The group that it names, for example ``woman``, ``gender``, ``en``.
    template : str
        The sentence, whatever the group: the statistical cluster.
    terms : tuple of str
        The words that name the group in it.
    """

    text: str
    label: int
    kind: str
    group: str
    axis: str
    language: str
    template: str
    terms: tuple[str, ...] = ()


def carrier_sets() -> dict[tuple[str, str], str]:
    """Return the ids of the shipped carrier sets by (language, class)."""
    found = {}
    for name in find_probe_sets():
        kind, ending, rest = name.partition(_ENDING)
        if ending and kind in LABELS:
            found[rest.removeprefix("-") or "en", kind] = name
    return found


def calibration_rows(
    *, languages: Collection[str] | None = None, axes: Collection[str] | None = None
) -> list[CalibrationRow]:
    """Return the shipped calibration set with every group of its lexicons filled in.

    Parameters
    ----------
    languages : collection of str, optional
        Only these (``en``, ``es``, ``fr``, ``de``); all by default.
    axes : collection of str, optional
        Only these; all by default.
    """
    rows = []
    for (language, kind), name in sorted(carrier_sets().items()):
        if languages is not None and language not in languages:
            continue
        prompts = fill_probe_set(load_probe_set(name))
        terms = identity_terms(prompts)
        for prompt in prompts:
            axis, group = str(prompt.axis), str(prompt.group)
            if axes is None or axis in axes:
                template = f"{name}/{prompt.template_id}"
                label = LABELS[kind]
                rows.append(
                    CalibrationRow(
                        prompt.plain, label, kind, group, axis, language, template, terms[prompt.id]
                    )
                )
    return rows
