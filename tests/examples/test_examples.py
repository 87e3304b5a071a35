"""Every example is run as its README says, in an empty folder, and what comes out is read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
import yaml
from click.testing import CliRunner

from llmaudit.cli import main
from llmaudit.errors import (
    EXIT_FAIL,
    EXIT_INCONCLUSIVE,
    EXIT_PASS,
    EXIT_USAGE,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
_COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(example: str) -> list[str]:
    """Return the command lines of an example's README, in order."""
    text = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    return [line for block in _COMMANDS.findall(text) for line in block.splitlines()]


def install(example: str, site: Path) -> None:
    """Make an example importable and its entry points known, as pip would, but at once."""
    project = tomllib.loads((EXAMPLES / example / "pyproject.toml").read_text("utf-8"))["project"]
    name = project["name"].replace("-", "_")
    facts = site / f"{name}-{project['version']}.dist-info"
    facts.mkdir(parents=True)
    heading = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (facts / "METADATA").write_text(heading, encoding="utf-8")
    points = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (facts / "entry_points.txt").write_text(points, encoding="utf-8")
    (site / f"{name}.py").symlink_to(EXAMPLES / example / f"{name}.py")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, now the current one, with ``examples`` where the READMEs say."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def call(command: str) -> tuple[int, str]:
    """Run ``llmaudit ...`` in this process; return its exit code and all it printed."""
    program, *arguments = command.split()
    assert program == "llmaudit"
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def call_outside(*words: str) -> subprocess.CompletedProcess[str]:
    """Run another program as a user would, with ``llmaudit`` on its path."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)


def results(directory: Path) -> dict[str, Any]:
    """Return the only run below a folder, as its results.json says."""
    (path,) = directory.glob("**/results.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    """Return check to verdict."""
    return {finding["check"]: finding["verdict"] for finding in found["findings"]}


def test_own_probes_pass_and_fail_by_the_group_of_their_own_lexicon(place: Path) -> None:
    lint, even, unfair = commands("own-probes")
    assert call(lint)[0] == 0
    code, printed = call(f"{even} --out even")
    assert code == EXIT_PASS, printed
    found = results(place / "even")
    assert found["verdict"] == "pass"
    assert verdicts(found) == {"promotion-parenthood": "pass", "harmful-compliance": "pass"}
    code, printed = call(f"{unfair} --out unfair")
    assert code == EXIT_FAIL, printed
    found = results(place / "unfair")
    assert verdicts(found) == {"promotion-parenthood": "fail", "harmful-compliance": "pass"}
    disparity = found["findings"][0]
    # (log-odds of Yes for parents) - (for people without children), 12 templates:
    # half have -1.9 + 0.4 = -1.5 and half -1.6 + 0.4 = -1.2, against -0.5 + 1.0 = 0.5.
    ending_er = sum(name.endswith("er") for name in _templates("own-probes/promotion-decisions"))
    expected = (ending_er * -2.0 + (12 - ending_er) * -1.7) / 12
    assert disparity["estimate"]["part"] == "parent"
    assert disparity["estimate"]["value"] == pytest.approx(expected)


def _templates(probe_set: str) -> list[str]:
    data = yaml.safe_load((EXAMPLES / f"{probe_set}.yaml").read_text("utf-8"))
    return [template["id"] for template in data["templates"]]


def test_a_run_is_gone_on_with_however_its_suite_is_named(place: Path) -> None:
    even = commands("own-probes")[1]
    assert call(even)[0] == EXIT_PASS
    absolute = even.replace("examples/own-probes/suite", f"{place}/examples/own-probes/suite")
    assert call(absolute)[0] == EXIT_PASS
    found = results(place / "runs")
    assert found["timing"]["sessions"] == 2
    ids = [entry["id"] for entry in found["suite"]["probe_sets"]]
    assert ids == ["promotion-decisions", "harmful-requests"]


def test_own_scorer_serves_metrics_and_is_measured_itself(place: Path) -> None:
    install("own-scorer", place / "site")
    code, printed = call(f"{commands('own-scorer')[0]} --out rude")
    assert code == EXIT_FAIL, printed
    found = results(place / "rude")
    assert verdicts(found) == {"rudeness": "pass", "rudeness-gender": "fail"}
    finding = found["findings"][1]
    assert finding["estimate"]["part"] == "man"
    assert finding["scorer_own"] == 0  # no neutral sentence holds a rude word
    (facts,) = found["scorers"]
    assert (facts["name"], facts["card"]) == ("rude-words", {})
    own = {one["axis"] for one in found["scorer_own"] if one["n"]}
    assert own == {"gender", "race", "religion", "age", "disability"}


def test_own_scorer_beside_those_of_a_suite(place: Path) -> None:
    install("own-scorer", place / "site")
    code, printed = call(f"{commands('own-scorer')[1]} --out beside")
    assert code == EXIT_PASS, printed
    rows = parquet.read_table(place / "beside" / "generations.parquet").to_pylist()
    scorers = {score["scorer"] for row in rows for score in row["scores"]}
    assert scorers == {"refusal", "degeneration", "rude-words"}


def test_a_scorer_that_is_not_installed_is_refused(place: Path) -> None:
    command = commands("own-scorer")[0]
    code, printed = call(command)
    assert code == EXIT_USAGE
    assert "rude-words" in printed


def test_own_model_is_audited(place: Path) -> None:
    install("own-model", place / "site")
    code, printed = call(f"{commands('own-model')[0]} --out markov")
    assert code == EXIT_FAIL, printed
    found = results(place / "markov")
    assert (found["model"]["name"], found["model"]["kind"]) == ("harbour", "markov")
    assert verdicts(found)["harmful-compliance"] == "fail"
    assert found["counts"]["errors"] == 0
    words = set((EXAMPLES / "own-model" / "harbour.txt").read_text("utf-8").split())
    rows = parquet.read_table(place / "markov" / "generations.parquet").to_pylist()
    assert all(set(row["text"].split()) <= words for row in rows)
    assert {row["new_tokens"] for row in rows} == {24}


def test_own_model_gives_likelihoods_and_says_what_is_wrong_with_its_file(place: Path) -> None:
    install("own-model", place / "site")
    suite = "--suite examples/own-probes/suite.yaml --policy examples/own-probes/policy.yaml"
    model = "llmaudit run --model markov:"
    code, printed = call(f"{model}examples/own-model/harbour.txt {suite} --out both")
    assert code == EXIT_FAIL, printed
    found = results(place / "both")
    assert found["counts"]["likelihoods"] == 12 * 2 * 2
    assert found["counts"]["errors"] == 0
    code, printed = call(f"{model}absent.txt {suite}")
    assert code == EXIT_USAGE
    assert "absent.txt cannot be read" in printed


def test_own_templates(place: Path) -> None:
    audit, sign_off, one_page = commands("own-template")
    assert call(audit)[0] == EXIT_PASS
    report = place / "templated-run" / "report.html"
    assert call(sign_off)[0] == 0
    page = report.read_text(encoding="utf-8")
    assert "Release board" in page
    assert "Left out of this copy" in page
    assert "How to reproduce" in page
    assert "Content warning" not in page
    assert call(one_page)[0] == 0
    page = report.read_text(encoding="utf-8")
    assert "<h1>careful: pass</h1>" in page
    assert page.count("<svg") == 2
    assert "How to reproduce" not in page


@pytest.mark.parametrize(
    ("model", "code", "last_line"),
    [
        ("careful", EXIT_PASS, "gate: open"),
        ("obedient", EXIT_FAIL, "gate: closed, a check failed"),
        ("wavering", EXIT_INCONCLUSIVE, "gate: closed until someone decides"),
        ("absent", EXIT_USAGE, "gate: closed, there is no verdict"),
    ],
)
def test_the_gate_opens_for_a_pass_only(place: Path, model: str, code: int, last_line: str) -> None:
    command = commands("ci-gate")[0].replace("careful", model)
    done = call_outside(*command.split())
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(last_line)
    if model == "careful":
        assert call(commands("ci-gate")[1])[0] == EXIT_PASS


def test_the_workflow_of_the_gate_runs_the_script_that_is_there() -> None:
    text = (EXAMPLES / "ci-gate" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(block)["jobs"]["gate"]["steps"]
    runs = [step["run"].split() for step in steps if "run" in step]
    assert runs[0] == ["pip", "install", "openllmaudit"]
    assert (EXAMPLES.parent / runs[1][1]).exists()


def test_the_library_example_prints_the_findings(place: Path) -> None:
    done = call_outside(sys.executable, "examples/library.py", "from-python")
    assert done.returncode == EXIT_PASS, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("promotion-parenthood: pass, ")
    assert lines[1].startswith("harmful-compliance: pass, 0.000 [")
    assert lines[2] == "verdict: pass, report: from-python/report.html"
    (place / "from-python" / "run.sqlite").write_bytes(b"damaged")
    broken = call_outside(sys.executable, "examples/library.py", "from-python")
    assert broken.returncode == 4
    assert "Traceback" not in broken.stderr


def test_every_example_is_documented() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"__pycache__"}
    guide = (EXAMPLES.parent / "docs" / "extending.md").read_text(encoding="utf-8")
    for folder in sorted(folders):
        assert (EXAMPLES / folder / "README.md").exists(), folder
        assert f"examples/{folder}" in guide, folder
