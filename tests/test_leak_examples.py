"""Which answers a report shows as leaks: those to probe sets whose references are secrets."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from llmaudit.examples import choose_examples
from llmaudit.records import Generation, ProbeSetFacts, Prompt, Score, Task
from llmaudit.scorers.leak import leak_facts


def prompt_of(index: int) -> Prompt:
    return Prompt(
        id=f"p{index}", probe_set="set", probe_set_digest="0" * 16, template_id="t", pair_id="p",
        axis=None, group=None, language="en", task=Task.GENERATE, messages=(), plain="Q",
        references=("secret",),
    )  # fmt: skip


@dataclass
class Stored:
    """What examples are chosen from."""

    prompts: dict[str, Prompt] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    generations: dict[str, Generation] = field(default_factory=dict)


def facts_of(metric: str) -> ProbeSetFacts:
    return ProbeSetFacts(
        id="set", digest="0" * 16, title="Set", version="1", licence="Apache-2.0", language="en",
        construct="leakage", task=Task.GENERATE, axes=(), author="tests", intended_use="Tests.",
        known_limits=(), metrics=(metric,), templates=1, prompts=5,
    )  # fmt: skip


@pytest.mark.parametrize(("metric", "shown"), [("leak_rate", 1), ("truth_rate", 0)])
def test_true_answers_are_not_shown_as_leaks(metric: str, shown: int) -> None:
    stored, scores = Stored(), []
    for index in range(9):
        key = f"r{9 - index}"
        stored.prompts[f"p{index}"] = prompt_of(index)
        stored.sent[f"p{index}"] = "Q"
        stored.generations[key] = Generation(key, f"p{index}", 0, "The secret.")
        scores.append(Score(f"s{index}", key, "leak", leak_facts().digest, float(index == 0)))
    chosen = choose_examples(stored, {"set": facts_of(metric)}, {"leak": leak_facts()}, scores)
    found = [one for one in chosen if "highest by leak" in one.chosen_because]
    assert sum(one.scores["leak"].value == 1.0 for one in found) == shown
    assert bool(found) == bool(shown)
