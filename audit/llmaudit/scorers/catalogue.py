"""The one table of built-in scorers, and how a scorer is found by its name.

A name that is not in the table is looked up, by that name only, among the entry points of the group
``llmaudit.scorers``; the entry point's value is a callable that takes the options and returns a
scorer. Nothing is imported until a scorer is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from llmaudit.errors import AuditError, ScorerError, UnknownNameError, UsageError
from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import Scorer
from llmaudit.scorers.detoxify_files import VARIANTS

GROUP = "llmaudit.scorers"
"""Entry-point group for scorers of other packages."""


def _by_rules(module: str) -> tuple[Callable[..., Scorer], Callable[[], ScorerFacts]]:
    """Return how a scorer that needs no files is loaded and described; its module has its name."""

    def load(progress: object = None) -> Scorer:
        found = import_module(f"llmaudit.scorers.{module}")
        scorer: Scorer = getattr(found, f"{module.title()}Scorer")()
        return scorer

    def describe() -> ScorerFacts:
        found = import_module(f"llmaudit.scorers.{module}")
        facts: ScorerFacts = getattr(found, f"{module}_facts")()
        return facts

    return load, describe


def _toxicity(label: str) -> Callable[..., Scorer]:
    def load(**options: Any) -> Scorer:
        from llmaudit.scorers.toxicity import ToxicityScorer

        return ToxicityScorer(label=label, **options)

    return load


def _refusal(progress: object = None, **options: Any) -> Scorer:
    from llmaudit.scorers.refusal import RefusalScorer

    return RefusalScorer(**options)


def _detoxify(variant: str) -> Callable[..., Scorer]:
    def load(**options: Any) -> Scorer:
        from llmaudit.scorers.detoxify import DetoxifyScorer

        return DetoxifyScorer(variant, **options)

    return load


def _toxicity_facts(label: str) -> Callable[[], ScorerFacts]:
    def facts() -> ScorerFacts:
        from llmaudit.scorers.toxicity import toxicity_facts

        return toxicity_facts(label)

    return facts


def _refusal_facts() -> ScorerFacts:
    from llmaudit.scorers.refusal import refusal_facts

    return refusal_facts()


def _detoxify_facts(variant: str) -> Callable[[], ScorerFacts]:
    def facts() -> ScorerFacts:
        from llmaudit.scorers.detoxify import detoxify_facts

        return detoxify_facts(variant)

    return facts


_BY_RULES = ("sentiment", "pii", "code", "decision", "truth", "leak", "language", "length")

BUILT_IN: Mapping[str, tuple[Callable[..., Scorer], Callable[[], ScorerFacts]]] = {
    "toxicity": (_toxicity("toxicity"), _toxicity_facts("toxicity")),
    "refusal": (_refusal, _refusal_facts),
    "degeneration": _by_rules("degeneration"),
    "detoxify": (_detoxify("original"), _detoxify_facts("original")),
    **{
        f"detoxify:{name}": (_detoxify(name), _detoxify_facts(name))
        for name in VARIANTS
        if name != "original"
    },
    **{name: _by_rules(name) for name in _BY_RULES},
    **{
        f"toxicity:{label}": (_toxicity(label), _toxicity_facts(label))
        for label in ("identity_attack", "threat")
    },
}
"""Name to (function that loads the scorer, function that describes it without loading)."""


def list_scorers() -> tuple[str, ...]:
    """Return the names of all scorers: the built-in ones, then other packages'."""
    others = sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN))
    return (*BUILT_IN, *others)


def load_scorer(name: str, **options: Any) -> Scorer:
    """Return the scorer of that name, loaded and ready.

    Parameters
    ----------
    name : str
        A built-in name, or the name of an entry point in ``llmaudit.scorers``.
    **options
        What the scorer takes: ``progress``, a callable that is told what happens (every built-in
        scorer), ``base`` (toxicity, detoxify), ``weights`` (toxicity), ``checkpoint`` (detoxify).

    Raises
    ------
    UnknownNameError
        If nobody knows the name.
    UsageError
        If the scorer does not take an option.
    ScorerError
        If it cannot be loaded.
    """
    loader = BUILT_IN[name][0] if name in BUILT_IN else _other_loader(name)
    try:
        scorer = loader(**options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise UsageError(f"scorer {name!r} does not take that option: {error}") from error
    except AuditError:
        raise
    except Exception as error:
        raise ScorerError(f"scorer {name!r} could not be loaded: {error!r}") from error
    if not isinstance(scorer, Scorer):
        raise ScorerError(
            f"the entry point {name!r} returned {type(scorer).__name__}, which is no scorer: it "
            "needs 'facts' and 'score'"
        )
    if scorer.facts.name != name:
        raise ScorerError(
            f"the scorer {name!r} calls itself {scorer.facts.name!r}: its scores could not be "
            "found again under the name it was asked for by"
        )
    return scorer


def scorer_facts_without_loading(name: str) -> ScorerFacts | None:
    """Return what a scorer is without loading weights; None for another package's scorer.

    Raises
    ------
    UnknownNameError
        If nobody knows the name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name][1]()
    _other_point(name)
    return None


def _other_point(name: str) -> EntryPoint:
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UnknownNameError("scorer", name, list_scorers())
    return found[0]


def _other_loader(name: str) -> Callable[..., Scorer]:
    point = _other_point(name)
    try:
        loader: Callable[..., Scorer] = point.load()
    except Exception as error:
        raise ScorerError(
            f"the scorer {name!r} of {point.value} could not be imported: {error!r}"
        ) from error
    return loader
