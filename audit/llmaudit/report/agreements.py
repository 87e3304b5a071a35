"""How far scorers of one construct agree, as the report prints it."""

from __future__ import annotations

from llmaudit.findings import Agreement, AgreementFigure, Run
from llmaudit.report import wording
from llmaudit.report.examples import example_view
from llmaudit.report.views import AgreementView


def agreement_views(run: Run) -> tuple[AgreementView, ...]:
    """Return one view for every two scorers of one construct."""
    return tuple(_view(agreement) for agreement in run.agreements)


def _view(agreement: Agreement) -> AgreementView:
    values, labels = agreement.values, agreement.labels
    said = (one.reason for one in (values, labels) if one is not None and one.reason)
    return AgreementView(
        construct=agreement.construct,
        scorers=" and ".join(agreement.scorers),
        n=f"{agreement.n:,}",
        n_missing=f"{agreement.n_missing:,}",
        clusters=f"{agreement.clusters:,}",
        values=_figure(values),
        labels=wording.NO_VALUE if labels is None else _figure(labels),
        differing=wording.NO_VALUE if labels is None else f"{agreement.differing:,}",
        level=wording.level(agreement.level),
        reason="; ".join(dict.fromkeys(said)),
        disputed=tuple(example_view(example) for example in agreement.disputed),
    )


def _figure(figure: AgreementFigure) -> str:
    ends = wording.interval(figure.low, figure.high) if figure.low is not None else ""
    return f"{wording.number(figure.value)} {ends}".strip()
