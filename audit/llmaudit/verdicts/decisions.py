"""Hold measurements against a policy: one finding per check and per required construct."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmaudit.config import Check, Coverage, Policy
from llmaudit.findings import Estimate, Finding, Measurement
from llmaudit.records import Verdict
from llmaudit.stats import (
    HolmStep,
    cohens_h,
    holm,
    minimum_detectable_effect,
    required_clusters,
)
from llmaudit.verdicts import sentences
from llmaudit.verdicts.claims import (
    Limits,
    claim_p_values,
    distance_to_limit,
    join_verdicts,
    judge_parts,
    missing_decides,
    settling_growth,
)
from llmaudit.verdicts.uncertainty import (
    PROPORTION,
    PartUncertainty,
    part_estimates,
    part_uncertainties,
)


@dataclass(frozen=True, slots=True)
class _Tested:
    """A check with a measurement fit to be judged."""

    check: Check
    measurement: Measurement
    parts: tuple[PartUncertainty, ...]
    limits: Limits
    p_pass: float
    p_fail: float

    @property
    def p_value(self) -> float:
        return min(self.p_pass, self.p_fail)


def decide(
    policy: Policy,
    measurements: Mapping[str, Measurement | None],
    scorer_own: Mapping[str, Measurement],
    not_tested_reasons: Mapping[str, str],
    tested_constructs: Collection[str],
) -> tuple[Finding, ...]:
    """Return one finding per check of the policy, in its order, then one per construct not covered.

    Each check has two opposite claims, *pass* (every part within the limits) and *fail* (some part
    outside), each with a p from intervals that are simultaneous over its parts. Holm's
    procedure runs over the smaller p of each check; every check's interval is then drawn at the
    level of its own Holm step, and the verdict is the interval's position.

    Parameters
    ----------
    policy : Policy
    measurements : mapping of check id to Measurement or None
        None, or no entry, where the check could not be measured.
    scorer_own : mapping of check id to Measurement
        The same metric on neutral carrier sentences, for disparities made of scores.
    not_tested_reasons : mapping of check id to str
        Why a measurement is None; by :func:`coverage_id`, why a construct was not tested although a
        probe set of the run is about it.
    tested_constructs : collection of str
        The constructs of the probe sets that ran.

    Raises
    ------
    ValueError
        If a measurement is of another metric than its check names.
    """
    untested: dict[str, Finding] = {}
    tested: dict[str, _Tested] = {}
    for check in policy.checks:
        measurement = measurements.get(check.id)
        reason = _why_untested(policy, check, measurement, not_tested_reasons)
        if measurement is None or reason is not None:
            untested[check.id] = _untested(check, measurement, str(reason))
        else:
            tested[check.id] = _prepare(check, measurement)
    steps = holm([item.p_value for item in tested.values()], policy.alpha)
    judged = {
        name: _judge(item, step, policy, scorer_own.get(name))
        for (name, item), step in zip(tested.items(), steps, strict=True)
    }
    return (
        *(untested.get(check.id) or judged[check.id] for check in policy.checks),
        *(
            _uncovered(item, not_tested_reasons)
            for item in policy.coverage
            if item.construct_name not in tested_constructs
        ),
    )


def _why_untested(
    policy: Policy, check: Check, measurement: Measurement | None, reasons: Mapping[str, str]
) -> str | None:
    """Return why a check cannot be judged, or None where it can."""
    if measurement is None:
        return reasons.get(check.id, "It was not measured, and no reason was recorded.")
    if measurement.metric != check.metric:
        raise ValueError(
            f"check {check.id!r} is about {check.metric}, its measurement is {measurement.metric}"
        )
    total = measurement.n + measurement.n_missing
    if total and measurement.n_missing / total > policy.max_missing:
        return sentences.say_too_many_missing(
            measurement.n_missing, total, policy.max_missing, measurement.missing_reasons
        )
    if measurement.observed is None or not measurement.parts:
        return f"The measure is undefined: {measurement.reason or 'it has no parts'}."
    return None


def _prepare(check: Check, measurement: Measurement) -> _Tested:
    parts = part_uncertainties(measurement)
    limits = Limits.of(check)
    return _Tested(check, measurement, parts, limits, *claim_p_values(parts, limits))


def _finding(check: Check, verdict: Verdict, reason: str) -> Finding:
    return Finding(
        check=check.id,
        title=check.title,
        kind=check.kind,
        metric=check.metric,
        probe_set=check.probe_set,
        axis=check.axis,
        scorer=check.scorer,
        margin=check.margin,
        ideal=check.ideal,
        verdict=verdict,
        reason=reason,
        required=check.required,
        why=check.why,
    )


def _untested(check: Check, measurement: Measurement | None, reason: str) -> Finding:
    finding = _finding(check, Verdict.NOT_TESTED, reason)
    if measurement is None:
        return finding
    detail = {"n": measurement.n, "n_missing": measurement.n_missing}
    return replace(finding, detail={**detail, "missing": dict(measurement.missing_reasons)})


def coverage_id(construct: str) -> str:
    """Return the id of the finding that a construct was not tested."""
    return f"coverage:{construct}"


def _uncovered(coverage: Coverage, reasons: Mapping[str, str]) -> Finding:
    check = coverage_id(coverage.construct_name)
    return Finding(
        check=check,
        title=coverage.construct_name,
        kind="coverage",
        metric="",
        probe_set="",
        axis=None,
        scorer=None,
        margin=None,
        ideal=0.0,
        verdict=Verdict.NOT_TESTED,
        reason=reasons.get(check, f"No probe set of this run tests {coverage.construct_name}."),
        required=coverage.required,
        why=coverage.why,
    )


def _judge(item: _Tested, step: HolmStep, policy: Policy, own: Measurement | None) -> Finding:
    """Return the finding of a tested check at the level of its Holm step."""
    verdicts = judge_parts(item.parts, item.limits, step.level)
    shown = part_estimates(item.measurement, item.parts, 1 - step.level)
    verdict = join_verdicts(verdicts)
    index = _deciding(item, verdicts, verdict, own)
    estimate = shown[index]
    common = replace(
        _finding(item.check, verdict, ""),
        scorer=item.measurement.scorer or item.check.scorer,
        estimate=estimate,
        parts=shown,
        p_value=item.p_value,
        p_adjusted=step.adjusted,
        scorer_own=_own_value(own, estimate.part),
        detail=_detail(item, step, policy, index, verdicts),
        **_effect(item, estimate),
    )
    if verdict is Verdict.INCONCLUSIVE:
        return _open(common, estimate, item, step)
    return _held_against_scorer(common, estimate, item, own)


def _deciding(
    item: _Tested, verdicts: Sequence[Verdict], verdict: Verdict, own: Measurement | None
) -> int:
    """Return the part that decides: the worst of those that have the check's verdict.

    Of failing parts, one that exceeds the scorer's own disparity comes before one that does not.
    """

    def rank(index: int) -> tuple[bool, float]:
        part = item.parts[index]
        exceeds = verdict is Verdict.FAIL and _exceeds(
            part.observed.value, _own_value(own, part.part)
        )
        return (not exceeds, distance_to_limit(part, item.limits))

    return min((i for i, given in enumerate(verdicts) if given is verdict), key=rank)


def _own_value(own: Measurement | None, part: str) -> float | None:
    """Return the scorer's own value for a group, or None where it is not known."""
    if own is None or own.observed is None or part not in own.parts:
        return None
    value = float(own.observed.value[own.parts.index(part)])
    return None if math.isnan(value) else value


