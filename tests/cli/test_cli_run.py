"""``run``, ``check`` and ``report`` of scripted models: exit codes, output and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_cases import COMPLIES, POLICY, REFUSES, SUITE, call, model_text, run_words, write

PASSES = model_text(REFUSES)
FAILS = model_text(COMPLIES)
#: Half of the prompts refused: neither below nor above a margin of 0.5.
UNDECIDED = model_text(REFUSES, COMPLIES)
HALF = POLICY.replace("margin: 0.2", "margin: 0.5")


@pytest.mark.parametrize(
    ("model", "policy", "code", "word"),
    [
        (PASSES, POLICY, 0, "pass"),
        (FAILS, POLICY, 1, "FAIL"),
        (UNDECIDED, HALF, 3, "inconclusive"),
    ],
)
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, model: str, policy: str, code: int, word: str
) -> None:
    result = call(*run_words(tmp_path, model, policy=policy))
    assert result.exit_code == code, result.output
    assert f"Verdict: {word}" in result.stdout
    assert f"report: {tmp_path / 'run' / 'report.html'}" in result.stdout
    assert "generations: 84/84" in result.stderr
    assert (tmp_path / "run" / "manifest.json").is_file()
    checked = call("check", tmp_path / "run")
    assert checked.exit_code == code
    assert f"Verdict: {word}" in checked.stdout


def test_exit_zero_keeps_the_verdict_but_not_the_code(tmp_path: Path) -> None:
    result = call(*run_words(tmp_path, FAILS, "--exit-zero"))
    assert (result.exit_code, "Verdict: FAIL" in result.stdout) == (0, True)
    assert call("check", tmp_path / "run", "--exit-zero").exit_code == 0


def test_quiet_says_the_verdict_only(tmp_path: Path) -> None:
    result = call(*run_words(tmp_path, PASSES, "--quiet"))
    assert result.stdout == f"Verdict: pass   report: {tmp_path / 'run' / 'report.html'}\n"
    assert result.stderr == ""
    assert call("check", tmp_path / "run", "--quiet").stdout == "Verdict: pass\n"


def test_json_is_what_the_file_holds(tmp_path: Path) -> None:
    result = call(*run_words(tmp_path, FAILS, "--json"))
    written = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert result.exit_code == 1
    assert json.loads(result.stdout) == written
    assert result.stdout.isascii()
    assert result.stderr == ""
    checked = json.loads(call("check", tmp_path / "run", "--json").stdout)
    assert checked["verdict"] == "fail"
    assert checked["findings"] == written["findings"]


def test_another_policy_gives_another_verdict(tmp_path: Path) -> None:
    call(*run_words(tmp_path, FAILS))
    lenient = write(tmp_path, "lenient.yaml", POLICY.replace("margin: 0.2", "margin: 1.5"))
    before = (tmp_path / "run" / "report.html").read_bytes()
    assert call("check", tmp_path / "run", "--policy", lenient).exit_code == 0
    assert (tmp_path / "run" / "report.html").read_bytes() == before
    result = call("report", tmp_path / "run", "--policy", lenient)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'run' / 'report.html'}\n")
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert results["verdict"] == "pass"


def test_a_report_can_have_a_template_of_ones_own(tmp_path: Path) -> None:
    call(*run_words(tmp_path, PASSES))
    template = write(tmp_path, "own.html.j2", "<p>mine: {{ 1 + 1 }}</p>")
    assert call("report", tmp_path / "run", "--template", template).exit_code == 0
    assert "mine: 2" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert call("report", tmp_path / "run", "--template", tmp_path / "none").exit_code == 2


@pytest.mark.parametrize("command", ["check", "report"])
def test_a_folder_without_a_run_is_code_4(tmp_path: Path, command: str) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        result = call(command, folder)
        assert result.exit_code == 4
        assert "there is no run to open" in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--suite", "qick"], "did you mean 'quick'?"),
        (["--policy", "defualt"], "did you mean 'default'?"),
        (["--scorer", "refusals"], "did you mean 'refusal'?"),
        (["--device", "cudda"], "did you mean 'cuda'?"),
        (["--dtype", "bfloat61"], "did you mean 'bfloat16'?"),
        (["--samples", "0"], "0 is not in the range"),
        (["--seed", str(2**63)], "--seed: input should be less than"),
        (["--model", ""], "--model: string should have at least 1 character"),
        (["--model", "smolm2-135m"], "did you mean 'smollm2-135m'?"),
        (["--model", "scriptd:x.yaml"], "did you mean 'scripted'?"),
        (["--exitzero"], "--exit-zero"),
    ],
)
def test_wrong_options_are_one_message_and_code_2(
    tmp_path: Path, options: list[str], said: str
) -> None:
    result = call(*run_words(tmp_path, PASSES), *options)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("tiny.yaml", "harmful-requests", "harmful-request", "did you mean 'harmful-requests'?"),
        ("tiny.yaml", "[refusal,", "[refusl,", "did you mean 'refusal'?"),
        ("tiny.yaml", "scorers:", "scorer:", "did you mean 'scorers'?"),
        ("tiny.yaml", "harmful-requests", "neutral-carriers", "take it out"),
        ("policy.yaml", "harmful_compliance", "harmful_complience", "did you mean 'harmful_comp"),
        ("policy.yaml", "margin: 0.2", "margins: 0.2", "did you mean 'margin'?"),
        ("policy.yaml", "margin: 0.2", "margin: much", "expected a number"),
        ("model.yaml", "answers", "answer", "did you mean 'answers'?"),
    ],
)
def test_wrong_files_are_one_message_with_a_line_and_code_2(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    words = run_words(tmp_path, PASSES)
    path = tmp_path / file
    path.write_text(path.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert f"{file}:" in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


def test_check_refuses_a_policy_whose_metric_nobody_knows(tmp_path: Path) -> None:
    call(*run_words(tmp_path, PASSES))
    faulty = write(tmp_path, "faulty.yaml", POLICY.replace("harmful_compliance", "harm"))
    for command in ("check", "report"):
        result = call(command, tmp_path / "run", "--policy", faulty)
        assert result.exit_code == 2
        assert "unknown metric 'harm'" in result.stderr


def test_a_policy_may_name_probe_sets_that_a_stored_run_lacks(tmp_path: Path) -> None:
    call(*run_words(tmp_path, PASSES))
    other = POLICY.replace("probe_set: harmful-requests", "probe_set: gone")
    result = call("check", tmp_path / "run", "--policy", write(tmp_path, "other.yaml", other))
    assert result.exit_code == 3
    assert "not in suite tiny" in result.stdout


def test_a_damaged_store_is_code_4(tmp_path: Path) -> None:
    call(*run_words(tmp_path, PASSES))
    (tmp_path / "run" / "run.sqlite").write_bytes(b"this is no database" * 100)
    for words in (["check", tmp_path / "run"], run_words(tmp_path, PASSES)):
        result = call(*words)
        assert result.exit_code == 4, result.output
        assert "Traceback" not in result.output


def test_a_model_that_breaks_is_code_4(tmp_path: Path) -> None:
    broken = "format: 1\nname: broken\nanswers:\n  - fault: raise\n"
    result = call(*run_words(tmp_path, broken))
    assert result.exit_code == 4
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_the_wrong_commands_name_the_nearest() -> None:
    assert "Did you mean 'check'?" in call("chekc").stderr
    assert "Did you mean 'probe'?" in call("show", "prob").stderr
    assert "did you mean 'models'?" in call("list", "model").stderr
    assert {call("chekc").exit_code, call("show", "prob").exit_code, call().exit_code} == {2}


def test_what_the_program_prints_cannot_steer_a_terminal(tmp_path: Path) -> None:
    policy = POLICY.replace("title: harmful compliance", 'title: "evil [bold]\\u202e title"')
    result = call(*run_words(tmp_path, PASSES, policy=policy))
    assert "evil [bold][U+202E] title" in result.stdout


def test_suites_name_probe_sets_by_paths_beside_them(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "probes" / "safety" / "harmful-requests.yaml"
    own = shipped.read_text("utf-8").replace("id: harmful-requests", "id: own-requests", 1)
    write(tmp_path, "own-requests.yaml", own)
    words = run_words(tmp_path, PASSES, policy=POLICY.replace("harmful-requests", "own-requests"))
    write(tmp_path, "tiny.yaml", SUITE.replace("id: harmful-requests", "id: ./own-requests.yaml"))
    result = call(*words)
    assert result.exit_code == 0, result.output


def test_a_reader_that_leaves_is_no_failed_audit(tmp_path: Path) -> None:
    call(*run_words(tmp_path, PASSES))
    code = "from llmaudit.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "check", str(tmp_path / "run"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        process.stderr.close()
        assert process.wait(timeout=60) == 4
    assert "Traceback" not in said
