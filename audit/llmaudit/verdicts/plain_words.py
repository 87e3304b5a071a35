"""What a check found, in one sentence for somebody who is no statistician."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmaudit.findings import Because, Finding
from llmaudit.verdicts.few_words import (
    as_sentence,
    count_missing,
    deciding,
    list_reasons,
    own_size,
    quoted,
    say_more,
    unknown_groups,
)
from llmaudit.verdicts.spoken import count, say_limit, spoken_of

_NOT_TESTED = "This was not tested, and what was not tested cannot pass"
_SHOWN = "and the data show that this "


def _others(finding: Finding) -> str:
    contrast = str(finding.detail.get("contrast", "others"))
    return "the other groups" if contrast == "others" else quoted(contrast)


def _statement(finding: Finding) -> str:
    """Return what was found, without any limit."""
    estimate, spoken = deciding(finding), spoken_of(finding.metric)
    part = quoted(estimate.part)
    if estimate.value is None:
        return f"Nothing about {part} could be judged"
    outcomes = int(finding.detail.get("outcomes", estimate.n))
    return spoken.statement.format(
        said=spoken.say(estimate.value),
        part="all groups" if estimate.part == "all" else part,
        others=_others(finding),
        scorer=quoted(str(finding.scorer)),
        counted=count(outcomes, *spoken.counted),
        hits=f"{round(estimate.value * outcomes):,}",
    )


def _allowed(finding: Finding) -> str:
    limit = say_limit(
        spoken_of(finding.metric), finding.kind == "ceiling", finding.margin or 0.0, finding.ideal
    )
    return f"the policy allows {limit}"


def _fitting(finding: Finding) -> str:
    """Return between what values the truth may lie."""
    estimate = deciding(finding)
    if estimate.low is None or estimate.high is None:
        return "any value would fit"
    say = spoken_of(finding.metric).say
    return f"anything from {say(estimate.low)} to {say(estimate.high)} would fit"


def _plain(finding: Finding, rest: str) -> str:
    return f"{_statement(finding)}; {_allowed(finding)}, {rest}."


def _plain_within(finding: Finding) -> str:
    groups = len(finding.parts)
    every = f" for each of the {groups} groups" if groups > 1 else ""
    return _plain(finding, f"{_SHOWN}holds{every}")


def _plain_beyond(finding: Finding) -> str:
    own = f", beyond the {own_size(finding)} that the scorer makes by itself"
    return _plain(finding, f"{_SHOWN}does not hold{'' if finding.scorer_own is None else own}")


def _plain_across(finding: Finding) -> str:
    return _plain(
        finding,
        f"but so few data do not settle whether that holds: {_fitting(finding)}, and about "
        f"{say_more(finding)} would probably settle it",
    )


def _plain_out_of_reach(finding: Finding) -> str:
    return _plain(
        finding,
        f"but the data do not settle whether that holds: {_fitting(finding)}, and even 100 times "
        "as many prompts would not settle it",
    )


def _plain_no_interval(finding: Finding) -> str:
    return _plain(
        finding,
        "but the answers vary too little, or come from too few templates, to say how far this "
        "can be trusted",
    )


def _plain_missing(finding: Finding) -> str:
    estimate = deciding(finding)
    absent = count(estimate.n_missing, "missing outcome", "missing outcomes")
    return _plain(
        finding, f"but that hangs on what the {absent} would have been: {_fitting(finding)}"
    )


def _plain_as_large(finding: Finding) -> str:
    return _plain(
        finding,
        f"but on neutral sentences the scorer alone makes a difference of {own_size(finding)} for "
        "this group, so that this may be the scorer's and not the model's",
    )


def _plain_hides(finding: Finding) -> str:
    return _plain(
        finding,
        f"but on neutral sentences the scorer alone makes a difference of {own_size(finding)} for "
        "this group, which could hide a larger one of the model's",
    )


def _plain_unknown(finding: Finding) -> str:
    return _plain(
        finding,
        f"but how much difference the scorer makes by itself for {unknown_groups(finding)} is "
        "not known, so that none can be told from the model's",
    )


def _plain_missing_limit(finding: Finding) -> str:
    missing, total, limit = count_missing(finding)
    return (
        f"Of {count(total, 'outcome', 'outcomes')} {missing:,} "
        f"{'is' if missing == 1 else 'are'} missing "
        f"({list_reasons(finding.detail['missing'])}), and the policy allows at most "
        f"{100 * limit:.3g} in 100: {_NOT_TESTED[:1].lower()}{_NOT_TESTED[1:]}."
    )


def _plain_untested(finding: Finding) -> str:
    return as_sentence(f"{_NOT_TESTED}: {finding.reason}")


def _as_it_is(finding: Finding) -> str:
    return as_sentence(finding.reason)


PLAIN: Mapping[Because, Callable[[Finding], str]] = {
    Because.WITHIN: _plain_within,
    Because.BEYOND: _plain_beyond,
    Because.ACROSS: _plain_across,
    Because.OUT_OF_REACH: _plain_out_of_reach,
    Because.NO_VALUE: lambda finding: _plain(finding, "and whether that holds is not known"),
    Because.NO_INTERVAL: _plain_no_interval,
    Because.MISSING: _plain_missing,
    Because.SCORER_AS_LARGE: _plain_as_large,
    Because.SCORER_HIDES: _plain_hides,
    Because.SCORER_UNKNOWN: _plain_unknown,
    Because.NOT_MEASURED: _plain_untested,
    Because.MISSING_LIMIT: _plain_missing_limit,
    Because.UNDEFINED: _plain_untested,
    Because.NOT_COVERED: _plain_untested,
    Because.LICENCE: _as_it_is,
}
"""How each rule is said to everybody."""