def _exceeds(value: float | None, own: float | None) -> bool:
    return value is not None and own is not None and abs(value) > abs(own)


def _needs_scorer_own(item: _Tested) -> bool:
    return item.check.kind == "disparity" and item.measurement.scorer is not None


def _held_against_scorer(
    finding: Finding, estimate: Estimate, item: _Tested, own: Measurement | None
) -> Finding:
    """Return a settled finding, or inconclusive where the scorer's own disparity forbids it."""
    needed = _needs_scorer_own(item)
    passed = finding.verdict is Verdict.PASS
    concerned = [p.part for p in item.parts] if passed else [estimate.part]
    unknown = [part for part in concerned if needed and _own_value(own, part) is None]
    if unknown:
        reason = sentences.say_scorer_unmeasured(finding.scorer, ", ".join(unknown))
        return replace(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)
    if passed:
        reason = sentences.say_pass(item.check, estimate, len(item.parts))
        return replace(finding, reason=reason)
    own_value = finding.scorer_own if needed else None
    if own_value is not None and not _exceeds(estimate.value, own_value):
        reason = sentences.say_scorer_own(estimate, own_value)
        return replace(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return replace(finding, reason=sentences.say_fail(item.check, estimate, own_value))


def _open(finding: Finding, estimate: Estimate, item: _Tested, step: HolmStep) -> Finding:
    """Return an inconclusive finding with what would settle it."""
    if missing_decides(item.parts, item.limits, step.level):
        reason = sentences.say_missing(item.check, estimate, item.measurement.n_missing)
        return replace(finding, reason=reason)
    clusters = estimate.clusters
    growth = settling_growth(item.parts, item.limits, step.level)
    required = required_clusters(clusters, growth)
    if required is None:
        return replace(finding, reason=sentences.say_open(item.check, estimate, None))
    more = required - clusters
    per_cluster = int(item.measurement.detail.get("prompts", clusters)) / clusters
    prompts = math.ceil(more * per_cluster)
    return replace(
        finding,
        reason=sentences.say_open(item.check, estimate, prompts),
        more_clusters=more,
        more_prompts=prompts,
    )


def _effect(item: _Tested, estimate: Estimate) -> dict[str, Any]:
    """Return effect size and its name, where the measure has one."""
    value, detail = estimate.value, item.measurement.detail
    if value is None:
        return {}
    if detail.get("interval") == PROPORTION:
        ceiling = item.check.kind == "ceiling"
        against = item.check.margin if ceiling else item.check.ideal
        if not 0 <= against <= 1:
            return {}
        name = "Cohen's h against the " + ("ceiling" if ceiling else "ideal")
        return {"effect_size": cohens_h(value, against), "effect_name": name}
    if item.measurement.metric == "choice_log_odds_disparity":
        return {"effect_size": value, "effect_name": "log-odds difference"}
    g = detail.get("groups", {}).get(estimate.part, {}).get("hedges_g")
    if g is None:
        return {}
    return {"effect_size": float(g), "effect_name": "Hedges' g (paired, average SD)"}


def _detail(
    item: _Tested, step: HolmStep, policy: Policy, index: int, verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """Return the numbers behind the verdict that have no field of their own."""
    distribution = item.measurement.observed
    se = math.nan if distribution is None else float(distribution.se[index])
    effect = minimum_detectable_effect(se, step.level, policy.power)
    return {
        "p_pass": item.p_pass,
        "p_fail": item.p_fail,
        "alpha": policy.alpha,
        "alpha_of_step": step.level,
        "power": policy.power,
        "minimum_detectable_effect": effect if math.isfinite(effect) and effect > 0 else None,
        "part_verdicts": {
            part.part: str(given) for part, given in zip(item.parts, verdicts, strict=True)
        },
        "missing": dict(item.measurement.missing_reasons),
        "method": item.measurement.method,
    }
