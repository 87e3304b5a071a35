"""Hold paired measurements against a policy's margins: what got worse, and what did not.

What counts as worse. Where a check is a ceiling, higher is worse, and the worsening is the change
w = c - b. Where it is a disparity, worse is farther from the ideal, whichever side: with b and c
as distances from the ideal, w = |c| - |b|. Of the two linear pieces D = c - b (the change) and
S = c + b (the total), w = sign(D S) min(|D|, |S|); so w exceeds a margin m where D and S both
exceed m or both fall below -m, and each of the two has an interval by the usual rules. Three
claims can be earned, and a check that earns none is inconclusive:

- *regression*: of some part, D and S lie beyond m on one side (a ceiling asks D > m alone);
- *no relevant change*: of every part, D lies within ± m. This is more than w within ± m: a
  disparity that changed sides has a small w and a large D, and nobody may call that no change;
- *improvement*: of some part w lies below -m, and of every part below m.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llmaudit.changes import Change, ChangeVerdict, PairedMeasurement, PartChange
from llmaudit.config import Check, Policy
from llmaudit.errors import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from llmaudit.findings import Distribution, Measurement
from llmaudit.stats import (
    HolmStep,
    PairedSharePart,
    WilsonPart,
    holm,
    part_intervals,
    required_clusters,
)
from llmaudit.verdicts import change_sentences as say
from llmaudit.verdicts.claims import describe_check
from llmaudit.verdicts.uncertainty import PartUncertainty, part_uncertainties
from llmaudit.verdicts.worsening import WorsePart, growth_within, growth_worse

SETTLED = frozenset({ChangeVerdict.REGRESSION, ChangeVerdict.IMPROVEMENT, ChangeVerdict.UNCHANGED})
"""The verdicts that the data have earned."""


@dataclass(frozen=True, slots=True)
class _Tested:
    """A check whose change can be judged."""

    check: Check
    pair: PairedMeasurement
    parts: tuple[WorsePart, ...]
    p_claims: Mapping[ChangeVerdict, float]

    @property
    def p_value(self) -> float:
        return min(self.p_claims.values())


def compare_measurements(
    policy: Policy,
    pairs: Mapping[str, PairedMeasurement],
    not_tested_reasons: Mapping[str, str],
    *,
    one_model: bool = False,
) -> tuple[Change, ...]:
    """Return one change per check of the policy, in its order.

    Holm's procedure runs over the smallest p of each check; every check's intervals are then
    drawn at the level of its own Holm step, and the verdict is their position.

    Parameters
    ----------
    policy : Policy
        A check's margin is the change that it allows.
    pairs : mapping of check id to PairedMeasurement
    not_tested_reasons : mapping of check id to str
        Why a check has no pair.
    one_model : bool
        Both runs are of one model, by its digest: where all outcomes are equal too, nothing can
        have changed, and no inference is made.
    """
    changes: dict[str, Change] = {}
    tested: dict[str, _Tested] = {}
    for check in policy.checks:
        pair = pairs.get(check.id)
        reason = _why_untested(policy, check, pair, not_tested_reasons)
        if pair is None or reason is not None:
            changes[check.id] = _untested(check, pair, str(reason))
        elif one_model and pair.identical:
            changes[check.id] = _same(check, pair, policy)
        else:
            tested[check.id] = _prepare(check, pair)
    steps = holm([item.p_value for item in tested.values()], policy.alpha)
    for (name, item), step in zip(tested.items(), steps, strict=True):
        changes[name] = _judge(item, step, policy)
    return tuple(changes[check.id] for check in policy.checks)


def overall_change(changes: Sequence[Change]) -> ChangeVerdict:
    """Return the verdict of a whole comparison.

    Any regression, required or not, is one; else any required check that is open makes it
    inconclusive, and so does a comparison of which nothing was settled.
    """
    verdicts = {change.verdict for change in changes}
    if ChangeVerdict.REGRESSION in verdicts:
        return ChangeVerdict.REGRESSION
    required = [change.verdict for change in changes if change.required]
    if any(verdict not in SETTLED for verdict in required) or not verdicts & SETTLED:
        return ChangeVerdict.INCONCLUSIVE
    improved = ChangeVerdict.IMPROVEMENT in verdicts
    return ChangeVerdict.IMPROVEMENT if improved else ChangeVerdict.UNCHANGED


def change_exit_code(verdict: ChangeVerdict) -> int:
    """Return the exit code of ``compare``: 1 regression, 3 inconclusive, 0 anything settled."""
    if verdict is ChangeVerdict.REGRESSION:
        return EXIT_FAIL
    return EXIT_PASS if verdict in SETTLED else EXIT_INCONCLUSIVE


def _why_untested(
    policy: Policy, check: Check, pair: PairedMeasurement | None, reasons: Mapping[str, str]
) -> str | None:
    if pair is None:
        return reasons.get(check.id, "It was not measured, and no reason was recorded.")
    change = pair.change
    total = change.n + change.n_missing
    if total and change.n_missing / total > policy.max_missing:
        return say.say_too_many_missing(change, policy.max_missing)
    if change.observed is None or not change.parts:
        return f"The measure is undefined: {change.reason or 'it has no parts'}."
    return None


def _prepare(check: Check, pair: PairedMeasurement) -> _Tested:
    parts = _parts(check, pair)
    m = check.margin
    better = min(part.p_better(m) for part in parts)
    claims = {
        ChangeVerdict.REGRESSION: min(part.p_worse(m) for part in parts),
        ChangeVerdict.UNCHANGED: max(part.p_unchanged(m) for part in parts),
        ChangeVerdict.IMPROVEMENT: max(better, *(part.p_not_worse(m) for part in parts)),
    }
    return _Tested(check, pair, parts, claims)


def _parts(check: Check, pair: PairedMeasurement) -> tuple[WorsePart, ...]:
    changes = _share_uncertainties(pair) or part_uncertainties(pair.change)
    if check.kind == "ceiling":
        return tuple(WorsePart(change, None) for change in changes)
    totals = part_uncertainties(pair.total)
    return tuple(WorsePart(*both) for both in zip(changes, totals, strict=True))


def _share_uncertainties(pair: PairedMeasurement) -> tuple[PartUncertainty, ...]:
    """Return the uncertainty of a rate's change, by rises and falls; nothing for other metrics."""
    rose, fell = pair.rose, pair.fell
    if rose is None or fell is None or rose.observed is None or fell.observed is None:
        return ()
    ends = [(rose.lowest, fell.lowest), (rose.highest, fell.highest)]
    rules = [_share_rule(rose.observed, fell.observed, rose.detail["outcomes"])]
    rules += [
        _share_rule(rise, fall, rose.detail["outcomes_filled"])
        for rise, fall in ends
        if rise is not None and fall is not None
    ]
    known = tuple(rule for rule in rules if rule is not None)
    if len(known) < len(rules):
        return ()
    return (PartUncertainty(rose.parts[0], known[0], known[1:], (-1.0, 1.0)),)


