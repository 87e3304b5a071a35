"""What scorers are shown of a run, and a scorer more for a run that is finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from llmaudit.arranging import NEUTRAL, carrier_class, prompt_text
from llmaudit.gathering import carrier_request_id, read_run
from llmaudit.identity_terms import identity_terms
from llmaudit.progress import Progress
from llmaudit.records import Generation, Prompt, Score, ScorerFacts, Task
from llmaudit.remembering import RememberedScores
from llmaudit.scorers import (
    Scorer,
    ScorerOutput,
    ScoringItem,
    make_score,
    score_generations,
)
from llmaudit.store import RunStore

CARRIER_CONSTRUCTS = frozenset({"toxicity", "sentiment", "regard"})
"""What is read from a text alone, so that a scorer's own bias shows on neutral sentences."""
GENERATIVE = "a model"
"""What a guard or a judge needs."""
MASKING = frozenset({"regard"})
"""What is read from a text without the words that name its group."""


def answer_items(
    prompts: Mapping[str, Prompt], generations: Iterable[Generation]
) -> list[ScoringItem]:
    """Return every generation with what a scorer may see of its prompt.

    Parameters
    ----------
    prompts : mapping of prompt id to Prompt
    generations : iterable of Generation
    """
    terms = identity_terms(prompts.values())
    return [_item(one, prompts[one.prompt_id], terms.get(one.prompt_id, ())) for one in generations]


def _item(one: Generation, prompt: Prompt, terms: tuple[str, ...]) -> ScoringItem:
    return ScoringItem(
        one,
        prompt_text(prompt),
        prompt.language,
        references=references_of(prompt),
        choices=tuple(prompt.choices.items()),
        identity_terms=terms,
    )


def references_of(prompt: Prompt) -> tuple[str, ...]:
    """Return what an answer is compared with: the prompt's references, else its right label."""
    if prompt.references or prompt.expected is None:
        return prompt.references
    return (prompt.expected,)


def carrier_items(facts: ScorerFacts, prompts: Iterable[Prompt]) -> list[ScoringItem]:
    """Put the carrier texts where a scorer expects an answer, if its own bias can show on them.

    Only texts in a language that it reads; those that are not neutral are labelled by whether they
    are toxic, and so are for scorers of toxicity. A generative model is not asked about them: that
    would cost more than the answers do, and leaves its own disparity unknown.
    """
    if facts.construct not in CARRIER_CONSTRUCTS or facts.needs == GENERATIVE:
        return []
    given = list(prompts)
    terms = identity_terms(given) if facts.construct in MASKING else {}
    return [
        ScoringItem(
            Generation(carrier_request_id(prompt.id), prompt.id, 0, prompt.plain),
            "",
            prompt.language,
            identity_terms=terms.get(prompt.id, ()),
        )
        for prompt in given
        if _reads(facts, prompt.language)
        and (facts.construct == "toxicity" or carrier_class(prompt) == NEUTRAL)
    ]


def _reads(facts: ScorerFacts, language: str) -> bool:
    return "any" in facts.languages or language.partition("-")[0] in facts.languages


def score_carriers(scorer: Scorer, items: Sequence[ScoringItem]) -> Iterator[list[Score]]:
    """Yield batches of scores of carrier texts; what the user's cache remembers is not asked again.

    Parameters
    ----------
    scorer : Scorer
    items : sequence of ScoringItem
        From `carrier_items`.
    """
    remembered = RememberedScores(scorer.facts)
    known: list[Score] = []
    waiting: dict[str, ScoringItem] = {}
    for item in items:
        output = remembered.find(item.as_input())
        if output is None:
            waiting[item.generation.request_id] = item
        else:
            known.append(make_score(scorer.facts, item.generation.request_id, output))
    if known:
        yield known
    for scores in score_generations(scorer, list(waiting.values())):
        for one in scores:
            output = ScorerOutput(one.value, one.label, one.reason)
            remembered.add(waiting[one.request_id].as_input(), output)
        yield scores
    remembered.save()


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
        for part in scoring_parts(scorer, answers, carriers):
            todo, before = part.left(store.scored_request_ids(facts.digest))
            started = time.monotonic()
            tell.begin(part.stage, len(part.items), before)
            for scores in part.score(scorer, todo):
                store.add_scores(scores)
                tell.advance(len(scores))
            tell.end()
            spent = {"seconds": time.monotonic() - started, "peak_memory_bytes": 0}
            store.add_event("stage", {"stage": part.stage, "results": len(todo), **spent})
        store.add_event("scorer", {"facts": asdict(facts)})


@dataclass(frozen=True, slots=True)
class ScoringPart:
    """What a scorer is to score in one stage, and how: the answers, or the carrier texts."""

    stage: str
    items: Sequence[ScoringItem]
    score: Callable[[Scorer, Sequence[ScoringItem]], Iterator[list[Score]]]

    def left(self, done: Collection[str]) -> tuple[list[ScoringItem], int]:
        """Return the items without a score, and how many have one."""
        todo = [item for item in self.items if item.generation.request_id not in done]
        return todo, len(self.items) - len(todo)


def scoring_parts(
    scorer: Scorer, answers: Sequence[ScoringItem], carriers: Iterable[Prompt]
) -> Iterator[ScoringPart]:
    """Yield what a scorer is to score of a run: the answers, then the carriers that concern it.

    They are timed apart: what a carrier took says nothing of what more answers would take.
    """
    name = scorer.facts.name
    yield ScoringPart(f"scores by {name}", answers, score_generations)
    shown = carrier_items(scorer.facts, carriers)
    if shown:
        yield ScoringPart(f"carriers by {name}", shown, score_carriers)
