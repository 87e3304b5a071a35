"""Reading YAML from strangers: what is accepted, what is refused, and how faults are told."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.errors import FileProblem, InvalidFileError
from llmaudit.yamlfile import (
    Document,
    digest_file,
    read_yaml,
)
from llmaudit.yamlproblems import MAX_PROBLEMS

BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)


def read(tmp_path: Path, text: str | bytes) -> Document:
    path = tmp_path / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(path)


def refuse(tmp_path: Path, text: str | bytes) -> tuple[FileProblem, ...]:
    with pytest.raises(InvalidFileError) as caught:
        read(tmp_path, text)
    assert all(problem.remedy for problem in caught.value.problems)
    assert len(caught.value.problems) <= MAX_PROBLEMS
    return caught.value.problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("7", 7),
        ("-12", -12),
        ("0.5", 0.5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("2.5E+3", 2500.0),
        ("True", "True"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("Null", "Null"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("<<", "<<"),
        ("=", "="),
        ('"true"', "true"),
        ("'7'", "7"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_only_unmistakable_words_are_anything_but_text(
    tmp_path: Path, written: str, value: object
) -> None:
    data = read(tmp_path, f"key: {written}\n").data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_keys_are_text(tmp_path: Path) -> None:
    document = read(tmp_path, "yes: a\nno: b\ntrue: c\n7: d\non: e\n'~': f\n<<: g\n")
    assert list(document.data) == ["yes", "no", "true", "7", "on", "~", "<<"]


def test_lines_of_keys_items_and_missing_keys(tmp_path: Path) -> None:
    document = read(tmp_path, "a: 1\nb:\n  - c: 2\n    d: {e: 3}\n  -\n    - 4\n")
    assert document.data == {"a": 1, "b": [{"c": 2, "d": {"e": 3}}, [4]]}
    assert document.line(()) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 0, "d", "e")) == 4
    assert document.line(("b", 1, 0)) == 6
    assert document.line(("b", 0, "d", "missing", "deeper")) == 4
    assert document.line(("missing",)) == 1
    assert Document({}, Path("x"), "", {}).line(("a",)) is None


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = "\ufeffa: ä\r\n".encode()
    document = read(tmp_path, content)
    assert document.data == {"a": "ä"}
    assert document.digest == hashlib.sha256(content).hexdigest()[:16]
    assert digest_file(document.path) == document.digest


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("a: &x 1\n", 1, "a", "anchor &x"),
        ("a: 1\nb: *x\n", 2, "b", "alias"),
        ("a: [1, *x]\n", 1, "a[1]", "alias"),
        ("*x : 1\n", 1, "", "alias"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "a", "tag"),
        ("a: !!str 1\n", 1, "a", "tag"),
        ("a: ! 1\n", 1, "a", "tag"),
        ("!x {a: 1}\n", 1, "", "tag"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "b", "key 'c' is already on line 3"),
        ("? [a]\n: 1\n", 1, "", "key must be text"),
        ("? {a: 1}\n: 1\n", 1, "", "key must be text"),
        ("0.5: a\n", 1, "", "key '0.5' is not text"),
        ("~: a\n", 1, "", "key '~' is not text"),
        ("a: [1\nb: 2\n", 2, "a[1]", "not YAML"),
        ("a: 'b\n", 2, "a", "not YAML"),
        ("a: b: c\n", 1, "", "not YAML"),
        ("a:\n\tb: 1\n", 2, "a", "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "", "second document"),
        ('a: "\\e[31m"\n', 1, "a", "U+001B"),
        ('a: "\\0"\n', 1, "a", "U+0000"),
        ('a: "\\N"\n', 1, "a", "U+0085"),
    ],
)
def test_refuses_what_is_not_plain_yaml(
    tmp_path: Path, text: str, line: int, key: str, said: str
) -> None:
    problem = refuse(tmp_path, text)[0]
    assert said in problem.problem
    assert (problem.line, problem.key) == (line, key)
    assert problem.file == str(tmp_path / "file.yaml")


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"a: 1\nb: \xff\n", 2, "byte 0xff is not UTF-8"),
        ("a: b".encode("utf-16"), 1, "not UTF-8"),
        (b"a: 1\n\nb: \x1b[2J\n", 3, "U+001B"),
        (b"a: \x00\n", 1, "U+0000"),
        (b"a: \xed\xa0\x80\n", 1, "not UTF-8"),
    ],
)
def test_refuses_bytes_that_are_not_text(
    tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    (problem,) = refuse(tmp_path, content)
    assert said in problem.problem
    assert problem.line == line


def test_several_faults_are_told_at_once(tmp_path: Path) -> None:
    problems = refuse(tmp_path, "a: &x 1\na: 2\nb: !t 3\nc: *x\nd: 'open\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 4, 6]


def test_nesting_stops_at_fifty_levels(tmp_path: Path) -> None:
    assert read(tmp_path, "[" * 50 + "]" * 50).data is not None
    assert "deeper than 50" in refuse(tmp_path, "[" * 51 + "]" * 51)[0].problem
    blocks = "".join(" " * depth + "a:\n" for depth in range(51))
    assert "deeper than 50" in refuse(tmp_path, blocks)[0].problem


EIGHT_MIB = 8 * 2**20


@pytest.mark.parametrize(
    "text",
    [
        "[" * EIGHT_MIB,
        "- " * (EIGHT_MIB // 2),
        "{a: " * (EIGHT_MIB // 4),
        "[" + "1," * (EIGHT_MIB // 2 - 2) + "1]",
        "a: 1\n" * (EIGHT_MIB // 5),
        "&a " * (EIGHT_MIB // 3),
        '"' + "a" * (EIGHT_MIB - 1),
        "---\n" * (EIGHT_MIB // 4),
        BILLION_LAUGHS,
    ],
    ids=["flow", "dash", "map", "values", "duplicates", "anchors", "open", "documents", "laughs"],
)
def test_hostile_files_are_refused_with_few_problems(tmp_path: Path, text: str) -> None:
    assert refuse(tmp_path, text)


def test_large_files_are_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(InvalidFileError, match="larger than 8388608 bytes"):
        read_yaml(path)
    with pytest.raises(InvalidFileError, match="larger than"):
        digest_file(path)
    small = tmp_path / "small.yaml"
    small.write_text("a: 123\n")
    assert read_yaml(small, max_bytes=7).data == {"a": 123}
    with pytest.raises(InvalidFileError, match="larger than 6 bytes"):
        read_yaml(small, max_bytes=6)


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(InvalidFileError, match="not a regular file"):
        read_yaml(tmp_path)
    with pytest.raises(InvalidFileError, match="cannot be read"):
        read_yaml(Path("nul\0byte"))
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(InvalidFileError, match="cannot be read"):
        read_yaml(loop)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems only")
def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InvalidFileError, match="not a regular file"):
        read_yaml(tmp_path / "pipe.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text("ab{}:#-é'\" \\"),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("abc é", min_size=1), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_as_itself(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    import json

    text = json.dumps({"key": data}, ensure_ascii=False)
    assert read(tmp_path_factory.mktemp("json"), text).data == {"key": data}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    try:
        read(folder, content)
    except InvalidFileError as error:
        assert error.problems
