"""The table of a finished run: what each line says, at every width of a terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from cli_cases import POLICY, REFUSES, SUITE, model_text, write
from rich.console import Console

from llmaudit.audit import run_audit
from llmaudit.cli.remarks import describe_finding, shorten
from llmaudit.cli.verdicts import print_run
from llmaudit.config import AuditConfig
from llmaudit.findings import Because, Counts, Estimate, Finding, Run
from llmaudit.records import ModelFacts, Verdict, WeightFile
from llmaudit.report.wording import states
from llmaudit.verdicts.few_words import FEW


def estimate(
    part: str = "all", value: float | None = 0.06, low: float | None = 0.03,
    high: float | None = 0.11,
) -> Estimate:  # fmt: skip
    """Return an estimate."""
    return Estimate(part, value, low, high, 0.95, 100, 0, 20, "max-|t| bootstrap")


def finding(title: str, verdict: Verdict, reason: str = "", **more: object) -> Finding:
    """Return a finding that is held against ± 0.02 unless told otherwise."""
    values: dict[str, object] = {
        "check": title.lower().replace(" ", "-"),
        "kind": "disparity",
        "metric": "score_disparity",
        "probe_set": "s",
        "axis": None,
        "scorer": "toxicity",
        "margin": 0.02,
        "ideal": 0.0,
        "required": True,
        "why": "A test.",
        **more,
    }
    made = Finding(title=title, verdict=verdict, reason=reason, **values)  # type: ignore[arg-type]
    return replace(made, reason=FEW[made.because](made))


NO_INTERVAL = estimate("woman", 0.2, None, None)
OPEN = estimate("deaf", 0.019, 0.01, 0.03)

FINDINGS = (
    finding("toxicity probability", Verdict.INCONCLUSIVE, because=Because.ACROSS,
            metric="toxicity_probability", kind="ceiling", margin=0.05, estimate=estimate(),
            more_prompts=1340),
    finding("hiring disparity, gender", Verdict.PASS, because=Because.WITHIN, margin=0.5,
            estimate=estimate("man", -0.08, -0.31, 0.14)),
    finding("description toxicity, religion", Verdict.FAIL, because=Because.BEYOND,
            estimate=estimate("muslim"), scorer_own=-0.01),
    finding("harmful compliance", Verdict.FAIL, because=Because.BEYOND, kind="ceiling",
            metric="harmful_compliance", margin=0.05, estimate=estimate("all", 0.41, 0.29, 0.54)),
    finding("stereotype preference", Verdict.INCONCLUSIVE, because=Because.OUT_OF_REACH,
            metric="stereotype_preference", margin=0.1, ideal=0.5, estimate=OPEN),
    finding("hiring disparity, race", Verdict.INCONCLUSIVE, because=Because.NO_INTERVAL,
            estimate=NO_INTERVAL),
    finding("privacy", Verdict.NOT_TESTED, "No probe set of this run tests privacy.",
            because=Because.NOT_COVERED, check="coverage:privacy", kind="coverage", metric="",
            probe_set="", margin=None),
)  # fmt: skip

WIDE = """\
check                           estimate               margin      verdict
toxicity probability            0.060 [0.030, 0.110]   < 0.05      inconclusive  \
(about 1,340 more prompts would settle it, about 4 minutes on this machine)
hiring disparity, gender        −0.080 [−0.310, 0.140]  ± 0.5       pass
description toxicity, religion  0.060 [0.030, 0.110]   ± 0.02      FAIL          \
(“muslim” decides; larger than the scorer's own 0.01)
harmful compliance              0.410 [0.290, 0.540]   < 0.05      FAIL
stereotype preference           0.019 [0.010, 0.030]   0.5 ± 0.1   inconclusive  \
(even 100 times the data would not settle it)
hiring disparity, race          0.200                  ± 0.02      inconclusive  \
(too few templates with an outcome for an interval)
privacy                                                            not tested    \
(not in suite tiny)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a finished run of a scripted model with findings of every kind."""
    folder = tmp_path_factory.mktemp("run")
    config = AuditConfig(
        model=f"scripted:{write(folder, 'model.yaml', model_text(REFUSES))}",
        suite=str(write(folder, "tiny.yaml", SUITE)),
        policy=str(write(folder, "policy.yaml", POLICY)),
        out=folder / "run",
    )
    done = run_audit(config).run
    timing = replace(done.timing, settling_seconds={"toxicity-probability": 240.0})
    return replace(done, findings=FINDINGS, verdict=Verdict.FAIL, timing=timing)


def printed(run: Run, width: int, *, quiet: bool = False, terminal: bool = False) -> str:
    """Return what a console of this width shows."""
    out = StringIO()
    colours = "standard" if terminal else None
    console = Console(
        file=out, width=width, force_terminal=terminal, color_system=colours,  # type: ignore[arg-type]
        highlight=False,
    )  # fmt: skip
    print_run(run, report=Path("runs/x/report.html"), quiet=quiet, console=console)
    return out.getvalue()


def test_wide(run: Run) -> None:
    found = printed(run, 160)
    words = [line.split() for line in WIDE.splitlines()]
    table = found.split("\n\n")[1]
    assert [line.split() for line in table.splitlines()] == words
    heading, *rows = table.splitlines()
    for row in rows:
        start = heading.index("verdict")
        assert row[start - 2 : start] == "  "
        assert row[start:].split()[0] in {"inconclusive", "pass", "FAIL", "not"}
    assert "suite tiny · 84 requests · seed 0 · 0 min" in found
    assert found.endswith("\nVerdict: FAIL   report: runs/x/report.html\n")


@pytest.mark.parametrize("width", [80, 100])
def test_narrow(run: Run, width: int) -> None:
    found = printed(run, width)
    assert max(map(len, found.splitlines())) <= width
    lines = found.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("toxicity probability"))
    assert lines[place].endswith("inconclusive")
    told = " ".join(lines[place + 1 :]).split("hiring")[0]
    settling = "about 1,340 more prompts would settle it, about 4 minutes on this machine"
    assert " ".join(told.split()) == settling
    assert "    “muslim” decides; larger than the scorer's own 0.01" in lines
    assert "    not in suite tiny" in lines


@pytest.mark.parametrize("width", [30, 50, 65])
def test_very_narrow_loses_nothing(run: Run, width: int) -> None:
    found = " ".join(printed(run, width).split())
    for words in ("about 1,340 more prompts would settle it", "0.410 [0.290, 0.540]", "± 0.02"):
        assert words in found
    for word in ("description", "toxicity,", "religion"):
        assert word in found


def test_long_reasons_are_wrapped_and_whole(run: Run) -> None:
    reason = "Something nobody foresaw " + "happened again and " * 12 + "ended."
    odd = replace(run, findings=(finding("odd", Verdict.NOT_TESTED, reason),))
    for width in (80, 160):
        found = printed(odd, width)
        assert reason.removesuffix(".") in " ".join(found.replace("(", "").split())
        assert max(map(len, found.splitlines())) <= width


def test_colours_on_a_terminal_only(run: Run) -> None:
    assert "\x1b[" not in printed(run, 100)
    assert "\x1b[1;31mFAIL" in printed(run, 100, terminal=True)


def test_wide_letters_keep_the_columns(run: Run) -> None:
    rows = (finding("毒性", Verdict.PASS), finding("four", Verdict.PASS))
    lines = printed(replace(run, findings=rows), 100).split("\n\n")[1].splitlines()
    assert lines[1].index("±") == lines[2].index("±") - 2


def test_quiet(run: Run) -> None:
    assert printed(run, 20, quiet=True) == "Verdict: FAIL   report: runs/x/report.html\n"


def test_the_model_and_the_machine(run: Run) -> None:
    model = ModelFacts(
        name="m",
        source="org/m",
        digest="d",
        kind="causal",
        weight_format="safetensors",
        weights=(WeightFile("a", 1, "f" * 64), WeightFile("b", 1, "e" * 64)),
        licence="MIT",
        dtype="float32",
        device="cpu",
    )
    counts = replace(run.counts, requests=1_234, errors=1, empty=7)
    timing = replace(run.timing, seconds=221.2)
    real = replace(
        run, model=model, counts=counts, timing=timing, environment={"threads": "2"},
        warnings=("Scorer x could not be loaded.",),
    )  # fmt: skip
    lines = printed(real, 120).splitlines()
    assert lines[:3] == [
        "m  org/m · safetensors · sha256 ffffffff… and 1 more · MIT",
        "suite tiny · 1,234 requests · seed 0 · float32 on cpu (2 threads) · 3 min 41 s · 1 error, "
        "7 empty answers",
        "warning: Scorer x could not be loaded.",
    ]
    one = replace(
        real, environment={"threads": "1"}, model=replace(model, weights=model.weights[:1])
    )
    assert "(1 thread)" in printed(one, 120)
    assert "sha256 ffffffff… · MIT" in printed(one, 120)


@pytest.mark.parametrize(
    ("reason", "shorter"),
    [
        ("Probe set secrets is not in suite quick.", "not in suite quick"),
        ("The measure is undefined: no generation has a score.", "no generation has a score"),
        ("Scorer detoxify could not be loaded: put\nits file there.", "scorer detoxify not loaded"),
        ("No scorer for toxicity was used in this run.", "No scorer for toxicity was used in this "
         "run"),
    ],
)  # fmt: skip
def test_reasons_in_a_few_words(reason: str, shorter: str) -> None:
    assert shorten(reason) == shorter


def test_a_remark_says_only_what_the_table_does_not(run: Run) -> None:
    remarks = [describe_finding(one, "tiny", run.timing) for one in FINDINGS]
    assert remarks == [
        "about 1,340 more prompts would settle it, about 4 minutes on this machine",
        "",
        "“muslim” decides; larger than the scorer's own 0.01",
        "",
        "even 100 times the data would not settle it",
        "too few templates with an outcome for an interval",
        "not in suite tiny",
    ]


def test_a_construct_that_nothing_could_test_keeps_its_reason(run: Run) -> None:
    why = "bert cannot serve probe set openings: the prompt has no gap."
    lost = replace(FINDINGS[-1], check="coverage:toxicity", reason=why)
    assert describe_finding(lost, "tiny", run.timing) == why.removesuffix(".")
    assert describe_finding(FINDINGS[-1], "tiny", run.timing) == "not in suite tiny"


def test_what_the_model_cannot_do_is_told_apart_from_errors() -> None:
    counts = Counts(12, 12, 0, errors=1, empty=2, degenerate=0, refusals=0, unscored=0)
    assert states(counts) == "1 error, 2 empty answers"
    told = states(replace(counts, errors=0, unsupported=8))
    assert told == "0 errors, 2 empty answers, 8 unsupported by the model"


def test_a_title_from_a_policy_file_cannot_move_the_terminal(run: Run) -> None:
    hostile = replace(FINDINGS[2], title="\x1b[2Jtitle\n\u202e", because=Because.NOT_MEASURED,
                      reason="\x1b]0;said\x07")  # fmt: skip
    found = printed(replace(run, findings=(hostile,)), 120)
    assert "␛[2Jtitle⏎[U+202E]" in found
    assert not {"\x1b", "\x07", "\u202e"} & set(found)
