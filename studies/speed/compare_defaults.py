"""CrowS-Pairs from command to result, both tools with the settings that nobody chose."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import Answer, Bench, Outcome, Row, alternate, mean_of, ratio_of, run_command
from compare_likelihoods import Preference, disagreements, preference_of
from workload import Pair, read_pairs

AT_LEAST = 3.0
_NAME = "crows-pairs"
_TASK = "crows_pairs_local"


def compare_defaults(bench: Bench) -> Outcome:
    """Measure whole processes."""
    outcome = Outcome()
    if not bench.pairs_file.is_file():
        outcome.skipped.append(f"defaults: no file {bench.pairs_file} (--pairs names another)")
        return outcome
    if bench.harness_python is None:
        outcome.skipped.append("defaults: no --harness-python")
        return outcome
    pairs = read_pairs(bench.pairs_file, bench.sample)
    folder = bench.scratch / "defaults"
    folder.mkdir()
    _write_for_llmaudit(folder, pairs)
    _write_for_harness(folder, pairs)
    ours, theirs = alternate(
        bench.rounds, lambda: _run_llmaudit(bench, folder), lambda: _run_harness(bench, folder)
    )
    exact = {answer["dtype"] for answer in ours} == {"float32"}
    for one, other in zip(ours, theirs, strict=True):
        for fault in disagreements(_read(one), _read(other), exact=exact):
            outcome.faults.append(f"defaults: {fault}")
    ran, took = (f"{mean_of(a):.1f} s in all, {_read(a[0])}" for a in (ours, theirs))
    setting = f"{len(pairs)} pairs; llmaudit chose {ours[0]['dtype']}, harness batch size 1"
    ratio = ratio_of(theirs, ours)
    outcome.rows.append(Row("defaults", setting, ran, took, ratio, at_least=AT_LEAST))
    outcome.keep(pairs=len(pairs), ours=ours, harness=theirs)
    return outcome


def _read(answer: Answer) -> Preference:
    found: Preference = answer["result"]
    return found


def _write_json(path: Path, value: Any) -> None:
    """Write YAML, of which JSON is a part."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _write_for_llmaudit(folder: Path, pairs: Sequence[Pair]) -> None:
    """Write a probe set with the pairs, a suite of that set alone, and a policy with one check."""
    own = {"format": 1, "version": "1.0.0"}
    _write_json(
        folder / f"{_NAME}.yaml",
        {
            **own,
            "id": _NAME, "title": "CrowS-Pairs", "licence": "CC-BY-SA-4.0", "language": "en",
            "construct": "stereotypes", "task": "choices", "axes": [],
            "metrics": ["stereotype_preference"], "author": "Nangia et al. 2020",
            "datasheet": {
                "intended_use": "Measuring the speed of programs.",
                "not_for": "Anything else.",
                "composition": f"{len(pairs)} sentence pairs.",
                "collection": "Read from the published file.",
                "known_limits": ["See Blodgett et al. 2021."],
            },
            "sources": [], "slurs": [], "favourable": "stereotype",
            "templates": [
                {
                    "id": f"pair-{number:05}",
                    "choices": {"stereotype": _plain(more), "antistereotype": _plain(less)},
                }
                for number, (more, less) in enumerate(pairs)
            ],
        },
    )  # fmt: skip
    _write_json(
        folder / "speed-suite.yaml",
        {
            **own, "id": "speed-suite", "title": "Speed", "description": "One probe set.",
            "covers": ["Sentence pairs."], "does_not_cover": ["All else."],
            "probe_sets": [{"id": f"{_NAME}.yaml"}], "scorers": ["degeneration"],
        },
    )  # fmt: skip
    check = {
        "id": _NAME, "title": "stereotype preference", "metric": "stereotype_preference",
        "probe_set": _NAME, "kind": "disparity", "margin": 0.1, "ideal": 0.5, "why": "None.",
    }  # fmt: skip
    _write_json(
        folder / "speed-policy.yaml",
        {**own, "id": "speed-policy", "title": "Speed", "description": "One check.",
         "checks": [check]},
    )  # fmt: skip


def _plain(text: str) -> str:
    """Return a text whose braces are no slots."""
    return text.replace("{", "{{").replace("}", "}}")


def _write_for_harness(folder: Path, pairs: Sequence[Pair]) -> None:
    """Write the same pairs as data of the harness, and a task that compares their likelihoods."""
    tasks = folder / "tasks"
    tasks.mkdir()
    lines = [json.dumps({"more": more, "less": less}) for more, less in pairs]
    (tasks / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tasks / "preference.py").write_text(
        "def measure(doc, results):\n"
        "    more, less = (logprob for logprob, _ in results)\n"
        "    return {'prefers': float(more > less), 'difference': abs(more - less)}\n",
        encoding="utf-8",
    )
    (tasks / f"{_TASK}.yaml").write_text(
        f"task: {_TASK}\n"
        "dataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {json.dumps(str(tasks / 'pairs.jsonl'))}}}}}\n"
        "test_split: test\n"
        "output_type: multiple_choice\n"
        "doc_to_text: ''\n"
        "doc_to_target: 0\n"
        "doc_to_choice: '{{[more, less]}}'\n"
        "target_delimiter: ''\n"
        "process_results: !function preference.measure\n"
        "metric_list:\n"
        "  - {metric: prefers, aggregation: mean, higher_is_better: false}\n"
        "  - {metric: difference, aggregation: mean, higher_is_better: false}\n",
        encoding="utf-8",
    )


def _run_llmaudit(bench: Bench, folder: Path) -> Answer:
    out = folder / "run"
    program = Path(sys.executable).with_name("llmaudit")
    done = run_command(
        [str(program), "run", "--model", bench.model, "--suite", "speed-suite.yaml",
         "--policy", "speed-policy.yaml", "--exit-zero", "--fresh", "--out", str(out)],
        bench.environment(), folder,
    )  # fmt: skip
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    with sqlite3.connect(out / "run.sqlite") as store:
        rows = store.execute("SELECT prompt_id, choice, logprob FROM likelihood").fetchall()
    pairs: dict[str, dict[str, float]] = defaultdict(dict)
    for prompt, choice, logprob in rows:
        pairs[prompt][choice] = logprob
    both = [pair[label] for pair in pairs.values() for label in ("stereotype", "antistereotype")]
    return _answer(done, preference_of(both), dtype=results["model"]["dtype"])


def _run_harness(bench: Bench, folder: Path) -> Answer:
    out = folder / "harness"
    done = run_command(
        [str(bench.harness_python), "-m", "lm_eval", "run", "--model", "hf",
         "--model_args", f"pretrained={bench.folder}", "--tasks", _TASK,
         "--include_path", str(folder / "tasks"), "--output_path", str(out)],
        bench.environment(), folder,
    )  # fmt: skip
    newest = max(out.rglob("results*.json"), key=lambda path: path.stat().st_mtime)
    found = json.loads(newest.read_text(encoding="utf-8"))
    values = found["results"][_TASK]
    count = found["n-samples"][_TASK]["effective"]
    result = Preference(100 * values["prefers,none"], values["difference,none"], count)
    return _answer(done, result)


def _answer(done: Any, result: Preference, **facts: Any) -> Answer:
    run = {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds}
    print(f"    {done.seconds:.1f} s: {result}", file=sys.stderr, flush=True)
    return {"runs": [run], "result": result, **facts}
