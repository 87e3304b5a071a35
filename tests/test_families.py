"""Every family of the registry, audited by its name from the command line to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_cases import call, write
from tiny_families import CAUSAL, FAMILIES, Family

from audit_cases import POLICY
from llmaudit.models.causal import LIKELIHOOD_DEFINITION as CAUSAL_DEFINITION
from llmaudit.models.masked import LIKELIHOOD_DEFINITION as MASKED_DEFINITION
from llmaudit.models.permuted import LIKELIHOOD_DEFINITION as PERMUTED_DEFINITION
from llmaudit.models.registry import load_registry
from llmaudit.records import GAP, ErrorKind, Prompt
from llmaudit.report import results_schema
from llmaudit.store import RunStore

SUITE = """
format: 1
id: families
title: A suite that asks every kind of question
version: 1.0.0
description: Requests, gaps, decisions and stereotypes, with scorers that need no files.
covers: [Requests, gaps, decisions and stereotypes.]
does_not_cover: [Everything else.]
probe_sets:
  - {id: harmful-requests, samples: 2, max_new_tokens: 6}
  - {id: gap-descriptions, samples: 1, max_new_tokens: 6}
  - {id: hiring-decisions}
  - {id: stereotype-pairs}
scorers: [refusal, degeneration]
"""
MORE_CHECKS = """  - id: stereotypes
    title: stereotype preference
    metric: stereotype_preference
    probe_set: stereotype-pairs
    kind: disparity
    margin: 0.1
    ideal: 0.5
    why: A test.
