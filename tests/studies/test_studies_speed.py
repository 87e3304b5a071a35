"""What the speed study computes and writes; the measuring itself needs the other tools."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmaudit.config import load_suite
from llmaudit.linting import refuse_faulty_files
from llmaudit.probesets import fill_probe_set, load_probe_set

SPEED = Path(__file__).parents[2] / "studies" / "speed"
MODULES = (
    "bench", "compare_defaults", "compare_generation", "compare_likelihoods", "compare_memory",
    "compare_samples", "machine", "measure", "task", "workload",
)  # fmt: skip


@pytest.fixture(autouse=True)
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the study's modules importable, in this test only."""
    monkeypatch.syspath_prepend(str(SPEED))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def module(name: str) -> Any:
    """Return one of the study's modules."""
    return importlib.import_module(name)


def answer(seconds: float, cpu_seconds: float, **figures: Any) -> dict[str, Any]:
    """Return what a worker answers."""
    run = {"seconds": seconds, "cpu_seconds": cpu_seconds, **figures}
    return {"runs": [run], "preparation_seconds": 2.0}


def test_ratio_is_over_all_rounds_and_its_spread_within_them() -> None:
    theirs, ours = [answer(6, 5), answer(10, 7)], [answer(4, 4), answer(4, 4)]
    ratio = module("bench").ratio_of(theirs, ours)
    assert (ratio.value, ratio.low, ratio.high, ratio.by_cpu) == (2.0, 1.5, 2.5, 1.5)


def test_ratio_per_token_compares_speeds() -> None:
    theirs, ours = [answer(10, 10, tokens=100)], [answer(10, 5, tokens=400)]
    ratio = module("bench").ratio_of(theirs, ours, per="tokens")
    assert (ratio.value, ratio.by_cpu) == (4.0, 8.0)


def test_contestants_take_turns() -> None:
    order: list[str] = []

    def contestant(name: str) -> Any:
        def run() -> dict[str, Any]:
            order.append(name)
            return answer(len(order), 0)

        return run

    a, b = module("bench").alternate(2, contestant("a"), contestant("b"))
    assert order == ["a", "b", "a", "b"]
    assert [one["runs"][0]["seconds"] for one in (*a, *b)] == [1, 3, 2, 4]


