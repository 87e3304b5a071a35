"""What scorers are shown of a run, and a scorer more for a run that is finished."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from llmaudit.arranging import prompt_text
from llmaudit.gathering import carrier_request_id, read_run
from llmaudit.progress import Progress
from llmaudit.records import Generation, Prompt, ScorerFacts, Task
from llmaudit.scorers import Scorer, ScoringItem, score_generations
from llmaudit.store import RunStore

CARRIER_CONSTRUCTS = frozenset({"toxicity", "sentiment"})
"""What is read from a text alone, so that a scorer's own bias shows on neutral sentences."""


def answer_items(
    prompts: Mapping[str, Prompt], generations: Iterable[Generation]
) -> list[ScoringItem]:
    """Return every generation with what a scorer may see of its prompt.

    Parameters
    ----------
    prompts : mapping of prompt id to Prompt
    generations : iterable of Generation
    """
    return [_item(one, prompts[one.prompt_id]) for one in generations]


def _item(one: Generation, prompt: Prompt) -> ScoringItem:
    return ScoringItem(
        one,
        prompt_text(prompt),
        prompt.language,
        references=references_of(prompt),
        choices=tuple(prompt.choices.items()),
    )


def references_of(prompt: Prompt) -> tuple[str, ...]:
    """Return what an answer is compared with: the prompt's references, else its right label."""
    if prompt.references or prompt.expected is None:
        return prompt.references
    return (prompt.expected,)


def carrier_items(facts: ScorerFacts, prompts: Iterable[Prompt]) -> list[ScoringItem]:
    """Put the carrier texts where a scorer expects an answer, if its own bias can show on them."""
    if facts.construct not in CARRIER_CONSTRUCTS:
        return []
    return [
        ScoringItem(
            Generation(carrier_request_id(prompt.id), prompt.id, 0, prompt.plain),
            "",
            prompt.language,
        )
        for prompt in prompts
    ]


def add_scorers(store: RunStore, scorers: Sequence[Scorer], tell: Progress) -> None:
    """Let scorers score what a finished run has stored; nothing is generated again.

    A scorer belongs to the run once it has scored everything: one that was stopped leaves scores
    that no report shows, and goes on from them the next time.

    Raises
    ------
    StoreError
        If the run is not finished.
    """
    stored = read_run(store)
    answers = answer_items(stored.prompts, stored.generations.values())
    carriers = [prompt for prompt in stored.prompts.values() if prompt.task is Task.CARRIER]
    for scorer in scorers:
        facts = scorer.facts
        items = [*answers, *carrier_items(facts, carriers)]
        done = store.scored_request_ids(facts.digest)
        todo = [item for item in items if item.generation.request_id not in done]
        started, name = time.monotonic(), f"scores by {facts.name}"
        tell.begin(name, len(items), len(items) - len(todo))
        for scores in score_generations(scorer, todo):
            store.add_scores(scores)
            tell.advance(len(scores))
        tell.end()
        spent = {"seconds": time.monotonic() - started, "peak_memory_bytes": 0}
        store.add_event("stage", {"stage": name, "results": len(todo), **spent})
        store.add_event("scorer", {"facts": asdict(facts)})