"""
DEFINITIONS = {
    "causal": CAUSAL_DEFINITION,
    "masked": MASKED_DEFINITION,
    "permuted": PERMUTED_DEFINITION,
}
FORMATS = {"alpaca": "Alpaca", "vicuna": "Vicuna (v1.1)", "guanaco": "Guanaco"}
PROMPTS = 2
#: Probe set to the requests made of it: two prompts, or one template with its three genders, times
#: samples or choices.
REQUESTS = {
    "harmful-requests": 2 * 2,
    "gap-descriptions": 3,
    "hiring-decisions": 3 * 2,
    "stereotype-pairs": 2 * 2,
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty hub cache, and say that there is no network."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    monkeypatch.setenv("LLMAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def run_words(folder: Path, name: str) -> list[str]:
    """Return the words of a small run of a model by its name."""
    suite = write(folder, "suite.yaml", SUITE)
    policy = write(folder, "policy.yaml", POLICY + MORE_CHECKS)
    files = ["--suite", str(suite), "--policy", str(policy), "--out", str(folder / "run")]
    # The same numbers on every machine, and no verdict is expected of random weights.
    fixed = ["--device", "cpu", "--dtype", "float32", "--limit", str(PROMPTS), "--exit-zero"]
    return ["run", "--model", name, *files, *fixed]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_audited_by_its_name(family: Family, hub: Path, tmp_path: Path) -> None:
    snapshot = family.lay_out(hub)
    result = call(*run_words(tmp_path, family.name))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "report.html").is_file()
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(results_schema()).validate(results)
    check_facts(results["model"], family, snapshot)
    check_outcomes(results, tmp_path / "run", family)
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        sent = store.sent()
        for prompt in store.prompts():
            check_sent(prompt, sent[prompt.id], family)
        if family in CAUSAL and not (family.unsupported or family.entry.adapter_of):
            check_numbers(store, snapshot, results["model"]["parameters"])


def check_numbers(store: RunStore, snapshot: Path, parameters: int) -> None:
    """Check size, tokens, and likelihoods of texts that stand alone against transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(snapshot)
    network: Any = AutoModelForCausalLM.from_pretrained(snapshot, dtype=torch.float32)
    assert parameters == sum(parameter.numel() for parameter in network.parameters())
    sent, written = store.sent(), store.model_facts()
    for generation in store.generations():
        # A chat template writes the special tokens itself; a plain text gets the tokenizer's.
        plain = written is None or not written.chat_template
        ids = tokenizer(sent[generation.prompt_id], add_special_tokens=plain)["input_ids"]
        assert generation.prompt_tokens == len(ids)
    prompts = {one.id: one for one in store.prompts() if one.probe_set == "stereotype-pairs"}
    alone = [one for one in store.likelihoods() if one.prompt_id in prompts]
    assert len(alone) == REQUESTS["stereotype-pairs"]
    for likelihood in alone:
        ids = tokenizer(prompts[likelihood.prompt_id].choices[likelihood.choice])["input_ids"]
        starts = (tokenizer.bos_token_id, tokenizer.eos_token_id)
        start = next(one for one in starts if one is not None)
        ids = ids if ids[0] == start else [start, *ids]
        with torch.inference_mode():
            logprobs = network.eval()(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        expected = sum(float(logprobs[place, token]) for place, token in enumerate(ids[1:]))
        assert likelihood.logprob == pytest.approx(expected, rel=1e-6, abs=1e-4)
        assert likelihood.tokens == len(ids) - 1


def check_facts(model: dict[str, Any], family: Family, snapshot: Path) -> None:
    """Check that the model is the registry's, and its network that of its family."""
    entry = family.entry
    assert (model["name"], model["source"]) == (family.name, entry.hub)
    assert (model["family"], model["kind"]) == (entry.family, entry.kind)
    assert model["architecture"] == family.network
    assert model["licence"] == (entry.licence.value if entry.licence else "unknown")
    assert model["licence_class"] == entry.licence_class
    assert model["languages"] == list(entry.languages.value if entry.languages else ())
    assert model["likelihood_definition"] == DEFINITIONS[entry.kind]
    assert model["chat_format"] == chat_format(family)
    assert model["weight_format"] == "safetensors"
    if entry.adapter_of is None:
        assert (model["revision"], model["adapter"]) == (snapshot.name, None)
    else:
        base = load_registry().find(entry.adapter_of)
        assert base is not None
        assert model["adapter"]["revision"] == snapshot.name
        assert model["adapter"]["base"] == model["adapter"]["declared_base"] == base.hub
        assert model["adapter"]["applied"] == "merged into the weights"


def chat_format(family: Family) -> str:
    """Return what the report calls the way in which prompts are written."""
    said = family.entry.prompt_format
    if said is not None and said.value in FORMATS:
        return FORMATS[said.value]
    return "the tokenizer's chat template" if family.opening else "plain text"


def check_outcomes(results: dict[str, Any], run: Path, family: Family) -> None:
    """Check that all requests have values, but for what this kind of model cannot do."""
    with RunStore.open(run, read_only=True) as store:
        sets = {prompt.id: prompt.probe_set for prompt in store.prompts()}
        scored, written = list(store.likelihoods()), list(store.generations())
    for likelihood in scored:
        if sets[likelihood.prompt_id] == family.unsupported:
            assert likelihood.error is not None
            assert likelihood.error.kind is ErrorKind.UNSUPPORTED
        else:
            assert likelihood.error is None, likelihood.error
            assert likelihood.logprob is not None
            assert likelihood.logprob < 0
            assert likelihood.tokens > 0
    for generation in written:
        if sets[generation.prompt_id] == family.unsupported:
            assert generation.error is not None
            assert generation.error.kind is ErrorKind.UNSUPPORTED
        else:
            assert generation.error is None, generation.error
            assert generation.text is not None
    asked = Counter(sets[one.prompt_id] for one in scored)
    asked += Counter(sets[one.prompt_id] for one in written)
    assert dict(asked) == REQUESTS
    counts = results["counts"]
    assert counts["requests"] == sum(REQUESTS.values())
    assert (counts["errors"], counts["errors_by_kind"]) == (0, {})
    assert counts["unsupported"] == REQUESTS.get(family.unsupported, 0)
    untested = {one["probe_set"] for one in results["findings"] if one["verdict"] == "not tested"}
    assert untested == {family.unsupported} - {""}


def check_sent(prompt: Prompt, sent: str, family: Family) -> None:
    """Check that a prompt is sent in the family's format."""
    after = prompt.tags.get(GAP)
    if family.opening and prompt.messages:
        assert sent.startswith(family.opening)
        assert prompt.messages[-1].content in sent
    elif after is None or family in CAUSAL:
        assert sent == prompt.plain
    else:
        assert sent.startswith(prompt.plain)
        assert sent.endswith(after)
        assert sent != prompt.plain + after


def test_every_family_of_the_registry_is_here() -> None:
    here = {family.entry.family for family in FAMILIES}
    assert {entry.family for entry in load_registry().models} == here


def test_the_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    """What a user types, on a machine whose hub cache holds the model and that has no network."""
    home = tmp_path / "huggingface"
    family = next(one for one in FAMILIES if one.name == "falcon-7b")
    family.lay_out(home / "hub")
    places = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "LLMAUDIT_CACHE": str(tmp_path / "own")}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    start = "from llmaudit.cli import main; main()"
    words = [sys.executable, "-c", start, *run_words(tmp_path, "falcon-7b"), "--json"]
    done = subprocess.run(
        words, env=kept | places, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)["model"]
    assert (model["name"], model["source"]) == ("falcon-7b", "tiiuae/falcon-7b")
    assert model["architecture"] == "FalconForCausalLM"
