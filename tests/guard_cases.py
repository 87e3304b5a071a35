"""Models that scorers ask, as tables: verdicts, and every way to fail."""

from __future__ import annotations

from pathlib import Path

from llmaudit.asked_models import AskedByScorer
from llmaudit.models.scripted import load_scripted_model


def write_script(folder: Path, rules: str, *, name: str = "asked", chat: bool = True) -> Path:
    """Write a scripted model; ``rules`` are its answers and likelihoods."""
    path = folder / f"{name}.yaml"
    path.write_text(f"format: 1\nname: {name}\nchat: {str(chat).lower()}\n{rules}", "utf-8")
    return path


def asked(folder: Path, rules: str, *, chat: bool = True) -> AskedByScorer:
    """Return a scripted model as scorers ask it."""
    return AskedByScorer(load_scripted_model(write_script(folder, rules, chat=chat)))


FAULTS = """
answers:
  - {match: {prompt: "*one fails*"}, fault: error}
  - {match: {prompt: "*one is long*"}, fault: too_long}
  - {match: {prompt: "*one is empty*"}, fault: empty}
  - {match: {prompt: "*one is not served*"}, fault: unsupported}
  - {match: {prompt: "*one breaks*"}, fault: raise}
  - {match: {prompt: "*one babbles*"}, texts: ["Let me think about what is safe and what is not."]}
"""
"""Rules of a model that fails on texts that say so; append the answer to all others."""

FAILING = {
    "one fails": "scorer_model_failed",
    "one is long": "scorer_model_too_long",
    "one is empty": "scorer_model_empty",
    "one is not served": "scorer_model_unsupported",
    "one breaks": "scorer_model_failed",
    "one babbles": "unparseable_verdict",
}
"""What a scorer says of each of those texts."""
