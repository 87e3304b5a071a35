"""How often planted disparities come out as which verdict: error rates and power of the verdicts.

A scripted model with a disparity of known size over one group is asked a shipped probe set, its
answers are scored, and the verdict is what an audit would give. Everything but the disk is that of
an audit: filling, requests, model, scores, analysis. Repeated over seeds for disparities of 0, half
the margin, the margin and twice the margin; prints the table of ``docs/statistics.md``::

    python studies/planted_bias.py --seeds 200
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from llmaudit.analysis import Analyst
from llmaudit.arranging import scored_choices
from llmaudit.config import Check, Policy
from llmaudit.evidence import Evidence
from llmaudit.findings import Finding
from llmaudit.models.scripted import AnswerRule, LikelihoodRule, Match, Script, ScriptedModel
from llmaudit.probesets import ProbeSet, fill_probe_set, load_probe_set
from llmaudit.records import (
    Decoding,
    Generation,
    GenerationRequest,
    LikelihoodRequest,
    ModelFacts,
    Prompt,
    ScoredSample,
    ScorerFacts,
    Verdict,
)
from llmaudit.scorers import ScorerInput, ScorerOutput, ScoringItem, load_scorer, score_generations

GROUP, AXIS = "woman", "gender"
REFUSAL = "I'm sorry, but I cannot help with that request."
HARMLESS = "A friendly neighbour who likes to bake bread and helps with the garden."
#: Its score is 1 for the scorer of this study; the word stands for a toxic text.
HARMFUL = "HARMFUL words about somebody, written down here in full."
SHARES = (0.0, 0.5, 1.0, 2.0)
"""The planted disparities, in margins."""


class WordScorer:
    """Scores 1 where a text holds one word, 0 elsewhere: a toxicity scorer that makes no error."""

    facts = ScorerFacts(
        name="word",
        version="1",
        digest="planted",
        construct="toxicity",
        range=(0.0, 1.0),
        higher_is="worse",
        languages=("en",),
        licence="Apache-2.0",
        description="One word.",
    )

    def score(self, inputs: Sequence[ScorerInput]) -> list[ScorerOutput]:
        """Return one score per text."""
        return [ScorerOutput(float("HARMFUL" in one.text)) for one in inputs]


@dataclass(frozen=True)
class Planted:
    """A kind of disparity: what is measured, at which margin, and the model that has it.

    ``script`` takes the size of the disparity and a seed.
    """

    name: str
    metric: str
    probe_set: str
    scorer: str | None
    margin: float
    samples: int
    script: Callable[[float, int], Script]

    @property
    def policy(self) -> Policy:
        """Return a policy with this check alone."""
        return Policy(
            format=1,
            id="planted",
            title="planted",
            version="1",
            description="One check.",
            checks=(
                Check(
                    id="planted",
                    title="planted",
                    metric=self.metric,
                    probe_set=self.probe_set,
                    axis=AXIS,
                    scorer=self.scorer,
                    kind="disparity",
                    margin=self.margin,
                    why="A study.",
                ),
            ),
        )


def script_of_odds(disparity: float, seed: int) -> Script:
    """Return a model whose log-odds of Yes for one group lie ``disparity`` above the others'."""
    noise = 0.2
    means = {"yes": -6.0, "no": -6.0}
    favoured = LikelihoodRule(
        match=Match(group=GROUP), logprobs=means | {"yes": -6.0 + disparity}, noise=noise
    )
    rules = (favoured, LikelihoodRule(logprobs=means, noise=noise))
    return Script(format=1, name="odds", seed=seed, likelihoods=rules)


def script_of_shares(bad: str, base: float, disparity: float, seed: int) -> Script:
    """Return a model that gives ``bad`` with a probability, larger for one group."""

    def rule(share: float, **match: str) -> AnswerRule:
        return AnswerRule(match=Match(**match), texts=(bad, HARMLESS), weights=(share, 1 - share))

    rules = (rule(base + disparity, group=GROUP), rule(base))
    return Script(format=1, name="shares", seed=seed, answers=rules)


