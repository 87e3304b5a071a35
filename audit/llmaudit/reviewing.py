"""Human labels of a finished run: what people label is drawn, and what they say is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaudit.arranging import prompt_text
from llmaudit.artifacts import write_text
from llmaudit.config import Policy
from llmaudit.errors import UsageError
from llmaudit.findings import Run
from llmaudit.gathering import StoredRun, current_scores, gather_run, read_run
from llmaudit.records import content_id
from llmaudit.review.framing import Answers, choose_scorers, find_candidates
from llmaudit.review.history import (
    LABELS,
    PLAN,
    History,
    RaterLabels,
    digest_of,
    plan_event,
    read_history,
)
from llmaudit.review.importing import read_labels
from llmaudit.review.judging import judge_answers
from llmaudit.review.page import render_page
from llmaudit.review.planning import ReviewPlan, plan_construct
from llmaudit.review.sheets import Shown, shown_text, write_sheet
from llmaudit.store import RunStore

_SHORT = 8


@dataclass(frozen=True)
class ReviewRequest:
    """What to draw: how many answers of each construct, for how many raters.

    ``scorer`` draws for its construct only; ``again`` draws anew where the run has a plan already.
    """

    number: int
    seed: int
    raters: int
    scorer: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Drawn:
    """A plan, whether it is new, and the files that were written for it."""

    plan: ReviewPlan
    new: bool
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Imported:
    """What an import stored, whose labels it replaced, and where disagreements were written."""

    labels: tuple[RaterLabels, ...]
    replaced: tuple[str, ...]
    disagreements: Path | None
    differing: int


def draw_review(directory: Path, request: ReviewRequest, out: Path) -> Drawn:
    """Draw a sample of a run's answers and write one table and one page for each rater.

    With the same request as before, the files are written again and nothing is drawn.

    Parameters
    ----------
    directory : Path
        The run directory.
    request : ReviewRequest
    out : Path
        The folder of the files.

    Raises
    ------
    UsageError
        If the run has another plan already, nothing in it can be labelled, or the sample is too
        small.
    """
    with RunStore.open(directory) as store:
        stored = read_run(store)
        answers, history = _answers(stored), _history(stored)
        known = history.plan
        run = gather_run(stored, Policy.model_validate(stored.session["policy"]))
        plan = _draw(run, answers, request)
        new = known is None or plan.digest != known.digest
        if known is not None and new and not request.again:
            raise UsageError(
                f"{directory} has a review plan already: {known.number} answers of each construct, "
                f"seed {known.seed}, {known.raters} raters. The same numbers write its files "
                "again; --again draws another sample, and labels of the first one count no more."
            )
        if new:
            store.add_event(PLAN, plan_event(plan, history.last))
    return Drawn(plan, new, tuple(_write_files(plan, answers, out)))


def _draw(run: Run, answers: Answers, request: ReviewRequest) -> ReviewPlan:
    constructs = tuple(
        plan_construct(
            scorer.construct,
            (scorer.name, scorer.digest),
            find_candidates(run, answers, scorer),
            request.number,
            request.seed,
        )
        for scorer in choose_scorers(run, request.scorer)
    )
    return ReviewPlan(run.id, request.number, request.seed, request.raters, constructs)


def show_items(plan: ReviewPlan, answers: Answers) -> dict[str, Shown]:
    """Return what raters see of every item of a plan.

    Parameters
    ----------
    plan : ReviewPlan
    answers : Answers
    """
    return {
        item: Shown(
            item,
            construct,
            shown_text(prompt_text(answers.prompt(request_id))),
            shown_text(answers.generations[request_id].text or ""),
        )
        for item, (construct, request_id) in plan.items().items()
    }


def _write_files(plan: ReviewPlan, answers: Answers, out: Path) -> list[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror or error}.") from error
    items, files = show_items(plan, answers), []
    for number in range(1, plan.raters + 1):
        name = f"rater-{number}"
        ordered = [items[item] for item in plan.order(number)]
        for path, text in (
            (out / f"{name}.csv", "\ufeff" + write_sheet(ordered)),
            (out / f"{name}.html", render_page(name, plan.digest, ordered)),
        ):
            write_text(path, text)
            files.append(path)
    return files


def import_labels(
    directory: Path, paths: Sequence[Path], rater: str | None = None, *, settles: bool = False
) -> Imported:
    """Read labels from files into a run's store.

    Labels of a rater who is known replace the earlier ones. Where raters differ, a table of these
    answers is written beside the first file, for one more rater. Its name holds the review's last
    digest, so that it takes no other table's place; nothing is written where labels settle.

    Parameters
    ----------
    directory : Path
        The run directory.
    paths : sequence of Path
    rater : str, optional
        Whose labels the files hold; by default the files' names say it.
    settles : bool
        Whether these labels end disagreements instead of counting beside the others.

    Raises
    ------
    InvalidFileError
        If anything is wrong with any file; nothing is stored then.
    UsageError
        If no sample was drawn.
    """
    with RunStore.open(directory) as store:
        stored = read_run(store)
        answers, history = _answers(stored), _history(stored)
        plan = history.plan
        if plan is None:
            raise UsageError(f"nothing was drawn in {directory}: `llmaudit review {directory}`.")
        items = show_items(plan, answers)
        found = read_labels(plan, items, paths, rater, settles=settles)
        replaced = tuple(one.rater for one in found if one.rater in history.raters)
        last = history.last
        for one in found:
            event = one.event(last)
            store.add_event(LABELS, event)
            last = digest_of(event)
        after = _history(read_run(store))
    differing = _unsettled(after, plan)
    table = None
    if differing and not settles:
        table = paths[0].parent / f"disagreements-{after.last[:_SHORT]}.csv"
        write_text(table, "\ufeff" + write_sheet(items[item] for item in differing))
    return Imported(tuple(found), replaced, table, len(differing))


def _answers(stored: StoredRun) -> Answers:
    return Answers(stored.prompts, stored.generations, current_scores(stored), stored.scorers)


def _history(stored: StoredRun) -> History:
    return read_history(stored.events, content_id(stored.identity), stored.generations)


def _unsettled(history: History, plan: ReviewPlan) -> list[str]:
    """Return the items on which raters differ and that nobody has settled, in the plan's order."""
    judged = judge_answers(history, plan)
    settled = {item for one in history.raters.values() if one.settles for item in one.labels}
    items: Mapping[str, tuple[str, str]] = plan.items()
    return [
        item
        for item in plan.order(0)
        if item not in settled
        and (found := judged[items[item][0]].get(items[item][1])) is not None
        and found.differs
    ]
