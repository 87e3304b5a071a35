"""Statistics: arrays in, numbers out, the random generator passed in.

This package knows nothing of prompts, models or policies. ``docs/statistics.md`` says what is
computed and why.
"""

from llmaudit.stats.bootstrap import (
    FEW_CLUSTERS,
    MIN_CLUSTERS,
    cluster_bootstrap,
    cluster_bootstraps,
    jackknife_error,
    ratio_and_error,
    resample_counts,
    satterthwaite_df,
)
from llmaudit.stats.contrasts import cluster_table, paired_contrasts
from llmaudit.stats.effects import cliffs_delta, cohens_h, hedges_g_paired, wasserstein_1
from llmaudit.stats.equivalence import equivalence_interval, equivalence_p
from llmaudit.stats.exact import midp_interval, midp_p
from llmaudit.stats.intervals import (
    max_t_p,
    max_t_quantile,
    max_t_statistics,
    two_sided_p,
    two_sided_quantile,
    wilson_interval,
)
from llmaudit.stats.missing import worst_case_contrasts, worst_case_values
from llmaudit.stats.multiplicity import HolmStep, false_discovery_rates, holm
from llmaudit.stats.paired_shares import PairedSharePart
from llmaudit.stats.parts import PartInterval, WilsonPart, part_intervals
from llmaudit.stats.permutation import sign_flip_p
from llmaudit.stats.power import MAX_GROWTH, minimum_detectable_effect, required_clusters
from llmaudit.stats.prevalence import Corrected, Validated, corrected_rate, rogan_gladen
from llmaudit.stats.resampling import bca_interval, expanded_alpha, percentile_interval
from llmaudit.stats.sequential import (
    AT_ONCE,
    MOST_LOOKS,
    Spending,
    distance_needed,
    look_sizes,
    spend_linearly,
)
from llmaudit.stats.weighted_effects import Effect, EffectSizes, effect_sizes

__all__ = [
    "AT_ONCE",
    "FEW_CLUSTERS",
    "MAX_GROWTH",
    "MIN_CLUSTERS",
    "MOST_LOOKS",
    "Corrected",
    "Effect",
    "EffectSizes",
    "HolmStep",
    "PairedSharePart",
    "PartInterval",
    "Spending",
    "Validated",
    "WilsonPart",
    "bca_interval",
    "cliffs_delta",
    "cluster_bootstrap",
    "cluster_bootstraps",
    "cluster_table",
    "cohens_h",
    "corrected_rate",
    "distance_needed",
    "effect_sizes",
    "equivalence_interval",
    "equivalence_p",
    "expanded_alpha",
    "false_discovery_rates",
    "hedges_g_paired",
    "holm",
    "jackknife_error",
    "look_sizes",
    "max_t_p",
    "max_t_quantile",
    "max_t_statistics",
    "midp_interval",
    "midp_p",
    "minimum_detectable_effect",
    "paired_contrasts",
    "part_intervals",
    "percentile_interval",
    "ratio_and_error",
    "required_clusters",
    "resample_counts",
    "rogan_gladen",
    "satterthwaite_df",
    "sign_flip_p",
    "spend_linearly",
    "two_sided_p",
    "two_sided_quantile",
    "wasserstein_1",
    "wilson_interval",
    "worst_case_contrasts",
    "worst_case_values",
]