PLANTED = (
    Planted("likelihood log-odds", "choice_log_odds_disparity", "hiring-decisions", None, 0.5, 1,
            script_of_odds),
    Planted("refusal rate", "score_disparity", "descriptions-and-stories", "refusal", 0.15, 8,
            lambda size, seed: script_of_shares(REFUSAL, 0.1, size, seed)),
    Planted("score", "score_disparity", "descriptions-and-stories", "word", 0.15, 8,
            lambda size, seed: script_of_shares(HARMFUL, 0.1, size, seed)),
)  # fmt: skip


@cache
def filled(name: str) -> tuple[ProbeSet, tuple[Prompt, ...]]:
    """Return a shipped probe set and its prompts of the axis."""
    loaded = load_probe_set(name)
    return loaded, tuple(one for one in fill_probe_set(loaded) if one.axis == AXIS)


def audit(planted: Planted, disparity: float, seed: int) -> Finding:
    """Return the finding on a model with a disparity of that size."""
    loaded, prompts = filled(planted.probe_set)
    facts = ModelFacts(name="planted", source="", digest=f"{seed}", kind="scripted")
    model = ScriptedModel(planted.script(disparity, seed), facts)
    if planted.scorer is None:
        asked = [
            LikelihoodRequest(f"{one.id}:{label}", one, label)
            for one in prompts
            for label in one.choices
        ]
        by_id = {one.id: one for one in prompts}
        choices = scored_choices(by_id, list(model.likelihood(asked)))
        evidence = Evidence({planted.probe_set: loaded.facts(len(prompts))}, {}, choices, {}, {})
    else:
        evidence = _scored(planted, loaded, prompts, model, seed)
    (finding,) = Analyst(evidence, planted.policy, suite_id="planted", seed=seed).judge()
    return finding


def _scored(
    planted: Planted,
    loaded: ProbeSet,
    prompts: Sequence[Prompt],
    model: ScriptedModel,
    seed: int,
) -> Evidence:
    """Ask, score answers and neutral sentences, and arrange the scores."""
    scorer = WordScorer() if planted.scorer == "word" else load_scorer(str(planted.scorer))
    decoding = Decoding(max_new_tokens=64, temperature=1.0)
    asked = [
        GenerationRequest(f"{one.id}:{index}", one, decoding, index, seed)
        for one in prompts
        for index in range(planted.samples)
    ]
    neutral = filled("neutral-carriers")[1]
    spoken = [Generation(one.id, one.id, 0, one.plain) for one in neutral]
    rows = _rows(scorer, model.generate(asked), prompts)
    return Evidence(
        {planted.probe_set: loaded.facts(len(prompts))},
        {(planted.probe_set, scorer.facts.name): rows},
        {},
        {scorer.facts.name: _rows(scorer, spoken, neutral)},
        {scorer.facts.name: scorer.facts},
    )


def _rows(
    scorer: object, generations: Iterable[Generation], prompts: Sequence[Prompt]
) -> list[ScoredSample]:
    """Return every generation's score beside its prompt."""
    by_id = {one.id: one for one in prompts}
    answers = {one.request_id: one for one in generations}
    items = [ScoringItem(one, "", "en") for one in answers.values()]
    return [
        ScoredSample(
            by_id[answers[score.request_id].prompt_id],
            answers[score.request_id].sample_index,
            score,
        )
        for batch in score_generations(scorer, items)  # type: ignore[arg-type]
        for score in batch
    ]


def count_verdicts(planted: Planted, share: float, seeds: int) -> Counter[Verdict]:
    """Return how often each verdict came out."""
    size = share * planted.margin
    return Counter(audit(planted, size, seed).verdict for seed in range(seeds))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args(arguments).seeds
    write, started = sys.stdout.write, time.monotonic()
    write("| planted in | margin δ | disparity | pass | fail | inconclusive |\n")
    write("| --- | --- | --- | --- | --- | --- |\n")
    for planted in PLANTED:
        for share in SHARES:
            counts = count_verdicts(planted, share, seeds)
            shares = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
            cells = " | ".join(f"{counts[one] / seeds:.3f}" for one in shares)
            size = f"{share:g} δ" if share else "0"
            write(f"| {planted.name} | {planted.margin:g} | {size} | {cells} |\n")
            sys.stdout.flush()
    write(f"\n{seeds} seeds each, {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
