"""Hold measurements against a policy: one finding per check and per required construct."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmaudit.config import Check, Coverage, Policy
from llmaudit.findings import NO_SCORER_OWN, Because, Estimate, Finding, Measurement
from llmaudit.policies import coverage_id
from llmaudit.records import Verdict
from llmaudit.stats import (
    AT_ONCE,
    HolmStep,
    Spending,
    cohens_h,
    holm,
    required_clusters,
)
from llmaudit.verdicts.claims import (
    Limits,
    claim_p_values,
    describe_check,
    distance_to_limit,
    join_verdicts,
    judge_parts,
    missing_decides,
    settling_growth,
)
from llmaudit.verdicts.equivalence import describe_equivalence
from llmaudit.verdicts.scorers import ScorerOwn
from llmaudit.verdicts.sentences import put_into_words
from llmaudit.verdicts.uncertainty import (
    PROPORTION,
    PartUncertainty,
    part_estimates,
    part_uncertainties,
)

#: Checks that are judged once spend all of their alpha at once.
_NONE_SPENT: Mapping[str, Spending] = {}


@dataclass(frozen=True, slots=True)
class _Tested:
    """A check with a measurement fit to be judged."""

    check: Check
    measurement: Measurement
    parts: tuple[PartUncertainty, ...]
    limits: Limits
    p_pass: float
    p_fail: float
    spending: Spending

    @property
    def p_value(self) -> float:
        return min(self.p_pass, self.p_fail)

    @property
    def part_names(self) -> tuple[str, ...]:
        return tuple(part.part for part in self.parts)

    @property
    def needs_scorer_own(self) -> bool:
        compares_groups = self.measurement.metric.endswith("_disparity")
        if self.measurement.detail.get(NO_SCORER_OWN):
            return False
        return compares_groups and self.measurement.scorer is not None


@dataclass(frozen=True, slots=True)
class _Settled:
    """A verdict, what it rests on, and what would settle it where it is open.

    ``index`` is the part that decides, where it is another than the worst.
    """

    verdict: Verdict
    because: Because
    more_clusters: int | None = None
    more_prompts: int | None = None
    index: int | None = None


_NO_REASON = "It was not measured, and no reason was recorded."


def decide(
    policy: Policy,
    measurements: Mapping[str, Measurement | None],
    scorer_own: Mapping[str, Measurement],
    not_tested_reasons: Mapping[str, str],
    tested_constructs: Collection[str],
    spending: Mapping[str, Spending] = _NONE_SPENT,
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
        Why a measurement is None; by :func:`llmaudit.policies.coverage_id`, why a construct was
        not tested although a probe set of the run is about it.
    tested_constructs : collection of str
        The constructs of the probe sets that ran.
    spending : mapping of check id to Spending
        For data that are looked at while they grow: what each check's look may spend of its alpha.
        A check named here counts in Holm's procedure also while it cannot be tested.

    Raises
    ------
    ValueError
        If a measurement is of another metric than its check names.
    """
    untested, tested = _sort_checks(policy, measurements, not_tested_reasons, spending)
    judged = _judge_all(policy, tested, scorer_own, sum(name not in tested for name in spending))
    findings = (
        *(untested.get(check.id) or judged[check.id] for check in policy.checks),
        *(
            _uncovered(item, not_tested_reasons)
            for item in policy.coverage
            if item.construct_name not in tested_constructs
        ),
    )
    return tuple(put_into_words(finding) for finding in findings)


def _sort_checks(
    policy: Policy,
    measurements: Mapping[str, Measurement | None],
    reasons: Mapping[str, str],
    spending: Mapping[str, Spending],
) -> tuple[dict[str, Finding], dict[str, _Tested]]:
    """Return the findings of checks that cannot be judged, and what the others are judged by."""
    untested: dict[str, Finding] = {}
    tested: dict[str, _Tested] = {}
    for check in policy.checks:
        measurement = measurements.get(check.id)
        if measurement is None:
            reason = reasons.get(check.id, _NO_REASON)
            untested[check.id] = _finding(check, Verdict.NOT_TESTED, reason=reason)
        elif (obstacle := _obstacle(policy, check, measurement)) is not None:
            untested[check.id] = _untested(policy, check, measurement, *obstacle)
        else:
            spent = spending.get(check.id, AT_ONCE)
            tested[check.id] = _prepare(check, measurement, spent)
    return untested, tested


def _judge_all(
    policy: Policy,
    tested: Mapping[str, _Tested],
    scorer_own: Mapping[str, Measurement],
    waiting: int,
) -> dict[str, Finding]:
    """Return the findings of checks by Holm's procedure, in which ``waiting`` more are counted."""
    p_values = [item.p_value / item.spending.now for item in tested.values()]
    steps = holm([*p_values, *[1.0] * waiting], policy.alpha)
    return {
        name: _judge(
            item, replace(step, level=step.level * item.spending.now), policy, scorer_own.get(name)
        )
        for (name, item), step in zip(tested.items(), steps, strict=False)
    }


def _obstacle(policy: Policy, check: Check, measurement: Measurement) -> tuple[Because, str] | None:
    """Return why a measurement cannot be judged, or None where it can."""
    if measurement.metric != check.metric:
        raise ValueError(
            f"check {check.id!r} is about {check.metric}, its measurement is {measurement.metric}"
        )
    total = measurement.n + measurement.n_missing
    if total and measurement.n_missing / total > policy.max_missing:
        return Because.MISSING_LIMIT, ""
    if measurement.observed is None or not measurement.parts:
        why = measurement.reason or "it has no parts"
        return Because.UNDEFINED, f"The measure is undefined: {why}."
    return None


