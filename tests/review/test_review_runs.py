"""From a finished run to corrected estimates in its report, by the commands people type."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from review_cases import Row, drawn, finished, label_table, run, truth

from llmaudit.audit import check_run, report_run
from llmaudit.cli import main
from llmaudit.errors import StoreError, UsageError
from llmaudit.humanlabels import HumanEstimate
from llmaudit.report import results_schema
from llmaudit.reviewing import ReviewRequest, draw_review, import_labels

__all__ = ["finished", "run"]


def call(*words: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words])


def estimate(directory: Path, metric: str) -> HumanEstimate:
    """Return the estimate of a metric by human labels."""
    labels = check_run(directory).human_labels
    assert labels is not None
    return next(one for one in labels.estimates if one.metric == metric)


def careless(seed: int) -> object:
    """Return a rater who sometimes errs, and sometimes cannot tell."""
    rng = random.Random(seed)  # noqa: S311

    def label(row: Row) -> str:
        chance = rng.random()
        if chance < 0.05:
            return "unsure"
        return "partial_refusal" if chance < 0.15 else truth(row)

    return label


def test_two_raters_from_draw_to_report(run: Path) -> None:
    before = report_run(run)
    done = call("review", run, "--n", 80)
    assert done.exit_code == 0, done.output
    assert "refusal: 80 of 120 answers, by refusal" in done.output
    tables = [run / "review" / f"rater-{number}.csv" for number in (1, 2)]
    assert all(str(path) in done.output for path in tables)
    text = tables[0].read_bytes().decode("utf-8-sig")
    # Blind: no score, no group, no probe set, no request; and nothing that a spreadsheet would run.
    assert text.startswith("item,question,labels,prompt,answer,label,note\r\n")
    assert "harmful-requests" not in text
    assert "'=HYPERLINK" in text
    empty = report_run(run)
    assert "labels have been read in yet" in empty.report.read_text("utf-8")
    for seed, path in enumerate(tables):
        label_table(path, careless(seed))  # type: ignore[arg-type]
    done = call("review", "import", run, *tables)
    assert done.exit_code == 0, done.output
    assert "rater-1: 80 labels" in done.output
    assert "disagreements to settle" in done.output
    found = check_run(run)
    assert found.verdict == before.run.verdict
    assert found.findings == before.run.findings
    assert found.timing.finished == before.run.timing.finished
    labels = found.human_labels
    assert labels is not None
    (construct,) = labels.constructs
    assert (construct.answers, construct.drawn, construct.twice) == (120, 80, 80)
    assert construct.raters == {"rater-1": 80, "rater-2": 80}
    assert construct.percent == pytest.approx(1 - construct.differing / 80)
    assert construct.alpha is not None
    assert construct.alpha_low is not None
    assert construct.alpha_low < construct.alpha < 1
    compliance = estimate(run, "harmful_compliance")
    assert compliance.check == "compliance"
    assert compliance.verdict == "fail"
    results = json.loads((run / "results.json").read_text("utf-8"))
    jsonschema.validate(results, results_schema())
    assert results["human_labels"]["plan"] == labels.plan
    for name in ("report.html", "report.md"):
        page = (run / name).read_text("utf-8")
        assert "Human labels" in page
        assert labels.plan[:16] in page
        assert labels.last[:16] in page


def test_labels_correct_a_scorer_that_is_wrong(run: Path) -> None:
    """The scorer takes evasive words for compliance; people do not, and the interval is theirs."""
    done = drawn(run, 120)
    for number in (1, 2):
        label_table(run / "review" / f"rater-{number}.csv")
    import_labels(run, list(done.files[::2]))
    found = estimate(run, "harmful_compliance")
    with sqlite3.connect(run / "run.sqlite") as store:
        texts = [row[0] for row in store.execute("SELECT text FROM generation")]
    harmful = [text for text in texts if not text.startswith("Of course")]
    share = sum("Sure, here" in text for text in harmful) / len(harmful)
    # All 80 answers to harmful requests are labelled, so the value is the truth.
    assert found.labelled == found.answers == len(harmful)
    assert found.value == pytest.approx(share)
    assert found.alone is not None
    assert found.alone > share + 0.1
    assert found.alone_low is not None
    assert found.high is not None
    assert found.high < found.alone_low
    assert (found.side, found.verdict) == ("across", "fail")
    refusal = estimate(run, "over_refusal")
    assert (refusal.value, refusal.low) == (0.0, 0.0)
    assert refusal.side is None
    page = (report_run(run).report).read_text("utf-8")
    assert "does not show it" in page


def test_few_labels_say_why_there_is_no_estimate(run: Path) -> None:
    done = drawn(run, 60)
    path = done.files[0]
    order = iter(range(1000))
    label_table(path, lambda row: truth(row) if next(order) < 15 else "")
    imported = import_labels(run, [path])
    assert [len(one.labels) for one in imported.labels] == [15]
    assert imported.labels[0].passed_over == ()
    assert imported.disagreements is None
    found = estimate(run, "harmful_compliance")
    assert found.value is None
    assert found.reason == f"{found.labelled} labels; a rate needs 20"
    assert "a rate needs 20" in report_run(run).report.read_text("utf-8")


def test_what_nobody_can_judge_counts_at_both_ends(run: Path) -> None:
    done = drawn(run, 120)
    label_table(done.files[0])
    import_labels(run, [done.files[0]])
    sure = estimate(run, "harmful_compliance")
    seen = iter(range(1000))
    label_table(done.files[0], lambda row: "unsure" if next(seen) % 10 == 0 else truth(row))
    import_labels(run, [done.files[0]])
    unsure = estimate(run, "harmful_compliance")
    assert sure.low is not None
    assert sure.high is not None
    assert unsure.low is not None
    assert unsure.high is not None
    assert unsure.low < sure.low
    assert unsure.high > sure.high
    # A note, but no label: passed over, and so bounded too.
    label_table(done.files[0], lambda row: "" if "rather leave" in row["answer"] else truth(row))
    imported = import_labels(run, [done.files[0]])
    assert imported.replaced == ("rater-1",)
    assert len(imported.labels[0].passed_over) > 20
    passed = estimate(run, "harmful_compliance")
    assert passed.high is not None
    assert passed.high > unsure.high
    labels = check_run(run).human_labels
    assert labels is not None
    assert labels.replaced == 2
    assert "were replaced 2 times" in report_run(run).report.read_text("utf-8")


def test_a_further_rater_settles_disagreements(run: Path) -> None:
    done = drawn(run, 80)
    label_table(done.files[0])
    swapped = {"full_refusal": "compliance", "compliance": "compliance"}
    label_table(done.files[2], lambda row: swapped[truth(row)])
    imported = import_labels(run, [done.files[0], done.files[2]])
    table = imported.disagreements
    assert table is not None
    assert imported.differing > 10
    halves = estimate(run, "harmful_compliance")
    label_table(table)
    settled = call("review", "import", run, table, "--settle", "--rater", "judge")
    assert settled.exit_code == 0, settled.output
    assert "to settle" not in settled.output  # all are
    labels = check_run(run).human_labels
    assert labels is not None
    (construct,) = labels.constructs
    assert construct.settled == construct.differing == imported.differing
    assert "judge" not in construct.raters
    after = estimate(run, "harmful_compliance")
    assert after.value is not None
    assert halves.value is not None
    assert after.value < halves.value


def test_one_draw_unless_another_is_asked_for(run: Path) -> None:
    first = drawn(run)
    again = drawn(run)
    assert (first.new, again.new) == (True, False)
    assert again.plan == first.plan
    with pytest.raises(UsageError, match="has a review plan already: 60 answers"):
        drawn(run, 61)
    other = draw_review(run, ReviewRequest(61, 0, 1, "refusal", again=True), run / "more")
    assert [path.name for path in other.files] == ["rater-1.csv", "rater-1.html"]
    old = call("review", "import", run, first.files[0])
    assert old.exit_code == 2
    assert "unknown item" in old.output
    labels = check_run(run).human_labels
    assert labels is not None
    assert labels.plans == 2
    for words, said in (
        (("--again", "--out", run / "results.json" / "x"), "cannot be made"),
        (("--scorer", "refusl"), "did you mean 'refusal'?"),
        (("--scorer", "degeneration"), "nothing that was measured with scorer 'degeneration'"),
        (("--n", "1", "--again"), "is too small: refusal needs 2"),
    ):
        wrong = call("review", run, *words)
        assert wrong.exit_code == 2
        assert said in wrong.output


def test_nothing_is_stored_of_a_faulty_file_or_without_a_draw(run: Path) -> None:
    missing = call("review", "import", run, run / "absent.csv")
    assert missing.exit_code == 2
    assert "nothing was drawn" in missing.output
    done = drawn(run)
    label_table(done.files[0], lambda _row: "nonsense")
    wrong = call("review", "import", run, done.files[0], done.files[2])
    assert wrong.exit_code == 2
    assert wrong.output.count("unknown label 'nonsense'") == 60
    labels = check_run(run).human_labels
    assert labels is not None
    assert labels.constructs[0].raters == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM event WHERE number = (SELECT max(number) - 1 FROM event)", "does not follow"),
        (
            "UPDATE event SET data = replace(data, '\"compliance\"', '\"full_refusal\"') "
            "WHERE number = (SELECT max(number) - 1 FROM event)",
            "does not follow",
        ),
        (
            "UPDATE event SET data = replace(data, '\"seed\": 0', '\"seed\": 1') "
            "WHERE kind = 'review plan'",
            "digest is not",
        ),
        (
            "UPDATE event SET data = replace(data, '\"compliance\"', '\"toxic\"') "
            "WHERE number = (SELECT max(number) FROM event)",
            "labels of rater 'rater-2' are not of their plan",
        ),
        (
            "UPDATE event SET data = replace(data, '\"labels\"', '\"label\"') "
            "WHERE number = (SELECT max(number) FROM event)",
            "review labels that are none",
        ),
    ],
)
def test_a_changed_review_is_refused(run: Path, change: str, said: str) -> None:
    done = drawn(run, 40)
    for path in done.files[::2]:
        label_table(path)
    import_labels(run, list(done.files[::2]))
    with sqlite3.connect(run / "run.sqlite") as store:
        triggers = dict(
            store.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'event_no_%'")
        )
        for name in triggers:
            store.execute(f"DROP TRIGGER {name}")
        assert store.execute(change).rowcount == 1
        for text in triggers.values():
            store.execute(text)
    with pytest.raises(StoreError, match=said):
        check_run(run)
