"""Labelled files: what is read, and that every fault is told with its place, all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmaudit.errors import InvalidFileError
from llmaudit.labelled import LabelledText, read_labelled


def write(folder: Path, name: str, content: str | bytes) -> tuple[str, Path]:
    """Write a file and return its set and path."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path.stem, path


def faults(*files: tuple[str, Path]) -> list[str]:
    """Return every fault that is told of files, without their folder."""
    with pytest.raises(InvalidFileError) as caught:
        read_labelled(files)
    return [str(one).replace(f"{files[0][1].parent}/", "") for one in caught.value.problems]


def test_quoted_newlines_commas_marks_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = '\ufefftext,label,group\n"two\nlines, and ""marks""",1,women\nplain,0.0,\n'
    assert read_labelled([write(tmp_path, "a.csv", content)]) == (
        LabelledText('two\nlines, and "marks"', True, "a", "women"),
        LabelledText("plain", False, "a"),
    )


def test_lines_of_json_with_every_column(tmp_path: Path) -> None:
    rows = [
        {
            "text": "yes",
            "label": 1,
            "group": "g",
            "axis": "x",
            "template": "t",
            "prompt": " p ",
            "reference": "r",
            "language": "de",
            "more": [1],
        },
        {"text": "", "label": "0", "group": None},
    ]
    content = "\n\n".join(map(json.dumps, rows))
    assert read_labelled([write(tmp_path, "b.jsonl", content)]) == (
        LabelledText("yes", True, "b", "g", "x", "t", " p ", "r", "de"),
        LabelledText("", False, "b"),
    )


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    table = 'text,label\nfine,1\n"over\ntwo",2\nmissing\nlast,nan\n'
    lines = "\n".join(
        [
            '{"text": "a", "label": 1}',
            '{"text": NaN, "label": 0}',
            '{"text": "b", "label": true}',
            '{"text": "c", "label": NaN}',
            "[1]",
            "{broken",
            '{"label": 0}',
            '{"text": "d", "label": 0, "group": 3}',
        ]
    )
    files = (
        write(tmp_path, "t.csv", table),
        write(tmp_path, "l.jsonl", lines),
        write(tmp_path, "bytes.csv", b"text,label\nok,1\nna\xefve,0\nok,0\n\xff,1\n"),
        write(tmp_path, "empty.csv", " \n"),
        write(tmp_path, "bare.csv", "text,label\n"),
        write(tmp_path, "columns.csv", "comment,label,label\nx,1,1\n"),
        ("absent", tmp_path / "absent.csv"),
    )
    told = faults(*files)
    assert told[0] == "t.csv:3: label: is '2' (write 0 or 1)"
    assert told[1].startswith("t.csv:5: has 1 cells where the header has 2")
    assert told[2] == "t.csv:6: label: is 'nan' (write 0 or 1)"
    assert [one.split(" (")[0] for one in told[3:10]] == [
        "l.jsonl:2: text: is NaN",
        "l.jsonl:3: label: is true",
        "l.jsonl:4: label: is NaN",
        "l.jsonl:5: is no JSON object",
        "l.jsonl:6: is no JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        "l.jsonl:7: text: is missing",
        "l.jsonl:8: group: is 3",
    ]
    assert told[10] == ("bytes.csv:3: byte 0xef at column 3 is no UTF-8 (save the file as UTF-8)")
    assert told[11].startswith("bytes.csv:5: byte 0xff at column 1")
    assert told[12:] == [
        "empty.csv: holds nothing (give texts with their labels)",
        "bare.csv:1: has a header and no texts",
        "columns.csv:1: text: column is missing (the columns are: comment, label, label)",
        "columns.csv:1: label: column stands twice",
        "absent.csv: cannot be read: No such file or directory",
    ]


def test_a_mark_that_is_never_closed_has_the_line_it_began_on(tmp_path: Path) -> None:
    (told,) = faults(write(tmp_path, "a.csv", 'text,label\nfine,0\n"never closed,1\nx,0\n'))
    assert told.startswith("a.csv:3: is no CSV: unexpected end of data")


def test_a_text_longer_than_the_csv_module_allows_is_read(tmp_path: Path) -> None:
    long = "word " * 60_000
    rows = read_labelled([write(tmp_path, "a.csv", f"text,label\n{long},1\nshort,0\n")])
    assert len(rows[0].text) == 300_000
    (told,) = faults(write(tmp_path, "b.csv", "text,label\nx,1\n" + "y" * (2**24 + 1) + ",0\n"))
    assert told.startswith("b.csv:3: is no CSV: field larger than field limit (16777216)")


def test_one_label_everywhere_is_refused_but_not_in_one_set_of_several(tmp_path: Path) -> None:
    one = write(tmp_path, "one.csv", "text,label\na,1\nb,1\n")
    other = write(tmp_path, "other.csv", "text,label\nc,0\n")
    assert len(read_labelled([one, other])) == 3
    (told,) = faults(one)
    assert told.startswith("one.csv: label: every label is 1")


def test_a_flood_of_faults_is_counted(tmp_path: Path) -> None:
    told = faults(write(tmp_path, "a.csv", "text,label\n" + "x,7\n" * 250))
    assert len(told) == 101
    assert told[-1] == "a.csv: and 150 more problems"
