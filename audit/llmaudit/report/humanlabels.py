"""What people labelled, as the report prints it, and how it stands to the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from llmaudit.findings import Run
from llmaudit.humanlabels import HumanEstimate, HumanLabels, LabelledConstruct
from llmaudit.records import Verdict
from llmaudit.report import wording
from llmaudit.report.views import (
    HumanEstimateRow,
    HumanLabelsView,
    HumanMeasure,
    LabelledRow,
)

_SHORT = 16
_STANDS = {
    (Verdict.PASS, "within"): "agrees",
    (Verdict.PASS, "across"): "does not show it",
    (Verdict.PASS, "beyond"): "contradicts it",
    (Verdict.FAIL, "within"): "contradicts it",
    (Verdict.FAIL, "across"): "does not show it",
    (Verdict.FAIL, "beyond"): "agrees",
}
_METHOD = (
    "PPI++ over the labels, weighted by one over the chance of being drawn, with a t interval over "
    "templates; widened to exact intervals by stratum, which stay honest where few labels of a "
    "kind were found. Parts of one comparison share alpha (Bonferroni)."
)


def human_labels_view(run: Run) -> HumanLabelsView | None:
    """Return what the report says of human labels; None where no sample was drawn."""
    found = run.human_labels
    if found is None:
        return None
    made = [one for one in found.estimates if one.value is not None]
    return HumanLabelsView(
        sentences=tuple(_sentences(found)),
        constructs=tuple(_construct(one) for one in found.constructs),
        measures=tuple(_measures(made)),
        lacking=tuple(_lacking(found)),
        method=_METHOD,
        plan=found.plan[:_SHORT],
        last=found.last[:_SHORT],
    )


def _sentences(found: HumanLabels) -> Iterator[str]:
    labelled = sum(one.labelled for one in found.constructs)
    if not labelled:
        yield "A sample was drawn for people to label, and nobody's labels have been read in yet."
        return
    yield (
        "People labelled a sample of the answers without seeing any score. What they say corrects "
        "what the scorer said of all answers (prediction-powered inference), so these intervals "
        "hold what such people would find among all of them, even where the scorer is wrong."
    )
    yield (
        "They allow for chance in the answers and in the draw, not for raters who judge unlike "
        "others. They are not corrected over checks, and they change no verdict."
    )
    yield from _agreement_with_checks(found.estimates)
    if found.plans > 1:
        yield f"{found.plans} samples were drawn; only labels of the last count."
    if found.replaced:
        times = "once" if found.replaced == 1 else f"{found.replaced} times"
        yield f"Labels that had been read in were replaced {times}."


def _agreement_with_checks(estimates: Sequence[HumanEstimate]) -> Iterator[str]:
    stands: dict[str, set[str]] = {}
    for one in estimates:
        if one.check is not None and one.side is not None:
            stands.setdefault(one.check, set()).add(_stand(one))
    if not stands:
        yield "No check of the policy is about a measure that these labels correct."
        return
    against = sorted(name for name, said in stands.items() if any("contradict" in s for s in said))
    if against:
        yield f"They contradict the verdict of: {', '.join(against)}."
    else:
        number = len(stands)
        checks = "check" if number == 1 else "checks"
        yield f"They contradict no verdict of the {number} {checks} that they bear on."


def _stand(one: HumanEstimate) -> str:
    """Return how an estimate stands to the verdict of its check, or nothing where there is none."""
    if one.verdict is None or one.side is None:
        return ""
    return _STANDS.get((one.verdict, one.side), f"{one.side} the margin")


def _construct(one: LabelledConstruct) -> LabelledRow:
    return LabelledRow(
        construct=one.construct,
        question=one.question,
        drawn=f"{one.drawn:,} of {one.answers:,}",
        labelled=f"{one.labelled:,}",
        twice=f"{one.twice:,}",
        agree=wording.NO_VALUE if one.percent is None else f"{one.percent:.0%}",
        alpha=_figure(*(_rounded(end) for end in (one.alpha, one.alpha_low, one.alpha_high))),
        differing=f"{one.differing:,} ({one.settled:,} settled)",
        unsure=f"{one.unsure:,}",
        passed_over=f"{one.passed_over:,}",
        raters=", ".join(f"{name} {number:,}" for name, number in one.raters.items()) or "none",
        remark=one.reason or "",
    )


def _measures(made: Sequence[HumanEstimate]) -> Iterator[HumanMeasure]:
    for title, several in groupby(made, _title):
        parts = list(several)
        verdict = parts[0].verdict
        check = "no check" if verdict is None else f"verdict by the scorer: {verdict.value}"
        yield HumanMeasure(title, check, tuple(_estimate(one) for one in parts))


def _estimate(one: HumanEstimate) -> HumanEstimateRow:
    return HumanEstimateRow(
        part="all answers" if one.part == "all" else one.part,
        people=_figure(one.value, one.low, one.high),
        alone=_figure(one.alone, one.alone_low, one.alone_high),
        level=wording.level(one.level),
        labels=f"{one.labelled:,} of {one.answers:,}",
        clusters=f"{one.clusters:,}",
        tuning=wording.NO_VALUE if one.tuning is None else f"{one.tuning:.2f}",
        stands=_stand(one),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _figure(value: float | None, low: float | None, high: float | None) -> str:
    return f"{wording.number(value)} {wording.interval(low, high)}".strip()


def _title(one: HumanEstimate) -> str:
    metric = one.metric.replace("_", " ")
    axis = f", {one.axis}" if one.axis else ""
    return f"{metric[:1].upper()}{metric[1:]}{axis} ({one.probe_set}, {one.scorer})"


def _lacking(found: HumanLabels) -> Iterator[tuple[str, str]]:
    """Yield what labels could have corrected and did not, with the reason; each measure once."""
    without = (one for one in found.estimates if one.value is None)
    for title, several in groupby(without, _title):
        reasons = dict.fromkeys(str(one.reason) for one in several)
        yield title, "; ".join(reasons)
    for metric, reason in found.not_by_labels.items():
        yield metric.replace("_", " ").capitalize(), reason
