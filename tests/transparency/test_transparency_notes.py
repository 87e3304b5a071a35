"""Transparency notes: what is known stands there, what is not reads unknown, folders are cut."""

from __future__ import annotations

import getpass
import os
import platform
import socket
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from llmaudit.findings import Counts, Distribution, Measurement, Run, Timing
from llmaudit.records import ModelFacts, ProbeSetFacts, ScorerFacts, Task, Verdict, WeightFile
from llmaudit.transparency import (
    METHOD_LIMITS,
    environment_facts,
    hide_folders,
    hide_folders_in,
    timing_notes,
    transparency_notes,
)
from llmaudit.transparency.environment import package_version, processor_name
from llmaudit.transparency.scoring import flatten, own_disparity


def disparity(values: dict[str, float], scorer: str = "tox") -> Measurement:
    """Return a scorer's own disparity on 12 carriers."""
    points = np.array(list(values.values()))
    observed = Distribution(points, np.zeros((0, len(values))), points, 12) if values else None
    return Measurement(
        "score_disparity",
        "carriers",
        "religion",
        scorer,
        tuple(values),
        observed,
        60,
        0,
        reason=None if values else "no carrier was scored",
    )


@pytest.fixture
def bare() -> Run:
    """Return a run of which as little as possible is known."""
    return Run(
        id="r",
        directory="/home/ada/runs/tiny-quick-2026-11-22/",
        command="llmaudit run",
        config={},
        model=ModelFacts("tiny", "/home/ada/models/tiny", "d", "causal"),
        environment={"torch": "2.13.0", "Python": "3.11.7"},
        suite={},
        policy={},
        probe_sets=(),
        scorers=(),
        scorer_own=(),
        counts=Counts(5, 1, 1, 1, 1, 1, 0, 0, {"nan_logits": 1}),
        measured=(),
        findings=(),
        verdict=Verdict.INCONCLUSIVE,
        examples=(),
        timing=Timing("2026-11-22T06:00:00Z", "2026-11-22T06:01:00Z", 60.0),
    )


def section(run: Run, name: str) -> Mapping[str, str]:
    """Return one section of the notes."""
    return {note.name: note.text for note in transparency_notes(run) if note.section == name}


def test_what_nobody_said_reads_unknown(bare: Run) -> None:
    model = section(bare, "Model under audit")
    for name in (
        "licence",
        "kind of licence",
        "source of that licence",
        "training data",
        "disclosure of training data",
        "source of that disclosure",
        "revision",
        "parameters",
        "languages",
        "context length",
        "weights",
    ):
        assert model[name] == "unknown"
    assert section(bare, "Decoding and seed")["seed"] == "unknown"
    assert section(bare, "Decoding and seed")["temperature"] == "unknown"


def test_sections_stand_in_order_and_end_with_every_limit(bare: Run) -> None:
    notes = transparency_notes(bare)
    assert list(dict.fromkeys(note.section for note in notes)) == [
        "Model under audit",
        "What the model was sent",
        "Decoding and seed",
        "Thresholds",
        "Software and hardware",
        "Missing data",
        "Limits of the method",
    ]
    assert tuple(n.text for n in notes if n.section == "Limits of the method") == METHOD_LIMITS
    assert any("no proof" in sentence for sentence in METHOD_LIMITS)


def test_known_facts_of_the_model(bare: Run) -> None:
    facts = ModelFacts(
        "tiny",
        "hub/tiny",
        "d",
        "causal",
        parameters=134_515_008,
        context_length=8192,
        weights=(WeightFile("model.gguf", 1_000, "ab" * 32),),
        notes=("pickle was allowed",),
        chat_format="chat template",
        chat_template="{{ m }}",
        languages=("en", "de"),
        licence="OPT-175B licence",
        licence_class="research only",
        licence_source="https://example.org/licence",
        training_data_disclosure="described",
        known_issues=("One. (https://example.org)", "Two, in /home/ada/models/tiny."),
    )
    run = Run(**{name: getattr(bare, name) for name in bare.__slots__} | {"model": facts})
    model, sent = section(run, "Model under audit"), section(run, "What the model was sent")
    assert model["parameters"] == "134,515,008"
    assert model["context length"] == "8,192 tokens"
    assert model["languages"] == "en, de"
    assert model["weights: model.gguf"] == f"1,000 bytes, SHA-256 {'ab' * 32}"
    assert model["note"] == "pickle was allowed"
    assert model["kind of licence"] == "research only"
    assert model["source of that licence"] == "https://example.org/licence"
    assert model["disclosure of training data"] == "described"
    issues = [note.text for note in transparency_notes(run) if note.name == "known issue"]
    assert issues == ["One. (https://example.org)", "Two, in …/tiny."]
    assert sent["chat template"] == "{{ m }}"
    assert sent["definition of likelihood"] == "no likelihood was used"