@pytest.mark.parametrize(
    ("wanted", "value", "met"),
    [({"at_least": 1.5}, 1.5, True), ({"at_least": 1.5}, 1.49, False),
     ({"at_most": 0.45}, 0.45, True), ({"at_most": 0.45}, 0.46, False), ({}, 1.0, None)],
)  # fmt: skip
def test_row_says_whether_it_met_what_was_wanted(
    wanted: dict[str, float], value: float, met: bool | None, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = module("bench")
    row = bench.Row("part", "setting", "1 s", "2 s", bench.Ratio(value, value, value), **wanted)
    assert row.met is met
    module("measure").print_table([row])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert printed[2].endswith({True: "| yes |", False: "| no |", None: "|  |"}[met])


def test_preference_by_hand() -> None:
    # Differences 1, -2, 0, 3: two of four are positive, and the mean of their sizes is 1.5.
    found = module("compare_likelihoods").preference_of([-1, -2, -5, -3, -4, -4, 0, -3])
    assert (found.stereotype, found.difference, found.pairs) == (50.0, 1.5, 4)


@pytest.mark.parametrize(
    ("share", "difference", "exact", "faults"),
    [(55.57, 4.6012, True, 0), (55.57, 4.6020, True, 1), (55.64, 4.6007, True, 1),
     (56.50, 4.6200, False, 0), (60.00, 4.9000, False, 2)],
)  # fmt: skip
def test_disagreement_is_found(share: float, difference: float, exact: bool, faults: int) -> None:
    likelihoods = module("compare_likelihoods")
    ours = likelihoods.Preference(55.57, 4.6007, 1508)
    theirs = likelihoods.Preference(share, difference, 1508)
    assert len(list(likelihoods.disagreements(ours, theirs, exact=exact))) == faults


def test_generations_of_other_work_disagree() -> None:
    compare = module("compare_generation")._disagreements
    lengths = [64, 60] * 50
    same = answer(1, 1, lengths=lengths, prompt_tokens=500)
    assert not list(compare(same, same))
    shorter = answer(1, 1, lengths=[40, 36] * 50, prompt_tokens=500)
    assert len(list(compare(same, shorter))) == 1
    assert len(list(compare(same, answer(1, 1, lengths=lengths, prompt_tokens=600)))) == 1
    fewer = answer(1, 1, lengths=lengths[:20], prompt_tokens=100)
    assert not list(compare(same, fewer))


def test_memory_is_set_against_weights_and_the_cache_of_a_batch() -> None:
    run = {"seconds": 1, "cpu_seconds": 1, "tokens": 9000, "prompt_tokens": 1000}
    full = [{"runs": [run], "peak_bytes": 1_300_000, "peak_bytes_loading": 700_000}]
    empty = [{"runs": [run], "peak_bytes": 100_000, "peak_bytes_loading": 100_000}]
    size = {"parameters": 100_000, "cache_numbers_per_token": 10}
    with_cache, alone = module("compare_memory")._rows("float32", full, empty, size, 4)
    # 1,200,000 against 400,000 and 8,192 x 10 x 4 = 327,680.
    assert with_cache.ratio.value == pytest.approx(1_200_000 / 727_680)
    assert alone.ratio.value == pytest.approx(3.0)
    assert with_cache.met is False


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Write a file of the form of CrowS-Pairs, with what is special in texts."""
    rows = [(f"The number {n} is {'x' * n} more.", f"The number {n} is less.") for n in range(600)]
    rows += [("Two  spaces {here}.", "Two  spaces {there}."), ("Größe: 'a'", 'Größe: "b"')]
    path = tmp_path / "pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", "sent_more", "sent_less", "bias_type"])
        writer.writerows((n, *row, "age") for n, row in enumerate(rows))
    return path


def test_trial_takes_stretches_of_neighbours(pairs_file: Path) -> None:
    workload = module("workload")
    pairs = workload.read_pairs(pairs_file)
    chosen = workload.trial_pairs(pairs)
    assert len(chosen) == len({more for more, _ in chosen}) == 256
    lengths = [len(more) for more, _ in chosen]
    assert lengths == sorted(lengths)
    assert all(lengths[start + 63] - lengths[start] < 70 for start in range(0, 256, 64))
    assert workload.trial_pairs(pairs[:10]) == sorted(pairs[:10], key=lambda pair: len(pair[0]))


def test_both_tools_get_the_same_pairs(
    pairs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [*module("workload").read_pairs(pairs_file, 50), ["a {b} c", "a {d} c"]]
    defaults = module("compare_defaults")
    defaults._write_for_llmaudit(tmp_path, pairs)
    defaults._write_for_harness(tmp_path, pairs)
    monkeypatch.chdir(tmp_path)
    refuse_faulty_files("speed-suite.yaml", "speed-policy.yaml")
    (entry,) = load_suite("speed-suite.yaml").probe_sets
    prompts = fill_probe_set(load_probe_set(Path(entry.id)))
    assert [list(prompt.choices.values()) for prompt in prompts] == pairs
    assert not any(prompt.plain or prompt.messages for prompt in prompts)
    lines = (tmp_path / "tasks" / "pairs.jsonl").read_text("utf-8").splitlines()
    assert [list(json.loads(line).values()) for line in lines] == pairs


def test_prompts_are_drawn_once_and_for_all() -> None:
    workload = module("workload")
    prompts = workload.read_prompts(200)
    assert len(set(prompts)) == 200
    assert prompts == workload.read_prompts(200)
    assert not any("{" in prompt for prompt in prompts)


def test_records_keep_no_single_results(tmp_path: Path) -> None:
    bench, measure = module("bench"), module("measure")
    outcome = bench.Outcome(skipped=["no harness"])
    outcome.keep(ours=[answer(1, 1, logprobs=[-1.0], lengths=[3], tokens=3)])
    outcome.rows.append(bench.Row("a", "b", "c", "d", bench.Ratio(2, 2, 2), at_least=1.5))
    path = tmp_path / "figures.json"
    measure.write_figures(path, {"cpu": "x"}, {"likelihoods": outcome})
    written = json.loads(path.read_text("utf-8"))["parts"]["likelihoods"]
    assert written["records"][0]["ours"][0]["runs"] == [
        {"seconds": 1, "cpu_seconds": 1, "tokens": 3}
    ]
    assert (written["rows"][0]["wanted"], written["rows"][0]["met"]) == ("at least 1.5", True)


@pytest.mark.parametrize(
    ("found", "code"),
    [({"skipped": ["x"]}, 0), ({"faults": ["x"]}, 1), ({"faults": ["x"], "failed": ["y"]}, 2)],
)
def test_exit_code_tells_disagreement_and_failure(
    found: dict[str, list[str]], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = module("bench").Outcome(**found)
    assert module("measure").print_notes([outcome]) == code
    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_machine_is_described() -> None:
    python = sys.executable
    found = module("machine").describe_machine(2, {"llmaudit": python, "garak": None})
    assert found["threads"] == 2
    assert found["cores"] >= 1
    assert set(found["versions"]) == {"llmaudit"}
    assert "torch" in found["versions"]["llmaudit"]


def test_failed_worker_is_told_with_the_end_of_its_output(tmp_path: Path) -> None:
    bench = module("bench")
    python = sys.executable
    command = [python, "-c", "import sys; print('began'); sys.exit('no memory')"]
    with pytest.raises(bench.NotMeasuredError, match=r"(?s)exit code 1.*began.*no memory"):
        bench.run_command(command, {}, tmp_path)


def test_peak_of_a_process_is_its_own() -> None:
    assert 10 * 2**20 < module("task").peak_bytes() < 2**40
