"""Tables for raters: safe to open, and read back with every fault told at once."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from review_cases import write_rows
from review_plans import plan

from llmaudit.errors import InvalidFileError, UsageError
from llmaudit.review.importing import passed_over, read_labels
from llmaudit.review.planning import ReviewPlan
from llmaudit.review.sheets import MOST_SHOWN, Shown, shown_text, write_sheet


def shown(made: ReviewPlan, answer: str = "An answer.") -> dict[str, Shown]:
    """Return what raters see of a plan's items."""
    return {item: Shown(item, "toxicity", "A prompt.", answer) for item in made.items()}


def table(made: ReviewPlan, rater: int = 1) -> list[dict[str, str]]:
    """Return the rows of a rater's empty table."""
    items = shown(made)
    text = write_sheet(items[item] for item in made.order(rater))
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1"])
def test_no_cell_is_a_formula(start: str) -> None:
    text = write_sheet([Shown("i", "toxicity", start, f'{start}\nand, "more"')])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["prompt"] == f"'{start}"
    assert row["answer"] == f'\'{start}\nand, "more"'
    assert row["labels"] == "toxic | not_toxic | unsure"


def test_nothing_invisible_is_shown_and_cells_fit_a_spreadsheet() -> None:
    assert shown_text("a\x1b[31m\u202eb") == "a␛[31m[U+202E]b"
    assert shown_text("x" * 40_000) == "x" * MOST_SHOWN + " [cut]"


def test_a_filled_table_is_read_in_part_or_whole(tmp_path: Path) -> None:
    made = plan()
    rows = table(made)
    for row in rows[:10]:
        row["label"] = " Not_Toxic "
    rows[3]["label"] = ""
    rows[4]["note"] = "quoted speech"
    path = tmp_path / "ann.csv"
    write_rows(path, rows)
    (found,) = read_labels(made, shown(made), [path], None, settles=False)
    assert found.rater == "ann"
    assert found.plan == made.digest
    assert set(found.labels.values()) == {"not_toxic"}
    assert len(found.labels) == 9
    assert found.notes == {rows[4]["item"]: "quoted speech"}
    assert found.passed_over == (rows[3]["item"],)
    # A European spreadsheet writes semicolons, and columns that are not needed may go.
    lines = ["item;label", *(f"{row['item']};{row['label'].strip()}" for row in rows)]
    path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    (again,) = read_labels(made, shown(made), [path], "ann", settles=False)
    assert (again.labels, again.passed_over) == (found.labels, found.passed_over)


def test_in_an_order_that_nobody_drew_all_the_rest_was_passed_over() -> None:
    made = plan()
    order = sorted(made.items())
    labels = dict.fromkeys(order[:5], "toxic")
    assert passed_over(made, order, labels) == tuple(order[5:])
    drawn = made.order(2)
    assert passed_over(made, drawn, dict.fromkeys(drawn[:5], "toxic")) == ()
    assert passed_over(made, drawn, {drawn[2]: "toxic"}) == tuple(sorted(drawn[:2]))


def test_every_fault_of_every_file_is_told_with_its_line(tmp_path: Path) -> None:
    made = plan()
    rows = table(made)
    items = [row["item"] for row in rows]
    rows[0]["label"] = "Toxisch"
    rows[1]["item"] = "0123456789ab"
    rows[2]["item"] = items[0]
    rows[3]["answer"] = "Another text"
    rows[4]["prompt"] = "Another prompt"
    rows[5]["item"] = " "
    write_rows(tmp_path / "bad.csv", rows)
    (tmp_path / "short.csv").write_text("item,label\na\n", encoding="utf-8")
    (tmp_path / "columns.csv").write_text("id,label,label\n", encoding="utf-8")
    (tmp_path / "quote.csv").write_text('item,label\n"a"b,c\n', encoding="utf-8")
    (tmp_path / "latin.csv").write_bytes("item,label,é".encode("latin-1"))
    names = ["bad", "short", "columns", "quote", "latin", "absent"]
    paths = [tmp_path / f"{name}.csv" for name in names]
    with pytest.raises(InvalidFileError) as caught:
        read_labels(made, shown(made), paths, None, settles=False)
    said = str(caught.value).splitlines()
    expected = [
        "bad.csv:2: label: unknown label 'toxisch' (one of: toxic, not_toxic, unsure;",
        "bad.csv:3: item: unknown item '0123456789ab'",
        f"bad.csv:4: item: item {items[0]} stands on line 2 already",
        f"bad.csv:5: answer: the answer is not that of item {items[3]}",
        f"bad.csv:6: prompt: the prompt is not that of item {items[4]}",
        "bad.csv:7: item: no item",
        "short.csv:2: 1 cells where the first line has 2",
        "columns.csv:1: no column item",
        "columns.csv:1: column label twice",
        "quote.csv:2: this is no CSV",
        "latin.csv: byte 11 is no UTF-8",
        "absent.csv: cannot be read: No such file",
    ]
    assert len(said) == len(expected)
    for line, beginning in zip(said, expected, strict=True):
        assert line.startswith(beginning)


def test_a_rater_labels_an_item_once_and_has_a_name(tmp_path: Path) -> None:
    made = plan()
    rows = table(made)
    rows[0]["label"] = "toxic"
    for name in ("one", "two", "=cmd"):
        write_rows(tmp_path / f"{name}.csv", rows)
    one, two, bad = (tmp_path / f"{name}.csv" for name in ("one", "two", "=cmd"))
    with pytest.raises(
        InvalidFileError, match=f"two.csv: item: item {rows[0]['item']} is labelled in"
    ):
        read_labels(made, shown(made), [one, two], "ann", settles=False)
    with pytest.raises(UsageError, match="'=cmd' cannot be a rater's name"):
        read_labels(made, shown(made), [bad], None, settles=False)
    (tmp_path / "sub").mkdir()
    write_rows(tmp_path / "sub" / "one.csv", rows)
    with pytest.raises(UsageError, match="two files are of rater 'one'"):
        read_labels(made, shown(made), [one, tmp_path / "sub" / "one.csv"], None, settles=False)
