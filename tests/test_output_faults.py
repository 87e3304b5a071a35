"""Output that cannot be written: a clear error, and nothing half-written passes for finished."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from audit_cases import GOOD, small_audit, small_config
from llmaudit.artifacts import ReportOptions, write_artifacts
from llmaudit.audit import check_run, report_run, run_audit
from llmaudit.errors import EXIT_INCOMPLETE, InvalidFileError, ModelError, StoreError
from llmaudit.store import RunStore

_MAIN = "from llmaudit.cli import main; main()"


def _command(folder: Path, out: Path) -> list[str]:
    config = small_config(folder)
    return [
        *(sys.executable, "-c", _MAIN, "run", "--model", config.model, "--suite", config.suite),
        *("--policy", config.policy, "--out", str(out), "--quiet"),
    ]


@pytest.mark.parametrize("room", [10_000, 150_000, 400_000])
def test_full_disk_ends_the_run_with_a_message(tmp_path: Path, room: int) -> None:
    out = tmp_path / "run"
    stopped = subprocess.run(
        _command(tmp_path, out),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert stopped.returncode == EXIT_INCOMPLETE, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "run" in stopped.stderr
    assert not (out / "manifest.json").exists()
    assert not (out / "report.html").exists()
    resumed = subprocess.run(_command(tmp_path, out), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "manifest.json").exists()


def test_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="file"):
        small_audit(tmp_path, out=tmp_path / "file" / "run")


def test_report_that_cannot_be_written_leaves_no_manifest(tmp_path: Path) -> None:
    finished = small_audit(tmp_path)
    (finished.directory / "results.json").unlink()
    (finished.directory / "results.json").mkdir()
    with pytest.raises(StoreError, match="llmaudit report"):
        write_artifacts(
            finished.directory, finished.run, iter(()), content_digest="0", options=ReportOptions()
        )
    assert not (finished.directory / "manifest.json").exists()
    assert not list(finished.directory.glob(".*partial"))


def test_model_that_breaks_ends_the_run_and_keeps_what_it_said(tmp_path: Path) -> None:
    breaking = GOOD.replace(
        "answers:", "answers:\n  - {match: {probe_set: benign-lookalikes}, fault: raise}"
    )
    with pytest.raises(ModelError, match="goes on from there"):
        run_audit(small_config(tmp_path, breaking))
    assert not (tmp_path / "run" / "manifest.json").exists()
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        assert len(store.done_request_ids()) == 84 * 2
    with pytest.raises(StoreError, match="not finished"):
        check_run(tmp_path / "run")
    assert "Traceback" in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_faulty_template_leaves_the_finished_report_alone(tmp_path: Path) -> None:
    finished = small_audit(tmp_path)
    before = (finished.directory / "manifest.json").read_bytes()
    faulty = tmp_path / "faulty.html.j2"
    faulty.write_text("{% for %}", encoding="utf-8")
    with pytest.raises(InvalidFileError, match="faulty"):
        report_run(finished.directory, options=ReportOptions(template=faulty))
    assert (finished.directory / "manifest.json").read_bytes() == before


def test_config_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    finished = small_audit(tmp_path)
    text = (finished.directory / "config.yaml").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert "model.yaml" in text