def _share_rule(rose: Distribution, fell: Distribution, outcomes: int) -> PairedSharePart | None:
    """Return the rule of rises and falls; None where a single cluster allows none."""
    rules = [
        part_intervals(one, proportion=True, bounds=(0.0, 1.0), outcomes=outcomes)[0]
        for one in (rose, fell)
    ]
    shares = [rule for rule in rules if isinstance(rule, WilsonPart)]
    return PairedSharePart(*shares) if len(shares) == len(rules) else None


def _change(check: Check, verdict: ChangeVerdict, plain: str) -> Change:
    return Change(**describe_check(check), verdict=verdict, plain=plain)


def _counted(change: Change, measured: Measurement) -> Change:
    return replace(
        change,
        scorer=measured.scorer or change.scorer,
        n=measured.n,
        n_missing=measured.n_missing,
        missing_reasons=dict(measured.missing_reasons),
        clusters=0 if measured.observed is None else measured.observed.clusters,
    )


def _untested(check: Check, pair: PairedMeasurement | None, reason: str) -> Change:
    change = _change(check, ChangeVerdict.NOT_TESTED, reason)
    return change if pair is None else _counted(change, pair.change)


def _same(check: Check, pair: PairedMeasurement, policy: Policy) -> Change:
    """Return the change of a model compared with itself: none, known without inference."""
    values = _values(pair)
    parts = tuple(
        PartChange(
            part, value, value, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1 - policy.alpha,
            ChangeVerdict.UNCHANGED, "equal model digest, equal outcomes",
        )
        for part, (value, _) in zip(pair.change.parts, values, strict=True)
    )  # fmt: skip
    change = _change(check, ChangeVerdict.UNCHANGED, say.ONE_MODEL)
    return replace(_counted(change, pair.change), parts=parts, part=parts[0])


def _values(pair: PairedMeasurement) -> list[tuple[float | None, float | None]]:
    """Return both runs' value of each part."""
    found = []
    for one in (pair.base, pair.candidate):
        values = [] if one.observed is None else one.observed.value.tolist()
        found.append([None if math.isnan(value) else value for value in values])
    return list(zip(*found, strict=True))


