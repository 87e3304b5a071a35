"""``results.json`` satisfies its documented schema and loses nothing that is a number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from report_payloads import HTML_PAYLOADS
from run_fixture import build_run, estimate, poison

from llmaudit.findings import Estimate, Finding, Run
from llmaudit.report import RESULTS_SCHEMA_VERSION, results_json, results_schema


@pytest.fixture(scope="module")
def run() -> Run:
    return build_run()


DOCUMENT = Path(__file__).parents[2] / "docs" / "results-schema.md"


def validate(results: dict[str, Any]) -> None:
    """Raise where ``results`` breaks the shipped schema or is not JSON."""
    json.dumps(results, allow_nan=False)
    jsonschema.Draft202012Validator(results_schema()).validate(results)


def keys(schema: dict[str, Any]) -> Iterator[str]:
    """Yield every key that the schema names."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from keys(inner)
    for inner in (*schema.get("$defs", {}).values(), *schema.get("anyOf", ())):
        yield from keys(inner)
    if isinstance(schema.get("items"), dict):
        yield from keys(schema["items"])


def test_results_satisfy_the_schema(run: Run) -> None:
    jsonschema.Draft202012Validator.check_schema(results_schema())
    results = results_json(run)
    validate(results)
    assert results["schema_version"] == RESULTS_SCHEMA_VERSION == 1
    assert results["verdict"] == "fail"
    assert results["findings"][0]["estimate"]["high"] == 0.064
    assert results["findings"][4]["verdict"] == "not tested"
    assert results["measurements"][5]["observed"] is None
    assert results["measurements"][2]["observed"]["value"][4] == 0.064
    assert results["examples"][1]["scores"][0]["reason"] == "empty"


def test_the_document_names_every_key() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in keys(results_schema()) if f"`{name}`" not in text] == []


def test_records_and_schema_agree() -> None:
    schema = results_schema()
    finding = schema["properties"]["findings"]["items"]["properties"]
    assert set(finding) == {field.name for field in fields(Finding)}
    assert set(schema["$defs"]["estimate"]["properties"]) == {f.name for f in fields(Estimate)}


def test_what_is_not_finite_is_null_and_numpy_is_plain(run: Run) -> None:
    open_ended = estimate("all", 0.5, -math.inf, math.nan)
    finding = replace(
        run.findings[0], estimate=open_ended, detail={"k": np.int64(2), "x": np.ones(2)}
    )
    results = results_json(replace(run, findings=(finding,)))
    validate(results)
    assert results["findings"][0]["estimate"]["low"] is None
    assert results["findings"][0]["estimate"]["high"] is None
    assert results["findings"][0]["detail"] == {"k": 2, "x": [1.0, 1.0]}


def test_folders_are_cut_but_output_is_word_for_word(run: Run) -> None:
    said = replace(run.examples[0], text="see /home/ada/secret")
    results = results_json(replace(run, examples=(said,)))
    assert results["examples"][0]["text"] == "see /home/ada/secret"
    assert results["config"]["out"] == "…/out"
    results.pop("examples")
    assert "/home/ada" not in json.dumps(results)


def test_only_timing_depends_on_time(run: Run) -> None:
    later = replace(run, timing=replace(run.timing, seconds=1.0, started="x"), directory="/x/y")
    first, second = results_json(run), results_json(later)
    assert first.pop("timing") != second.pop("timing")
    assert first == second


@pytest.mark.parametrize("payload", [*HTML_PAYLOADS, "\ud800"])
def test_hostile_text_is_kept_and_storable(payload: str) -> None:
    results = results_json(poison(build_run(), payload))
    validate(results)
    json.dumps(results, ensure_ascii=False).encode("utf-8")
    kept = payload.replace("\ud800", "[U+D800]")
    assert results["examples"][0]["text"] == f"before {kept} after"
