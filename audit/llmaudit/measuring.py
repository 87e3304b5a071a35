"""Measures one scorer, on labelled files or on the shipped calibration set, and keeps its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmaudit.asking import load_scorers
from llmaudit.calibration import calibration_rows
from llmaudit.errors import UsageError
from llmaudit.fetching import sha256_file
from llmaudit.identityshift import SOURCE, as_labelled, identity_shift
from llmaudit.labelled import LabelledText, read_labelled
from llmaudit.progress import Progress, Silence
from llmaudit.scorer_models import ScorerLoader, ScorerOptions, uses_model
from llmaudit.scorerfigures import ScoredTexts, measure_scorer, score_rows
from llmaudit.scorers import Scorer, detoxify_options
from llmaudit.scorers.cards import begin_card, read_card, write_card

NamedFile = tuple[str, Path]
"""The name of the set that a file belongs to, and the file."""


def measure_named(
    name: str,
    files: Sequence[NamedFile] = (),
    *,
    language: str = "en",
    card: Path | None = None,
    checkpoints: Sequence[str] = (),
    detoxify_dtype: str = "float32",
    options: ScorerOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a scorer by its name.

    Parameters
    ----------
    name : str
        Any name of a scorer.
    files : sequence of (str, Path)
        Labelled files with the names of their sets; the shipped calibration set where none is
        given.
    language : str
        Of texts that name none.
    card : Path, optional
        A card to write the figures into; begun where it does not exist.
    checkpoints, detoxify_dtype
        See :func:`llmaudit.scorers.detoxify_options`.
    options : ScorerOptions, optional
        What a scorer that is a model of its own is made of.
    progress : Progress, optional

    Returns
    -------
    dict
        Plain data: see `llmaudit.scorerfigures.measure_scorer`; without files also
        ``identity_shift``.

    Raises
    ------
    InvalidFileError
        If anything is wrong with a file; all faults of all files at once.
    UsageError
        If the card is no scorer card, or nothing can be measured on the shipped set.
    ScorerError
        If the scorer cannot be loaded.
    """
    tell = progress or Silence()
    loader = ScorerLoader(options)
    loader.check_names((name,))
    rows = read_labelled(files) if files else ()
    kept = read_card(card) if card is not None and card.exists() else None
    loader.check(filter(uses_model, (name,)), tell.note)
    given = detoxify_options((name,), checkpoints, detoxify_dtype)
    scorer = load_scorers((name,), given, tell, loader)[name]
    if files:
        figures = measure_scorer(score_rows(scorer, rows, tell, language=language))
    else:
        figures = measure_on_shipped(scorer, tell)
    if card is not None:
        write_card(card, _with_figures(kept or begin_card(scorer.facts), figures, files))
    return figures


def measure_on_shipped(scorer: Scorer, tell: Progress) -> dict[str, Any]:
    """Return a scorer's figures on the shipped calibration set, and its identity shift by axis.

    Only languages that the scorer reads; where the classes of sentences say nothing of its
    construct, the identity shift alone is measured.

    Raises
    ------
    UsageError
        If the set has no sentence in a language that the scorer reads.
    """
    facts = scorer.facts
    known = None if "any" in facts.languages else facts.languages
    rows = calibration_rows(languages=known)
    if not rows:
        read = ", ".join(facts.languages)
        raise UsageError(
            f"the shipped calibration set has no sentence in the languages that {facts.name} reads "
            f"({read}): give labelled texts with --data"
        )
    plain = [
        LabelledText(row.text, False, SOURCE, language=row.language, terms=row.terms)
        for row in rows
    ]
    scored = score_rows(scorer, plain, tell, language="")
    labelled = [as_labelled(facts.construct, row) for row in rows]
    places = [place for place, row in enumerate(labelled) if row is not None]
    chosen = ScoredTexts(
        facts,
        tuple(row for row in labelled if row is not None),
        scored.values[places],
        tuple(scored.reasons[place] for place in places),
    )
    return measure_scorer(chosen) | {"identity_shift": identity_shift(facts, rows, scored.values)}


def _with_figures(
    card: dict[str, Any], figures: dict[str, Any], files: Sequence[NamedFile]
) -> dict[str, Any]:
    """Return a card with the figures of the sets that were measured; other sets are kept."""
    evaluation = dict(card.get("evaluation", {}))
    for name, measured in figures["sets"].items():
        known = evaluation.get(name, {})
        read = {path.name: sha256_file(path) for source, path in files if source == name}
        origin = ", ".join(read) if read else "probes/calibration, shipped with llmaudit"
        measured_by = {"version": figures["scorer"]["version"], "level": figures["level"]}
        evaluation[name] = {"source": known.get("source", origin), **measured, **measured_by}
        if read:
            evaluation[name]["files"] = read
    found = {**card, "evaluation": evaluation}
    if evaluation:
        found.pop("not_measured", None)
    if "identity_shift" in figures:
        found["identity_shift"] = {"source": SOURCE, **figures["identity_shift"]}
    return found