def test_missing_data_by_state(bare: Run) -> None:
    missing = section(bare, "Missing data")
    assert missing["requests"] == "5"
    assert missing["empty answers"] == "1"
    assert missing["errors: nan logits"] == "1"


def test_decoding_names_the_override_before_the_suite(bare: Run) -> None:
    suite = {
        "temperature": 1.0,
        "top_p": 0.9,
        "probe_sets": [
            {"id": "a", "samples": 2, "max_new_tokens": 48},
            {"id": "b", "samples": 1, "max_new_tokens": 48, "limit": 600},
            "not a mapping",
        ],
    }
    config = {"temperature": 0.0, "samples": None, "max_new_tokens": 16, "seed": 7}
    values = {name: getattr(bare, name) for name in bare.__slots__}
    decoding = section(Run(**values | {"suite": suite, "config": config}), "Decoding and seed")
    assert decoding == {
        "temperature": "0.0",
        "top p": "0.9",
        "seed": "7",
        "samples and length: a": "2 per prompt, at most 16 new tokens",
        "samples and length: b": "1 per prompt, at most 16 new tokens, at most 600 of its prompts",
    }


def test_datasheets_are_printed_once(bare: Run) -> None:
    facts = ProbeSetFacts(
        "s",
        "d",
        "Title",
        "1.0.0",
        "CC0",
        "en",
        "toxicity",
        Task.GENERATE,
        (),
        "Ada",
        "Auditing.",
        ("English only.", "Short."),
        ("emt",),
        24,
        1200,
        {"known_limits": ["x"], "not_for": "Training.", "sources": [{"claim": "c"}]},
    )
    values = {name: getattr(bare, name) for name in bare.__slots__}
    sheet = section(Run(**values | {"probe_sets": (facts,)}), "Probe sets")
    assert sheet["s: known limits"] == "English only. Short."
    assert sheet["s: not for"] == "Training."
    assert sheet["s: sources"] == "claim: c"
    assert "1,200 prompts from 24 templates" in sheet["s: content"]


def test_a_lexicon_that_two_sets_use_is_described_once(bare: Run) -> None:
    lexicon = {
        "id": "gender.en",
        "version": "1.0.0",
        "digest": "ab",
        "groups": {"woman": "women", "man": "men"},
        "sources": [{"claim": "Said in /home/ada/notes.", "source": "Doe 2020"}],
        "known_limits": [],
    }
    sets = tuple(
        ProbeSetFacts(
            *(name, "d", "Title", "1.0.0", "CC0", "en", "disparity", Task.GENERATE, ("gender",)),
            *("Ada", "Auditing.", (), (), 2, 4, {"lexicons": {"gender": lexicon}, "slurs": []}),
        )
        for name in ("one", "two")
    )
    run = Run(**{name: getattr(bare, name) for name in bare.__slots__} | {"probe_sets": sets})
    sheets = section(run, "Probe sets")
    assert sheets["one: lexicons"] == sheets["two: lexicons"] == "gender.en 1.0.0"
    assert sheets["one: slurs"] == "none"
    notes = [note for note in transparency_notes(run) if note.section.startswith("Groups")]
    assert [(note.name, note.text) for note in notes] == [
        ("gender.en 1.0.0", "digest ab"),
        ("gender.en 1.0.0: groups", "woman: women; man: men"),
        ("gender.en 1.0.0: sources", "Said in …/notes. (Doe 2020)"),
    ]


def test_a_datasheet_of_any_shape_is_told(bare: Run) -> None:
    sheet = {"lexicons": ["no mapping"], "more": {"a": [1, "two"], "b": None}}
    facts = ProbeSetFacts(
        *("s", "d", "Title", "1.0.0", "CC0", "en", "toxicity", Task.GENERATE, ()),
        *("Ada", "Auditing.", (), (), 2, 4, sheet),
    )
    run = Run(**{name: getattr(bare, name) for name in bare.__slots__} | {"probe_sets": (facts,)})
    assert section(run, "Probe sets")["s: more"] == "a: 1; two; b: None"


