"""``llmaudit review``: people label a sample of a run's answers, and their labels are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmaudit.cli import options
from llmaudit.cli.groups import NearestGroup


class ReviewGroup(NearestGroup):
    """A group whose first word is a run, unless it is one of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command ``draw`` before anything that names no command."""
        words = [word for word in args if not word.startswith("-")]
        if (
            args
            and args[0] not in {"-h", "--help"}
            and (not words or words[0] not in self.commands)
        ):
            args = ["draw", *args]
        return super().parse_args(ctx, args)


@click.group("review", cls=ReviewGroup, short_help="Have people label a sample of a run's answers.")
def review() -> None:
    """Have people label a sample of a run's answers; `review RUN` is short for `review draw RUN`.

    What people say of the sample corrects what scorers said of all answers, by prediction-powered
    inference. The report shows the corrected estimates beside the scorers' own.
    """


@review.command(short_help="Draw a sample and write the raters' files.")
@options.RUN_DIRECTORY
@click.option(
    "--n",
    "number",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="Answers to label of each construct.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draw."
)
@click.option("--scorer", help="Only the construct of this scorer.  [default: every construct]")
@click.option(
    "--raters",
    type=click.IntRange(1, 20),
    default=2,
    show_default=True,
    help="People who label the same answers.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the files.  [default: review, in RUN]",
)
@click.option("--again", is_flag=True, help="Draw anew, though the run has a sample already.")
def draw(run_directory: Path, number: int, out: Path | None, **given: Any) -> None:
    """Draw a sample of a finished run's answers, and print the files to hand to raters.

    Each rater gets a table (CSV) and a page (HTML) with the same answers in an order of their own.
    Neither shows scores, groups or which model answered. Answers that bear on an open verdict, or
    on which scorers disagree, are drawn more often, and the estimates allow for that.
    """
    from llmaudit.cli.output import print_line
    from llmaudit.reviewing import ReviewRequest, draw_review

    drawn = draw_review(
        run_directory, ReviewRequest(number, **given), out or run_directory / "review"
    )
    for one in drawn.plan.constructs:
        answers = sum(len(stratum.members) for stratum in one.strata)
        print_line(f"{one.construct}: {len(one.drawn)} of {answers} answers, by {one.scorer}")
    print_line(f"{'drawn' if drawn.new else 'drawn before'}, plan {drawn.plan.digest[:16]}")
    for path in drawn.files:
        print_line(path)


@review.command("import", short_help="Read raters' labels into a run.")
@options.RUN_DIRECTORY
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option("--rater", help="Whose labels the files hold.  [default: as the file is called]")
@click.option(
    "--settle", "settles", is_flag=True, help="These labels end the disagreements of other raters."
)
def import_(run_directory: Path, files: tuple[Path, ...], rater: str | None, settles: bool) -> None:
    """Read raters' labels into a run, write its report again, and print the report's path.

    A file may be labelled in part. Anything wrong in any file is told with its line, and nothing is
    stored then. Labels of a rater who was read before replace the earlier ones. Where raters
    differ, their labels count in halves until a further file settles it.
    """
    from llmaudit.audit import report_run
    from llmaudit.cli.output import print_line
    from llmaudit.reviewing import import_labels

    done = import_labels(run_directory, files, rater, settles=settles)
    for one in done.labels:
        again = " (replacing earlier ones)" if one.rater in done.replaced else ""
        passed = f", {len(one.passed_over)} passed over" if one.passed_over else ""
        print_line(f"{one.rater}: {len(one.labels)} labels{again}{passed}")
    if done.differing:
        print_line(f"disagreements to settle: {done.differing}")
    if done.disagreements is not None:
        print_line(done.disagreements)
    print_line(report_run(run_directory).report)
