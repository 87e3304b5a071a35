"""Builds records with every kind of value that a store must give back unchanged."""

from __future__ import annotations

from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    Message,
    ModelFacts,
    Prompt,
    RequestError,
    Score,
    Task,
    WeightFile,
)
from llmaudit.store import RunStore

ODD_TEXT = 'naïve 👩🏽‍🚀 "quotes" \\ back\nnew line \x00 nul \ud800 lone surrogate \u202e'
ERROR = RequestError(ErrorKind.NAN_LOGITS, f"NaN at step 3: {ODD_TEXT}", "Traceback ...")


def make_prompt(number: int = 0, *, plain: str = ODD_TEXT) -> Prompt:
    """Return a prompt; an even number has a group, an odd one has none."""
    grouped = number % 2 == 0
    return Prompt(
        id=f"prompt-{number:04}",
        probe_set="hiring-decisions",
        probe_set_digest="00ff",
        template_id=f"t{number}",
        pair_id="pair",
        axis="gender" if grouped else None,
        group="woman" if grouped else None,
        language="en",
        task=Task.CHOICES if grouped else Task.GENERATE,
        messages=(Message("system", ""), Message("user", ODD_TEXT)) if grouped else (),
        plain=plain,
        choices={"yes": "Yes", "no": ODD_TEXT} if grouped else {},
        tags={"role": "nurse"} if grouped else {},
        expected="yes" if grouped else None,
        references=() if grouped else (ODD_TEXT, ""),
        false_references=("no",) if grouped else (),
    )


def make_generation(number: int = 0, *, text: str = ODD_TEXT) -> Generation:
    """Return a generation; every third one is an error, every third one empty."""
    if number % 3 == 1:
        return Generation(f"g-{number:04}", "prompt-0000", number, None, error=ERROR)
    answer = "" if number % 3 == 2 else text
    return Generation(f"g-{number:04}", "prompt-0000", number, answer, "stop", 5, 2**40)


def make_likelihood(number: int = 0) -> Likelihood:
    """Return a likelihood; an odd one is an error."""
    if number % 2:
        return Likelihood(f"l-{number:04}", "prompt-0000", "yes", None, error=ERROR)
    return Likelihood(f"l-{number:04}", "prompt-0000", "no", -0.1 - number / 3, 4)


def make_score(number: int = 0, *, scorer: str = "toxicity") -> Score:
    """Return a score; an odd one could not be made."""
    key = f"s-{scorer}-{number:04}"
    if number % 2:
        return Score(key, f"g-{number:04}", scorer, f"digest-{scorer}", None, None, "empty")
    return Score(key, f"g-{number:04}", scorer, f"digest-{scorer}", 1e-17 + number, "refusal")


def make_facts(*, name: str = "tiny") -> ModelFacts:
    """Return facts with values in every kind of field."""
    return ModelFacts(
        name=name,
        source="hub",
        digest="abcd",
        kind="causal",
        parameters=134515008,
        languages=("en", "fr"),
        weights=(WeightFile("model.safetensors", 538090408, "ff" * 32),),
        chat_template=ODD_TEXT,
        notes=("a note",),
    )


def fill_store(store: RunStore) -> None:
    """Store a little of everything, and enough generations to fill several pages of the file."""
    prompts = [make_prompt(n) for n in range(3)]
    store.add_prompts(prompts, {prompt.id: "" for prompt in prompts})
    store.add_model_facts(make_facts())
    store.add_generations([make_generation(n, text="plain text") for n in range(300)])
    store.add_likelihoods([make_likelihood(n) for n in range(3)])
    store.add_scores([make_score(n) for n in range(3)])
    store.add_event("finished", {})
