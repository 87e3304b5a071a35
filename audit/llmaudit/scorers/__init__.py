"""Scorers: what turns a model's answers into values, each with its measured error.

:mod:`llmaudit.scorers.catalogue` is the table of all of them; :mod:`llmaudit.scorers.base` says
what a scorer is and scores a run's generations with one.
"""

from llmaudit.scorers.base import (
    Scorer,
    ScorerInput,
    ScorerOutput,
    ScoringItem,
    make_score,
    score_generations,
    score_id,
    score_safely,
)
from llmaudit.scorers.catalogue import (
    BUILT_IN,
    check_scorer_name,
    describe_needs,
    knows_scorer,
    list_scorers,
    load_scorer,
    scorer_facts_without_loading,
)
from llmaudit.scorers.detoxify_variants import detoxify_options

__all__ = [
    "BUILT_IN",
    "Scorer",
    "ScorerInput",
    "ScorerOutput",
    "ScoringItem",
    "check_scorer_name",
    "describe_needs",
    "detoxify_options",
    "knows_scorer",
    "list_scorers",
    "load_scorer",
    "make_score",
    "score_generations",
    "score_id",
    "score_safely",
    "scorer_facts_without_loading",
]