def test_a_scorer_stands_beside_its_error_and_its_own_disparity(bare: Run) -> None:
    facts = ScorerFacts(
        "tox",
        "1",
        "dd",
        "toxicity",
        (0.0, 1.0),
        "worse",
        ("en",),
        "Apache-2.0",
        "A classifier.",
        (WeightFile("head.npz", 10, "cd" * 32),),
        {"dev": {"auc": 0.93124}},
        0.5,
    )
    silent = ScorerFacts("other", "1", "ee", "x", (0, 1), "neutral", (), "unknown", "Phrases.")
    own = (disparity({"Jewish": 0.01, "Muslim": -0.034}), disparity({}))
    values = {name: getattr(bare, name) for name in bare.__slots__}
    run = Run(**values | {"scorers": (facts, silent), "scorer_own": own})
    told = [n for n in transparency_notes(run) if n.section == "Scorers and their measured error"]
    by_name = {note.name: note.text for note in told}
    texts = [note.text for note in told]
    assert by_name["tox: measured error"] == "on its card"
    assert "threshold 0.5" in by_name["tox: reading"]
    assert "at most 0.034 (Muslim, -0.034) on carriers, 60 texts, 12 carrier sentences" in texts
    assert "undefined: no carrier was scored" in texts
    assert by_name["other: measured error"] == "unknown"
    assert by_name["other: own disparity"] == "not measured in this run"


def test_own_disparity_takes_the_largest_size() -> None:
    assert own_disparity(disparity({"a": 0.02, "b": -0.01})).startswith("at most 0.02 (a, +0.02)")


def test_flatten_speaks_paths() -> None:
    card = {"sets": [{"n_texts": 3}, {"n_texts": 4}], "langs": ["en", "de"], "none": None, "no": []}
    assert dict(flatten(card)) == {
        "sets 1, n texts": "3",
        "sets 2, n texts": "4",
        "langs": "en, de",
        "none": "unknown",
        "no": "none",
    }


def test_time_is_told_apart_from_everything_else(bare: Run) -> None:
    timing = {note.name: note.text for note in timing_notes(bare)}
    assert timing["run directory"] == "tiny-quick-2026-11-22"
    assert timing["duration"] == "60.0 s"
    assert timing["peak memory"] == "unknown"
    assert "2026" not in "".join(note.text for note in transparency_notes(bare))
    assert "/home" not in "".join(note.text for note in transparency_notes(bare))


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("llmaudit run --model /home/ada/tiny --seed 0", "llmaudit run --model …/tiny --seed 0"),
        ("--out=/a/b/", "--out=…/b"),
        ("'~/models/tiny'", "'…/tiny'"),
        ("C:\\Users\\Ada\\m.gguf", "…/m.gguf"),
        ("https://hub.example/a/b", "https://hub.example/a/b"),
        ("HuggingFaceTB/SmolLM2 and/or runs/x", "HuggingFaceTB/SmolLM2 and/or runs/x"),
        ("either /or", "either /or"),
        ("(/etc/passwd, /root/x)", "(…/passwd, …/x)"),
    ],
)
def test_hide_folders(text: str, cut: str) -> None:
    assert hide_folders(text) == cut


def test_hide_folders_in_plain_data() -> None:
    plain = {"a": [Path("/x/y"), 1, None, True], 2: {"/q/r"}, "t": ("/a/b",)}
    assert hide_folders_in(plain) == {"a": ["…/y", 1, None, True], "2": ["…/r"], "t": ["…/b"]}


def test_environment_names_software_and_hardware_but_nobody() -> None:
    facts = environment_facts()
    assert facts["Python"].startswith(platform.python_version())
    assert facts["usable cores"] == str(len(os.sched_getaffinity(0)))
    assert facts["memory"] == f"{psutil.virtual_memory().total / 2**30:.1f} GiB"
    assert facts["openllmaudit"] != "not installed"
    for name in ("torch", "transformers", "threads", "accelerators", "processor"):
        assert facts[name]
    words = set(" ".join(facts.values()).split())
    assert not {socket.gethostname(), getpass.getuser(), str(Path.home())} & words
    assert not any("/home" in text or str(Path.cwd()) in text for text in facts.values())


def test_processor_and_versions() -> None:
    assert processor_name(["flags: x", "model name\t: Fast CPU 3000"]) == "Fast CPU 3000"
    assert processor_name([]) in {platform.processor(), platform.machine()}
    assert package_version("no-such-distribution-at-all") == "not installed"


def test_accelerators_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    assert environment_facts()["accelerators"] == "card 0, card 1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environment_facts()["accelerators"] == "none"


def test_cores_are_counted_where_affinity_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert environment_facts()["usable cores"] == str(os.cpu_count())
