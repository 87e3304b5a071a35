"""The one table of built-in scorers, and how a scorer is found by its name.

A name that is not in the table is looked up, by that name only, among the entry points of the group
``llmaudit.scorers``; the entry point's value is a callable that takes the options and returns a
scorer. Nothing is imported until a scorer is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from llmaudit.errors import AuditError, ScorerError, UnknownNameError, UsageError
from llmaudit.records import ScorerFacts
from llmaudit.scorers.base import Scorer
from llmaudit.scorers.detoxify_files import describe_files
from llmaudit.scorers.detoxify_variants import all_names, find_variant, variant_of
from llmaudit.scorers.named import GUARD, HUB, JUDGE, family_of, parse_name

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


def _detoxify(variant: str, label: str) -> Callable[..., Scorer]:
    def load(**options: Any) -> Scorer:
        from llmaudit.scorers.detoxify import DetoxifyScorer

        return DetoxifyScorer(variant, label=label, **options)

    return load


def _regard(*, shift: bool) -> Callable[..., Scorer]:
    def load(**options: Any) -> Scorer:
        from llmaudit.scorers.regard import RegardScorer

        return RegardScorer(shift=shift, **options)

    return load


def _regard_facts(*, shift: bool) -> Callable[[], ScorerFacts]:
    def facts() -> ScorerFacts:
        from llmaudit.scorers.regard import regard_facts

        return regard_facts(shift=shift)

    return facts


def _toxicity_facts(label: str) -> Callable[[], ScorerFacts]:
    def facts() -> ScorerFacts:
        from llmaudit.scorers.toxicity import toxicity_facts

        return toxicity_facts(label)

    return facts


def _refusal_facts() -> ScorerFacts:
    from llmaudit.scorers.refusal import refusal_facts

    return refusal_facts()


def _detoxify_facts(variant: str, label: str) -> Callable[[], ScorerFacts]:
    def facts() -> ScorerFacts:
        from llmaudit.scorers.detoxify import detoxify_facts

        return detoxify_facts(variant, label)

    return facts


_BY_RULES = (
    "sentiment", "pii", "code", "attribute", "decision", "truth", "leak", "pronouns", "language",
    "length",
)  # fmt: skip

BUILT_IN: Mapping[str, tuple[Callable[..., Scorer], Callable[[], ScorerFacts]]] = {
    "toxicity": (_toxicity("toxicity"), _toxicity_facts("toxicity")),
    "refusal": (_refusal, _refusal_facts),
    "degeneration": _by_rules("degeneration"),
    **{name: (_detoxify(*which), _detoxify_facts(*which)) for name, which in all_names().items()},
    **{name: _by_rules(name) for name in _BY_RULES},
    "regard": (_regard(shift=False), _regard_facts(shift=False)),
    "regard:shift": (_regard(shift=True), _regard_facts(shift=True)),
    **{
        f"toxicity:{label}": (_toxicity(label), _toxicity_facts(label))
        for label in ("identity_attack", "threat")
    },
}
"""Name to (function that loads the scorer, function that describes it without loading)."""


def list_scorers() -> tuple[str, ...]:
    """Return all names known: built in, then other packages', shipped cards', shipped rubrics'."""
    from llmaudit.scorers.rubrics import list_rubrics
    from llmaudit.scorers.scorer_cards import shipped_cards

    others = sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN))
    checkpoints = (f"{HUB}:{source}" for source in shipped_cards())
    return (*BUILT_IN, *others, *checkpoints, *(f"{JUDGE}:{name}" for name in list_rubrics()))


def knows_scorer(name: str) -> bool:
    """Say whether a name is a scorer's, as far as can be told without looking for its files."""
    if family_of(name) is None:
        return name in list_scorers()
    try:
        parse_name(name)
    except UsageError:
        return False
    return True


def check_scorer_name(name: str) -> None:
    """Refuse a name that no scorer has.

    Raises
    ------
    UnknownNameError
        With the nearest name.
    UsageError
        If it begins like a checkpoint, guard or rubric and names none.
    """
    if family_of(name) is not None:
        parse_name(name)
    elif name not in list_scorers():
        hint = "hf:ORG/NAME#label, hf:./folder#label, guard:MODEL and judge:RUBRIC work too."
        raise UnknownNameError("scorer", name, list_scorers(), hint)


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
    if family_of(name) is not None:
        parse_name(name)
        raise ScorerError(
            f"scorer {name!r} is a model of its own: llmaudit.scorer_models.ScorerLoader loads it"
        )
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

    None also for a guard or a rubric that its name alone does not describe. The digest of a
    checkpoint, guard or judge is empty: what is loaded tells it.

    Raises
    ------
    UnknownNameError
        If nobody knows the name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name][1]()
    if family_of(name) is not None:
        return _describe_named(name)
    _other_point(name)
    return None


def describe_needs(name: str) -> dict[str, str]:
    """Return which files a built-in scorer needs and where they lie; nothing is fetched."""
    variant = variant_of(name)
    if variant is not None:
        return describe_files(find_variant(variant))
    if name.partition(":")[0] == "toxicity":
        from llmaudit.scorers.base_model import HUB_ID, is_base_present

        if is_base_present():
            return {"base": f"{HUB_ID}: on this machine"}
        return {"base": f"{HUB_ID}: not on this machine", "remedy": f"llmaudit fetch {name}"}
    return {}


def _describe_named(name: str) -> ScorerFacts | None:
    """Return the facts of a checkpoint, guard or judge, as far as its card or rubric tells them."""
    from llmaudit.scorers.guard import guard_facts
    from llmaudit.scorers.hub import hub_facts
    from llmaudit.scorers.judge import judge_facts
    from llmaudit.scorers.rubrics import list_rubrics, load_rubric
    from llmaudit.scorers.scorer_cards import find_card

    parsed = parse_name(name)
    if parsed.family == JUDGE:
        shipped = parsed.source in list_rubrics()
        return judge_facts(load_rubric(parsed.source)) if shipped else None
    card = find_card(parsed.source, Path(parsed.source).expanduser(), {})
    if card is not None and card.card.kind == "guard":
        return guard_facts(parsed, card)
    return None if parsed.family == GUARD else hub_facts(parsed, card)


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
