"""What a check found, in one sentence that a statistician can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmaudit.findings import Because, Finding
from llmaudit.records import Verdict
from llmaudit.verdicts.few_words import as_sentence, deciding, list_reasons, number, quoted
from llmaudit.verdicts.spoken import count


def _limits(finding: Finding) -> str:
    if finding.kind == "ceiling":
        return f"ceiling {number(finding.margin)}"
    return f"margin {number(finding.ideal)} ± {number(finding.margin)}"


def _measure(finding: Finding) -> str:
    """Return which value it is: metric, probe set and part."""
    axis = f", axis {finding.axis}" if finding.axis else ""
    part = deciding(finding).part if finding.estimate else "all"
    of_part = "" if part == "all" else f" of {quoted(part)}"
    return f"{finding.metric}{of_part} on {finding.probe_set}{axis}"


def _interval(finding: Finding) -> str:
    estimate = deciding(finding)
    over = f", simultaneous over {len(finding.parts)} parts" if len(finding.parts) > 1 else ""
    if estimate.low is None and estimate.high is None:
        return f"no interval at level {number(100 * estimate.level)} % ({estimate.method}{over})"
    low = "−∞" if estimate.low is None else number(estimate.low)
    high = "∞" if estimate.high is None else number(estimate.high)
    return f"{number(100 * estimate.level)} % interval [{low}, {high}] ({estimate.method}{over})"


def _data(finding: Finding) -> str:
    estimate = deciding(finding)
    return (
        f"n = {estimate.n:,}, {estimate.n_missing:,} missing, "
        f"{count(estimate.clusters, 'cluster', 'clusters')}"
    )


def _p(value: float | None) -> str:
    return "< 0.0001" if value is not None and value < 1e-4 else f"= {number(value)}"


def _test(finding: Finding) -> str:
    detail = finding.detail
    step, alpha = number(detail["alpha_of_step"]), number(detail["alpha"])
    return (
        f"p {_p(detail['p_pass'])} for passing and p {_p(detail['p_fail'])} for failing, "
        f"Holm-adjusted p {_p(finding.p_adjusted)} at alpha {alpha} (this step: {step})"
    )


def _power(finding: Finding) -> str:
    effect = finding.detail["minimum_detectable_effect"]
    if effect is None:
        return "no minimum detectable effect, as nothing varies"
    return f"minimum detectable effect {number(effect)} at power {number(finding.detail['power'])}"


def _scorers_own(finding: Finding) -> str:
    if finding.scorer_own is None:
        return ""
    low, high = finding.detail["scorer_own_interval"]
    ends = "" if low is None or high is None else f" [{number(low)}, {number(high)}]"
    return f"; scorer's own {number(finding.scorer_own)}{ends}"


_CONCLUSIONS: Mapping[Because, str] = {
    Because.WITHIN: "every interval lies within the limits",
    Because.BEYOND: "this interval lies beyond the limits",
    Because.ACROSS: "the interval reaches across a limit",
    Because.OUT_OF_REACH: "the interval reaches across a limit, and would with 100 times the "
    "clusters",
    Because.NO_VALUE: "the part has no value",
    Because.NO_INTERVAL: "the part has no interval",
    Because.MISSING: "the missing outcomes at their two extremes give different verdicts",
    Because.SCORER_AS_LARGE: "the interval does not lie wholly beyond the scorer's own in size",
    Because.SCORER_HIDES: "the interval moved by the scorer's own reaches across a limit",
    Because.SCORER_UNKNOWN: "the scorer's own is not measured for every group concerned",
}


def _exact_judged(finding: Finding) -> str:
    clusters = finding.more_clusters
    more = (
        ""
        if clusters is None
        else f"; {count(clusters, 'more cluster', 'more clusters')} for that power"
    )
    return (
        f"{_measure(finding)} = {number(deciding(finding).value)}, {_interval(finding)}, "
        f"{_data(finding)}; {_limits(finding)}: {_test(finding)}; {_power(finding)}"
        f"{_scorers_own(finding)}{more}; {finding.verdict}: {_CONCLUSIONS[finding.because]}."
    )


def _exact_untested(finding: Finding) -> str:
    """Say what was asked, and that there is nothing to test it by."""
    detail = finding.detail
    counted = "no estimate"
    if "n" in detail:
        counted += f" (n = {detail['n']:,}, {detail['n_missing']:,} missing: "
        counted += f"{list_reasons(detail['missing'])}; limit {number(detail['max_missing'])})"
    return as_sentence(
        f"{_measure(finding)}: {counted}, no interval and no p against {_limits(finding)}; "
        f"{Verdict.NOT_TESTED}: {finding.reason}"
    )


def _exact_not_measured(finding: Finding) -> str:
    return _exact_untested(finding) if finding.metric else _exact_required(finding)


def _exact_required(finding: Finding) -> str:
    return as_sentence(f"{finding.check}: no estimate is made; {finding.verdict}: {finding.reason}")


EXACT: Mapping[Because, Callable[[Finding], str]] = {
    **dict.fromkeys(_CONCLUSIONS, _exact_judged),
    Because.NOT_MEASURED: _exact_not_measured,
    Because.MISSING_LIMIT: _exact_untested,
    Because.UNDEFINED: _exact_untested,
    Because.NOT_COVERED: _exact_required,
    Because.LICENCE: _exact_required,
}
"""How each rule is said exactly."""