def _judge(item: _Tested, step: HolmStep, policy: Policy) -> Change:
    verdicts = [_judge_part(part, item.check.margin, step.level) for part in item.parts]
    verdict = _join(verdicts, item, step.level)
    shown = tuple(
        _part_change(part, both, given, step.level)
        for part, both, given in zip(item.parts, _values(item.pair), verdicts, strict=True)
    )
    index = _deciding(item, verdicts, verdict)
    measured = item.pair.change
    common = replace(
        _counted(_change(item.check, verdict, ""), measured),
        part=shown[index],
        parts=shown,
        p_value=item.p_value,
        p_adjusted=step.adjusted,
    )
    if verdict is ChangeVerdict.INCONCLUSIVE:
        common = _open(common, item, step.level, policy.power)
    plain = common.plain or say.say_plainly(common)
    return replace(common, plain=plain, exact=say.say_exactly(common))


def _judge_part(part: WorsePart, margin: float, alpha: float) -> ChangeVerdict:
    """Return one part's verdict by the position of its intervals."""
    low, high = part.worsening(alpha)
    if low > margin:
        return ChangeVerdict.REGRESSION
    if high < -margin:
        return ChangeVerdict.IMPROVEMENT
    change_low, change_high = part.change.interval(alpha)
    if -margin < change_low and change_high < margin:
        return ChangeVerdict.UNCHANGED
    return ChangeVerdict.INCONCLUSIVE


def _join(verdicts: Sequence[ChangeVerdict], item: _Tested, alpha: float) -> ChangeVerdict:
    if ChangeVerdict.REGRESSION in verdicts:
        return ChangeVerdict.REGRESSION
    if all(verdict is ChangeVerdict.UNCHANGED for verdict in verdicts):
        return ChangeVerdict.UNCHANGED
    held = all(part.worsening(alpha)[1] < item.check.margin for part in item.parts)
    if ChangeVerdict.IMPROVEMENT in verdicts and held:
        return ChangeVerdict.IMPROVEMENT
    return ChangeVerdict.INCONCLUSIVE


def _deciding(item: _Tested, verdicts: Sequence[ChangeVerdict], verdict: ChangeVerdict) -> int:
    """Return the part that decides: of those with the check's verdict, the one that moved most."""
    sign = -1.0 if verdict is ChangeVerdict.IMPROVEMENT else 1.0
    among = [index for index, given in enumerate(verdicts) if given is verdict]

    def rank(index: int) -> float:
        value = item.parts[index].value
        return -math.inf if math.isnan(value) else sign * value

    return max(among or range(len(verdicts)), key=rank)


def _part_change(
    part: WorsePart,
    values: tuple[float | None, float | None],
    verdict: ChangeVerdict,
    alpha: float,
) -> PartChange:
    change = part.change
    observed = change.observed.value
    change_low, change_high = (_known(end) for end in change.interval(alpha))
    low, high = (_known(end) for end in part.worsening(alpha))
    method = change.observed.method
    if change.extremes:
        method += ", widened to hold whatever the missing outcomes were"
    return PartChange(
        part=change.part,
        base=values[0],
        candidate=values[1],
        change=_known(observed),
        change_low=change_low,
        change_high=change_high,
        worsening=_known(part.value),
        low=low,
        high=high,
        level=1 - alpha,
        verdict=verdict,
        method=method,
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _open(change: Change, item: _Tested, alpha: float, power: float) -> Change:
    """Return an inconclusive change with what would settle it."""
    part, m = change.part, item.check.margin
    if part is None:
        raise ValueError("a tested check has a part that decides")
    if _turned(item, alpha):
        return replace(change, plain=say.say_turned(change, part))
    if _missing_decide(item, alpha):
        return replace(change, plain=say.say_missing(change, part))
    growth = min(
        max(growth_within(one.change, (m, -m), alpha, power) for one in item.parts),
        min(growth_worse(one, m, alpha, power) for one in item.parts),
    )
    required = required_clusters(change.clusters, growth)
    if required is None:
        return change
    more = required - change.clusters
    per_cluster = int(item.pair.change.detail["prompts"]) / change.clusters
    return replace(change, more_clusters=more, more_prompts=math.ceil(more * per_cluster))


def _turned(item: _Tested, alpha: float) -> bool:
    """Say whether a disparity has certainly moved by more than the margin without growing."""
    m = item.check.margin
    for part in item.parts:
        low, high = part.change.interval(alpha)
        worse_low, worse_high = part.worsening(alpha)
        if (low > m or high < -m) and -m < worse_low and worse_high < m:
            return True
    return False


def _missing_decide(item: _Tested, alpha: float) -> bool:
    """Say whether the outcomes there are would have settled what the missing ones leave open."""
    if not any(part.change.extremes for part in item.parts):
        return False
    bare = replace(item, parts=tuple(map(_without_extremes, item.parts)))
    verdicts = [_judge_part(part, item.check.margin, alpha) for part in bare.parts]
    return _join(verdicts, bare, alpha) is not ChangeVerdict.INCONCLUSIVE


def _without_extremes(part: WorsePart) -> WorsePart:
    total = None if part.total is None else replace(part.total, extremes=())
    return WorsePart(replace(part.change, extremes=()), total)