def _prepare(check: Check, measurement: Measurement, spending: Spending) -> _Tested:
    parts = part_uncertainties(measurement)
    limits = Limits.of(check)
    return _Tested(check, measurement, parts, limits, *claim_p_values(parts, limits), spending)


def _finding(
    check: Check,
    verdict: Verdict,
    because: Because = Because.NOT_MEASURED,
    reason: str = "",
) -> Finding:
    return Finding(
        **describe_check(check),
        verdict=verdict,
        because=because,
        reason=reason,
        reference=check.reference,
    )


def _untested(
    policy: Policy, check: Check, measurement: Measurement, because: Because, reason: str
) -> Finding:
    return replace(
        _finding(check, Verdict.NOT_TESTED, because, reason),
        detail={
            "n": measurement.n,
            "n_missing": measurement.n_missing,
            "missing": dict(measurement.missing_reasons),
            "max_missing": policy.max_missing,
        },
    )


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
        because=Because.NOT_COVERED,
        reason=reasons.get(check, f"No probe set of this run tests {coverage.construct_name}."),
        required=coverage.required,
        why=coverage.why,
    )


def _judge(item: _Tested, step: HolmStep, policy: Policy, own: Measurement | None) -> Finding:
    """Return the finding of a tested check at the level of its Holm step."""
    verdicts = judge_parts(item.parts, item.limits, step.level)
    shown = part_estimates(item.measurement, item.parts, 1 - step.level)
    verdict = join_verdicts(verdicts)
    scorer = ScorerOwn.of(own, step.level) if item.needs_scorer_own else None
    index = _deciding(item, verdicts, verdict, shown, scorer)
    if verdict is Verdict.INCONCLUSIVE:
        settled = _Settled(verdict, *_why_open(item, shown[index], step, policy.power))
    else:
        settled = _hold_against_scorer(item, verdict, shown, index, scorer)
    index = settled.index if settled.index is not None else index
    estimate = shown[index]
    known = None if scorer is None else scorer.parts.get(estimate.part)
    return replace(
        _finding(item.check, settled.verdict, settled.because),
        scorer=item.measurement.scorer or item.check.scorer,
        estimate=estimate,
        parts=shown,
        p_value=item.p_value,
        p_adjusted=step.adjusted,
        scorer_own=None if known is None else known.value,
        more_clusters=settled.more_clusters,
        more_prompts=settled.more_prompts,
        detail={
            **_detail(item, step, policy, index, verdicts),
            **({} if scorer is None else scorer.detail(item.part_names, estimate.part)),
        },
        **_effect(item, estimate),
    )


def _deciding(
    item: _Tested,
    verdicts: Sequence[Verdict],
    verdict: Verdict,
    shown: Sequence[Estimate],
    scorer: ScorerOwn | None,
) -> int:
    """Return the part that decides: the worst of those that have the check's verdict.

    Of failing parts, one that exceeds the scorer's own disparity comes before one that does not.
    """

    def rank(index: int) -> tuple[bool, float]:
        exceeds = verdict is Verdict.FAIL and scorer is not None and scorer.exceeded(shown[index])
        return (not exceeds, distance_to_limit(item.parts[index], item.limits))

    return min((i for i, given in enumerate(verdicts) if given is verdict), key=rank)


def _hold_against_scorer(
    item: _Tested,
    verdict: Verdict,
    shown: Sequence[Estimate],
    index: int,
    scorer: ScorerOwn | None,
) -> _Settled:
    """Return a settled verdict, or inconclusive where the scorer's own disparity forbids it."""
    passed = verdict is Verdict.PASS
    because = Because.WITHIN if passed else Because.BEYOND
    if scorer is None:
        return _Settled(verdict, because)
    concerned = item.part_names if passed else (shown[index].part,)
    if scorer.unknown(concerned):
        return _Settled(Verdict.INCONCLUSIVE, Because.SCORER_UNKNOWN)
    if passed:
        hidden = [i for i, one in enumerate(shown) if not scorer.keeps_within(one, item.limits)]
        if hidden:
            return _Settled(Verdict.INCONCLUSIVE, Because.SCORER_HIDES, index=hidden[0])
    elif not scorer.exceeded(shown[index]):
        return _Settled(Verdict.INCONCLUSIVE, Because.SCORER_AS_LARGE)
    return _Settled(verdict, because)


def _why_open(
    item: _Tested, estimate: Estimate, step: HolmStep, power: float
) -> tuple[Because, int | None, int | None]:
    """Return why a check is open, and how many clusters and prompts more would settle it."""
    if missing_decides(item.parts, item.limits, step.level):
        return Because.MISSING, None, None
    if estimate.value is None:
        return Because.NO_VALUE, None, None
    if estimate.low is None or estimate.high is None:
        return Because.NO_INTERVAL, None, None
    clusters = estimate.clusters
    last = step.level / item.spending.now * item.spending.last
    growth = settling_growth(item.parts, item.limits, last, power)
    required = required_clusters(clusters, growth)
    if required is None:
        return Because.OUT_OF_REACH, None, None
    more = required - clusters
    per_cluster = int(item.measurement.detail.get("prompts", clusters)) / clusters
    return Because.ACROSS, more, math.ceil(more * per_cluster)


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
    effect = item.parts[index].observed.detectable(step.level, policy.power)
    tost = (
        {"tost": describe_equivalence(item.measurement, item.limits, policy.alpha)}
        if item.check.kind == "disparity"
        else {}
    )
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
        **{
            name: item.measurement.detail[name]
            for name in ("outcomes", "contrast")
            if name in item.measurement.detail
        },
        **tost,
    }
