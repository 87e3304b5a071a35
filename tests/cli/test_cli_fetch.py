"""``fetch``: which names it takes, that it is complete, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_cases import SUITE, call, write

from llmaudit.errors import ScorerError, UnavailableError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let nothing be fetched; return the list of what would be."""
    names: list[str] = []

    def load_scorer(name: str, *, progress: Any) -> None:
        names.append(f"scorer {name}")
        if name.startswith("detoxify"):
            raise ScorerError("put its file into a folder")

    def find_parts(name: str, *, trust: Any, progress: Any) -> None:
        names.append(f"model {name}")
        progress(f"looking for {name}")
        if name == "gpt2":
            raise UnavailableError("no hub in reach")

    monkeypatch.setattr("llmaudit.scorers.load_scorer", load_scorer)
    monkeypatch.setattr("llmaudit.models.parts.find_parts", find_parts)
    return names


def test_models_scorers_and_suites(asked: list[str], tmp_path: Path) -> None:
    suite = write(tmp_path, "tiny.yaml", SUITE)
    result = call("fetch", "smollm2", "some/model", "quick", suite)
    assert result.exit_code == 0, result.output
    scorers = [f"scorer {name}" for name in ("toxicity", "refusal", "degeneration")]
    assert asked == ["model smollm2", "model some/model", *scorers]
    assert "looking for smollm2\nmodel smollm2 is here\n" in result.stderr


def test_quiet(asked: list[str]) -> None:
    result = call("fetch", "smollm2", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert asked == ["model smollm2"]


def test_what_fails_does_not_keep_the_rest_from_coming(asked: list[str]) -> None:
    result = call("fetch", "gpt2", "standard")
    assert result.exit_code == 4
    assert "model gpt2: no hub in reach" in result.stderr
    assert "scorer detoxify: put its file into a folder" in result.stderr
    assert "scorer toxicity is here" in result.stderr
    assert asked[-1] == "scorer degeneration"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("smollm-135m", "smollm2-135m"), ("toxcity", "toxicity"), ("standart", "standard")],
)
def test_an_unknown_name_stops_all_and_names_the_nearest_of_any_kind(
    asked: list[str], name: str, nearest: str
) -> None:
    result = call("fetch", "smollm2", name)
    assert result.exit_code == 2
    assert f"did you mean {nearest!r}?" in result.stderr
    assert asked == []


def test_scorers_without_files_are_here_at_once() -> None:
    result = call("fetch", "refusal", "degeneration")
    assert result.exit_code == 0
    assert result.stderr == "scorer refusal is here\nscorer degeneration is here\n"


def test_a_missing_suite_file(tmp_path: Path) -> None:
    assert call("fetch", tmp_path / "none.yaml").exit_code == 2


def test_an_adapter_and_what_files_may_do(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_adapter(name: str, *, progress: Any, trust: Any) -> None:
        asked.append(f"adapter {name} {trust.pickle} {trust.remote_code}")

    monkeypatch.setattr("llmaudit.models.adapters.find_adapter", find_adapter)
    result = call("fetch", "smollm2", "--adapter", "some/adapter", "--allow-pickle")
    assert result.exit_code == 0, result.output
    assert asked == ["model smollm2", "adapter some/adapter True False"]
    assert "adapter some/adapter is here" in result.stderr
