"""``scorers``: list, show, and what measuring prints for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_cases import call

from llmaudit.cli.scorers import repeat_option
from number_scorer import install

GROUPED = "text,label,group,axis\n0.9 a,1,x,p\n0.3 b,0,x,p\n0.8 c,1,y,q\n0.6 d,0,y,q\n?,1,y,q\n"


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_list_and_show_are_those_of_the_main_commands() -> None:
    assert call("scorers", "list").stdout == call("list", "scorers").stdout
    assert call("scorers", "show", "refusal").stdout == call("show", "scorer", "refusal").stdout


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        ("n --data a b --json", "n --data a --data b --json"),
        ("n --data=a b", "n --data=a --data b"),
        ("--data a", "--data a"),
        ("n --data", "n --data"),
        ("n --data --json", "n --data --json"),
        ("n --card c --data a -", "n --card c --data a --data -"),
    ],
)
def test_data_takes_every_word_up_to_the_next_option(words: str, spread: str) -> None:
    assert repeat_option("--data", words.split()) == spread.split()


def test_the_figures_as_json(tmp_path: Path) -> None:
    one, two = (
        write(tmp_path, "one.csv", GROUPED),
        write(tmp_path, "two.csv", "text,label\n0.1,0\n"),
    )
    result = call("scorers", "measure", "numbers", "--data", one, f"second={two}", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["auc"], found["sensitivity"], found["threshold"]) == (1.0, 1.0, 0.5)
    assert found["specificity"] == pytest.approx(2 / 3)
    assert set(found["sets"]) == {"one", "second"}
    assert set(found["groups"]["x"]) >= {"subgroup_auc", "bpsn_auc", "bnsp_auc", "intervals"}
    assert found["unscored_by_reason"] == {"unparseable": 1}
    assert found["sets"]["second"]["reasons"]["auc"].startswith("needs positive and negative")
    assert "scores by numbers" in result.stderr


def test_the_table_fits_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    files = write(tmp_path, "one.csv", GROUPED), write(tmp_path, "two.csv", "text,label\n0.1,0\n")
    result = call("scorers", "measure", "numbers", "--quiet", "--data", *files)
    assert result.exit_code == 0 and not result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "one: 5 texts, 3 positive, 1 without a value" in lines
    assert "  without a value: unparseable 1; 1 of them positive" in lines
    assert any(line.startswith("AUC ") and "1.000" in line for line in lines)
    assert any(line.startswith("specificity at 0.5") for line in lines)
    assert any(line.startswith("power mean") for line in lines) and "all axes" in result.stdout
    assert any(line.startswith("all sets together: 6 texts") for line in lines)


def test_what_is_odd_in_the_texts_is_said(tmp_path: Path) -> None:
    rows = "text,label,group\n0.9 a,1,x\n0.9 a,0,x\n0.2 b,0,\n0.2 b,0,\n"
    data = write(tmp_path, "odd.csv", rows)
    said = call("scorers", "measure", "numbers", "--quiet", "--data", data).stdout
    assert "  repeated texts: 2\n  texts with both labels: 1\n" in said
    assert "all axes" not in said and "power mean" in said
    counted = call("scorers", "measure", "length", "--quiet", "--data", data).stdout
    assert "why there is none" in counted and "the scorer has no threshold" in counted
    assert "no probabilities" in counted


def test_faults_of_every_file_end_with_2(tmp_path: Path) -> None:
    one, two = write(tmp_path, "one.csv", "text\na\n"), write(tmp_path, "two.csv", "")
    result = call("scorers", "measure", "numbers", "--data", one, two)
    assert result.exit_code == 2
    assert "one.csv:1: label: column is missing" in result.stderr
    assert "two.csv: holds nothing" in result.stderr
    assert call("scorers", "measure", "numbrs", "--data", one).exit_code == 2
    assert call("scorers", "measure", "numbers", "--data").exit_code == 2


def test_a_card_is_written(tmp_path: Path) -> None:
    data, card = write(tmp_path, "a.csv", "text,label\n0.9,1\n0.1,0\n"), tmp_path / "card.json"
    result = call("scorers", "measure", "numbers", "--quiet", "--data", data, "--card", card)
    assert result.exit_code == 0 and result.stdout.splitlines()[-1] == f"card: {card}"
    assert json.loads(card.read_text("utf-8"))["evaluation"]["a"]["n"] == 2


def test_without_data_the_shipped_set_tells_the_identity_shift() -> None:
    """A scorer whose construct the classes of sentences say nothing of, and that reads English."""
    result = call("scorers", "measure", "pronouns", "--quiet")
    assert result.exit_code == 0, result.output
    assert "identity shift on 1,804 neutral sentences" in result.stdout
    assert "gender" in result.stdout
