"""The rounds of an adaptive run as the report prints them: what was asked, and settled when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from llmaudit.findings import Round, Rounds, Run
from llmaudit.report.views import RoundRow, RoundsView, SampledRow

_TIMES = "smhd"


def rounds_view(run: Run) -> RoundsView | None:
    """Return what the report says of the rounds; None for a run that was asked at once."""
    if run.rounds is None:
        return None
    titles = {finding.check: finding.title for finding in run.findings}
    return RoundsView(
        tuple(_sentences(run.rounds)),
        tuple(_row(one, titles) for one in run.rounds.rounds),
        tuple(_sampled(run.rounds)),
    )


def rounds_line(rounds: Rounds) -> str:
    """Return in a few words how many rounds there were and how much they asked."""
    number = len(rounds.rounds)
    said = "1 round" if number == 1 else f"{number} rounds"
    return f"{said}, {_part_of(rounds.generations, rounds.full_generations)} generations"


def _sentences(rounds: Rounds) -> Iterator[str]:
    number = len(rounds.rounds)
    yield (
        f"This run asked in {number} {'round' if number == 1 else 'rounds'}, each but the first "
        f"only where a check was still open. It made "
        f"{_part_of(rounds.generations, rounds.full_generations)} generations and "
        f"{_part_of(rounds.likelihoods, rounds.full_likelihoods)} likelihoods of the whole suite."
    )
    yield (
        "Which templates each look at a probe set sees, and which share of alpha it may spend (the "
        "share of the templates that it adds), was fixed before the first request. So looking "
        "early, and stopping for whatever reason, does not make wrong verdicts more likely."
    )
    yield (
        "A check that a look settled keeps that look's estimate and interval. Such an estimate "
        "tends to lie somewhat further from its limit than the truth; its interval allows for that."
    )
    if rounds.budget is not None:
        yield f"The last session was allowed {_say_budget(rounds.budget)}."
    if rounds.refused:
        yield f"Not asked on, although a check was open: {_say_cells(rounds.refused)}."


def _say_budget(budget: str) -> str:
    if budget[-1] in _TIMES and budget[:-1].isdigit():
        return (
            f"{budget} of asking and scoring, counted over all sessions. How far that reaches "
            f"depends on the machine, so another run may come to more or fewer rounds"
        )
    return f"{int(budget.partition('-')[0]):,} generations"


def _say_cells(cells: Iterable[tuple[str, str]]) -> str:
    axes: dict[str, list[str]] = {}
    for name, axis in cells:
        axes.setdefault(name, []).append(axis)
    return ", ".join(
        f"{name} ({', '.join(found)})" if any(found) else name for name, found in axes.items()
    )


def _part_of(made: int, whole: int) -> str:
    return f"{made:,} of {whole:,} ({made / whole:.0%})" if whole else "no"


def _row(one: Round, titles: Mapping[str, str]) -> RoundRow:
    generations = sum(part.generations for part in one.parts)
    likelihoods = sum(part.likelihoods for part in one.parts)
    looks: dict[str, None] = {}
    for part in one.parts:
        looks[f"{part.probe_set}: look {part.look} of {part.looks}"] = None
    return RoundRow(
        one.number,
        f"{generations:,}",
        f"{likelihoods:,}",
        tuple(looks),
        tuple(titles.get(name, name) for name in one.settled),
        tuple(titles.get(name, name) for name in one.given_up),
        len(one.still_open),
    )


def _sampled(rounds: Rounds) -> Iterator[SampledRow]:
    """Yield one row per probe set: what each round asked of it."""
    by_round: list[Counter[str]] = []
    for one in rounds.rounds:
        asked: Counter[str] = Counter()
        for part in one.parts:
            asked[part.probe_set] += part.generations + part.likelihoods
        by_round.append(asked)
    for name, whole in rounds.full_by_set.items():
        made = sum(asked[name] for asked in by_round)
        yield SampledRow(
            name,
            tuple(f"{asked[name]:,}" if asked[name] else "–" for asked in by_round),
            f"{made:,}",
            f"{whole:,}",
            f"{made / whole:.0%}" if whole else "–",
        )
