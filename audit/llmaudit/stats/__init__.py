"""Statistics: arrays in, numbers out, the random generator passed in.

This package knows nothing of prompts, models or policies. ``docs/statistics.md`` says what is
computed and why.
"""

from llmaudit.stats.bootstrap import (
    MIN_CLUSTERS,
    cluster_bootstrap,
    cluster_bootstraps,
    jackknife_error,
    ratio_and_error,
    resample_counts,
)
from llmaudit.stats.contrasts import cluster_table, paired_contrasts
from llmaudit.stats.effects import cliffs_delta, cohens_h, hedges_g_paired, wasserstein_1
from llmaudit.stats.intervals import (
    max_t_p,
    max_t_quantile,
    max_t_statistics,
    t_interval,
    two_sided_p,
    two_sided_quantile,
    wilson_interval,
)
from llmaudit.stats.multiplicity import HolmStep, holm
from llmaudit.stats.parts import PartInterval, part_intervals
from llmaudit.stats.power import MAX_GROWTH, minimum_detectable_effect, required_clusters

__all__ = [
    "MAX_GROWTH",
    "MIN_CLUSTERS",
    "HolmStep",
    "PartInterval",
    "cliffs_delta",
    "cluster_bootstrap",
    "cluster_bootstraps",
    "cluster_table",
    "cohens_h",
    "hedges_g_paired",
    "holm",
    "jackknife_error",
    "max_t_p",
    "max_t_quantile",
    "max_t_statistics",
    "minimum_detectable_effect",
    "paired_contrasts",
    "part_intervals",
    "ratio_and_error",
    "required_clusters",
    "resample_counts",
    "t_interval",
    "two_sided_p",
    "two_sided_quantile",
    "wasserstein_1",
    "wilson_interval",
]
