"""Statistics: arrays in, numbers out, the random generator passed in.

This package knows nothing of prompts, models or policies. ``docs/statistics.md`` says what is
computed and why.
"""

from llmaudit.stats.agreement import Alpha, Level, clustered_alpha, krippendorff_alpha
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
from llmaudit.stats.calibration import (
    BINS,
    bin_residuals,
    bootstrap_texts,
    brier_score,
    calibration_error,
    error_distance,
    error_interval,
    weighted_error,
)
from llmaudit.stats.combined import combine_intervals
from llmaudit.stats.contrasts import cluster_table, paired_contrasts
from llmaudit.stats.discrimination import (
    Auc,
    CombinedAuc,
    GroupAucs,
    RankedLabels,
    average_precision,
    group_aucs,
    power_mean_auc,
    roc_auc,
)
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
from llmaudit.stats.prediction_powered import (
    LabelledSample,
    Powered,
    ppi_difference,
    ppi_mean,
)
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
from llmaudit.stats.stratified import (
    Bounded,
    stratified_difference,
    stratified_share,
    widen,
)
from llmaudit.stats.weighted_effects import Effect, EffectSizes, effect_sizes

__all__ = [
    "AT_ONCE",
    "BINS",
    "FEW_CLUSTERS",
    "MAX_GROWTH",
    "MIN_CLUSTERS",
    "MOST_LOOKS",
    "Alpha",
    "Auc",
    "Bounded",
    "CombinedAuc",
    "Corrected",
    "Effect",
    "EffectSizes",
    "GroupAucs",
    "HolmStep",
    "LabelledSample",
    "Level",
    "PairedSharePart",
    "PartInterval",
    "Powered",
    "RankedLabels",
    "Spending",
    "Validated",
    "WilsonPart",
    "average_precision",
    "bca_interval",
    "bin_residuals",
    "bootstrap_texts",
    "brier_score",
    "calibration_error",
    "cliffs_delta",
    "cluster_bootstrap",
    "cluster_bootstraps",
    "cluster_table",
    "clustered_alpha",
    "cohens_h",
    "combine_intervals",
    "corrected_rate",
    "distance_needed",
    "effect_sizes",
    "equivalence_interval",
    "equivalence_p",
    "error_distance",
    "error_interval",
    "expanded_alpha",
    "false_discovery_rates",
    "group_aucs",
    "hedges_g_paired",
    "holm",
    "jackknife_error",
    "krippendorff_alpha",
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
    "power_mean_auc",
    "ppi_difference",
    "ppi_mean",
    "ratio_and_error",
    "required_clusters",
    "resample_counts",
    "roc_auc",
    "rogan_gladen",
    "satterthwaite_df",
    "sign_flip_p",
    "spend_linearly",
    "stratified_difference",
    "stratified_share",
    "two_sided_p",
    "two_sided_quantile",
    "wasserstein_1",
    "weighted_error",
    "widen",
    "wilson_interval",
    "worst_case_contrasts",
    "worst_case_values",
]
