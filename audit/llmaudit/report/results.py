"""Puts a run into plain data, ``results.json``; ``docs/results-schema.md`` explains it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from llmaudit import resources
from llmaudit.findings import Distribution, Estimate, Measurement, Run
from llmaudit.report.escaping import storable
from llmaudit.transparency import hide_folders_in, transparency_notes

RESULTS_SCHEMA_VERSION = 1
"""Rises when a reader of the old form would misread the new one."""


def results_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``results.json``, as it ships in ``templates/``."""
    path = resources.templates_dir() / "results.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def results_json(run: Run) -> dict[str, Any]:
    """Return ``run`` as JSON values that satisfy :func:`results_schema`.

    Model output stands in it unescaped: escaping is for whoever displays it. Numbers without a
    finite value are null. Only ``timing`` depends on when and how fast the run was made.
    """
    results = {
        "schema_version": RESULTS_SCHEMA_VERSION,
        "run_id": run.id,
        "verdict": run.verdict.value,
        "command": run.command,
        "config": run.config,
        "model": asdict(run.model),
        "environment": run.environment,
        "suite": run.suite,
        "policy": run.policy,
        "probe_sets": [asdict(facts) for facts in run.probe_sets],
        "scorers": [asdict(facts) for facts in run.scorers],
        "scorer_own": [_measurement(measured) for measured in run.scorer_own],
        "corrections": [asdict(one) for one in run.corrections],
        "counts": asdict(run.counts),
        "findings": [asdict(finding) for finding in run.findings],
        "measurements": [
            _measurement(measured) | {"estimates": _estimates(estimates)}
            for measured, estimates in run.measured
        ],
        "notes": [asdict(note) for note in transparency_notes(run)],
        "warnings": list(run.warnings),
        "lock": run.lock,
        "rounds": asdict(run.rounds) if run.rounds else None,
        "human_labels": asdict(run.human_labels) if run.human_labels else None,
        "timing": asdict(run.timing),
    }
    texts = {
        "examples": [_example(asdict(example)) for example in run.examples],
        "agreements": [_agreement(asdict(agreement)) for agreement in run.agreements],
    }
    plain: dict[str, Any] = _plain(hide_folders_in(_numbers(results)))
    unhidden: dict[str, Any] = _plain(_numbers(texts))
    return plain | unhidden


def json_values(value: Any) -> Any:
    """Return plain data that JSON and UTF-8 can hold: what is not finite is None."""
    return _plain(_numbers(value))


def _example(example: dict[str, Any]) -> dict[str, Any]:
    example["scores"] = list(example["scores"].values())
    return example


def _agreement(agreement: dict[str, Any]) -> dict[str, Any]:
    return agreement | {"disputed": [_example(example) for example in agreement["disputed"]]}


def _estimates(estimates: Iterable[Estimate]) -> list[dict[str, Any]]:
    return [asdict(estimate) for estimate in estimates]


def _measurement(measured: Measurement) -> dict[str, Any]:
    return {
        "metric": measured.metric,
        "probe_set": measured.probe_set,
        "axis": measured.axis,
        "scorer": measured.scorer,
        "parts": list(measured.parts),
        "n": measured.n,
        "n_missing": measured.n_missing,
        "missing_reasons": dict(measured.missing_reasons),
        "reason": measured.reason,
        "method": measured.method,
        "observed": _points(measured.observed),
        "lowest": _points(measured.lowest),
        "highest": _points(measured.highest),
        "detail": dict(measured.detail),
    }


def _points(distribution: Distribution | None) -> dict[str, Any] | None:
    """Return a distribution without its replicates, which only the analysis needs."""
    if distribution is None:
        return None
    return {
        "value": [float(value) for value in distribution.value],
        "se": [float(value) for value in distribution.se],
        "clusters": distribution.clusters,
        "replicates": int(distribution.replicates.shape[0]),
    }


def _numbers(value: Any) -> Any:
    """Return plain data in which what is not finite is None; NumPy's values become Python's."""
    if isinstance(value, Mapping):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _numbers(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _plain(value: Any) -> Any:
    """Return plain data whose every text can be stored as UTF-8."""
    if isinstance(value, Mapping):
        return {storable(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return storable(value) if isinstance(value, str) else value
