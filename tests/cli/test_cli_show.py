"""``list`` and ``show``: what is known by name, as tables, outlines and JSON."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cli_cases import SUITE, call, write
from rich.console import Console

from llmaudit.cli.datasheets import choose_examples
from llmaudit.cli.outline import print_outline
from llmaudit.probesets import fill_probe_set, list_probe_sets, load_probe_set


def listed(kind: str) -> list[dict[str, Any]]:
    """Return what ``list KIND --json`` prints."""
    result = call("list", kind, "--json")
    assert result.exit_code == 0
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_probes() -> None:
    rows = {row["id"]: row for row in listed("probes")}
    assert sorted(rows) == list_probe_sets()
    hiring = rows["hiring-decisions"]
    assert (hiring["construct"], hiring["task"]) == ("decisions", "choices")
    assert hiring["prompts"] == len(fill_probe_set(load_probe_set("hiring-decisions")))
    assert "gender, race, religion" in call("list", "probes").stdout


def test_scorers() -> None:
    rows = {row["name"]: row for row in listed("scorers")}
    assert {"toxicity", "refusal", "degeneration", "detoxify"} <= set(rows)
    assert rows["detoxify:multilingual"]["languages"][:2] == ["en", "fr"]


def test_suites() -> None:
    rows = {row["id"]: row for row in listed("suites")}
    quick = rows["quick"]
    # 76 x 4 + 506 + 84 + 44, and two choices for each of 414 + 142.
    assert (quick["generations"], quick["likelihoods"]) == (938, 1112)
    assert "toxicity-openings" in quick["probe_sets"]


def test_policies() -> None:
    (default,) = [row for row in listed("policies") if row["id"] == "default"]
    assert default["checks"] == 14
    assert default["alpha"] == 0.05


@pytest.mark.parametrize("kind", ["models", "probes", "scorers", "suites", "policies"])
def test_through_a_pipe_every_row_is_one_line(kind: str) -> None:
    rows = [row for row in listed(kind) if not re.match("detoxify.*#", str(row.get("name")))]
    assert len(call("list", kind).stdout.splitlines()) == len(rows) + 1


def shown(*words: str) -> dict[str, Any]:
    """Return what ``show ... --json`` prints."""
    result = call("show", *words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("name", list_probe_sets())
def test_examples_are_spread_and_always_the_same(name: str) -> None:
    prompts = fill_probe_set(load_probe_set(name))
    chosen = choose_examples(prompts, 6)
    assert chosen == choose_examples(prompts, 6)
    assert len({prompt.id for prompt in chosen}) == 6
    assert len({prompt.template_id for prompt in chosen}) == 6
    groups = {(prompt.axis, prompt.group) for prompt in chosen}
    assert len(groups) >= (4 if prompts[0].axis else 1)


def test_more_examples_than_templates_and_than_prompts() -> None:
    prompts = fill_probe_set(load_probe_set("hiring-decisions"))
    assert len({prompt.id for prompt in choose_examples(prompts, 30)}) == 30
    few = prompts[:5]
    assert sorted(p.id for p in choose_examples(few, 50)) == sorted(p.id for p in few)
    assert choose_examples(prompts, 0) == []


def test_a_probe_set_in_full() -> None:
    found = shown("probe", "hiring-decisions", "--examples", "2")
    assert found["templates"] == 18
    assert found["lexicons"]["gender"]["groups"]["woman"] == "women"
    first = found["examples"][0]
    assert first["chat"][0].startswith("user: ")
    assert first["plain"].endswith("Answer:")
    assert first["choices"] == {"yes": "Yes", "no": "No"}
    text = call("show", "probe", "hiring-decisions").stdout
    assert "intended use: Measures whether the odds" in text
    assert "  - template: " in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_probe_set_by_its_path(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "probes" / "safety" / "harmful-requests.yaml"
    assert shown("probe", str(shipped))["id"] == "harmful-requests"
    missing = call("show", "probe", tmp_path / "missing.yaml")
    assert missing.exit_code == 2
    assert "missing.yaml" in missing.stderr


def test_a_scorer_and_its_card() -> None:
    found = shown("scorer", "refusal")
    assert found["construct"] == "refusal"
    assert found["card"]["caveats"]
    text = call("show", "scorer", "toxicity").stdout
    assert "limits:" in text and "trained on: toxic_spans (CC0-1.0, " in text
    assert "  hatecheck: texts 3,728; positive 2,563; AUC 0.849 (0.835 – 0.861)" in text
    assert "  disability (en): difference 0.021" in text
    assert max(map(len, text.splitlines())) <= 100
    assert call("show", "scorer", "refusel").exit_code == 2


def test_a_suite_and_a_policy(tmp_path: Path) -> None:
    assert shown("suite", "quick")["scorers"] == ["toxicity", "refusal", "degeneration"]
    assert shown("suite", str(write(tmp_path, "tiny.yaml", SUITE)))["id"] == "tiny"
    assert len(shown("policy", "default")["checks"]) == 14
    text = call("show", "policy", "default").stdout
    assert "axis: none" in text
    assert "why: A convention" in text


def test_an_outline() -> None:
    out = StringIO()
    console = Console(file=out, width=30, color_system=None)
    value = {
        "a_key": None,
        "flag": True,
        "count": 12345,
        "share": 0.123456,
        "empty": [],
        "words": ["x", "y"],
        "long": ["a sentence that is longer", "than the terminal is wide: " + "w " * 20],
        "inner": {"text": "two\nlines", "list": [{"k": "v", "l": 1}, {}]},
        "evil": "\x1b[31m[bold]",
    }
    print_outline(value, console=console)
    assert out.getvalue().splitlines() == [
        "a key: none",
        "flag: yes",
        "count: 12,345",
        "share: 0.1235",
        "words: x, y",
        "long:",
        "  - a sentence that is longer",
        "  - than the terminal is wide:",
        "    w w w w w w w w w w w w w",
        "    w w w w w w w",
        "inner:",
        "  text:",
        "    two",
        "    lines",
        "  list:",
        "    - k: v",
        "      l: 1",
        "    -",
        "evil: ␛[31m[bold]",
    ]
