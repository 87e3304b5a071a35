"""Which answers of a run labels can say something about, and how urgent each of them is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmaudit.agreement import disagreements
from llmaudit.errors import UnknownNameError, UsageError
from llmaudit.findings import Finding, Run
from llmaudit.records import Generation, Prompt, Score, ScorerFacts, Verdict
from llmaudit.review.planning import DISPUTED, OPEN, SETTLED, UNJUDGED, Candidate
from llmaudit.review.questions import QUESTIONS, Question

UNSCORED = "unscored"
"""The bin of answers for which the scorer has no value."""

_WIDE = 0.5
_OPEN = (Verdict.FAIL, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Answers:
    """What a run holds that labels are about: prompts, generations and current scores."""

    prompts: Mapping[str, Prompt]
    generations: Mapping[str, Generation]
    scores: Sequence[Score]
    scorers: Mapping[str, ScorerFacts]

    def prompt(self, request_id: str) -> Prompt:
        """Return the prompt that a generation answers."""
        return self.prompts[self.generations[request_id].prompt_id]

    def scores_by(self, scorer: str) -> dict[str, Score]:
        """Return a scorer's scores by request id."""
        return {one.request_id: one for one in self.scores if one.scorer == scorer}

    def with_text(self, probe_sets: Collection[str]) -> Iterator[str]:
        """Yield the request ids of all answers to these probe sets that hold any text."""
        for request_id, one in self.generations.items():
            if (one.text or "").strip() and self.prompts[one.prompt_id].probe_set in probe_sets:
                yield request_id


def choose_scorers(run: Run, named: str | None) -> list[ScorerFacts]:
    """Return the scorer of each construct that people can label, the first one that was measured.

    Parameters
    ----------
    run : Run
    named : str or None
        Only this scorer.

    Raises
    ------
    UnknownNameError
        If the run has no scorer of that name.
    UsageError
        If nothing that was measured with it, or with any scorer, can be labelled.
    """
    known = {facts.name: facts for facts in run.scorers}
    if named is not None and named not in known:
        raise UnknownNameError("scorer of this run", named, known)
    wanted = [named] if named is not None else list(known)
    chosen: dict[str, ScorerFacts] = {}
    for name in wanted:
        if probe_sets_of(run, known[name]):
            chosen.setdefault(known[name].construct, known[name])
    if not chosen:
        of = f"scorer {named!r}" if named else "any scorer of this run"
        raise UsageError(
            f"nothing that was measured with {of} can be labelled by people. Constructs that can: "
            f"{', '.join(QUESTIONS)}."
        )
    return list(chosen.values())


def probe_sets_of(run: Run, scorer: ScorerFacts) -> set[str]:
    """Return the probe sets whose measurements by a scorer human labels can correct."""
    question = QUESTIONS.get(scorer.construct)
    if question is None:
        return set()
    return {
        one.probe_set
        for one, _ in run.measured
        if one.scorer == scorer.name and one.metric in question.outcomes
    }


def find_candidates(run: Run, answers: Answers, scorer: ScorerFacts) -> list[Candidate]:
    """Return every answer that could be drawn for a scorer's construct."""
    scores, disputed = answers.scores_by(scorer.name), _disputed(answers, scorer.construct)
    constructs = {facts.name: facts.construct for facts in run.scorers}
    checks = [one for one in run.findings if constructs.get(str(one.scorer)) == scorer.construct]
    return [
        _candidate(key, answers.prompt(key), scores.get(key), scorer, disputed, checks)
        for key in answers.with_text(probe_sets_of(run, scorer))
        if not QUESTIONS[scorer.construct].of_groups or answers.prompt(key).group is not None
    ]


def _disputed(answers: Answers, construct: str) -> set[str]:
    """Return the answers that scorers of a construct label differently, or rate far apart."""
    known = {name: facts for name, facts in answers.scorers.items() if facts.construct == construct}
    return {
        one.request_id
        for one in disagreements(answers.scores, known, answers.generations)
        if one.apart or one.gap >= _WIDE
    }


def _candidate(
    request_id: str,
    prompt: Prompt,
    score: Score | None,
    scorer: ScorerFacts,
    disputed: Collection[str],
    checks: Sequence[Finding],
) -> Candidate:
    return Candidate(
        request_id,
        prompt.probe_set,
        DISPUTED if request_id in disputed else _tier(prompt, checks),
        score_bin(score, scorer, QUESTIONS[scorer.construct]),
        "" if prompt.group is None else f"{prompt.axis}/{prompt.group}",
    )


def _tier(prompt: Prompt, checks: Iterable[Finding]) -> str:
    """Return how urgent a prompt's answers are by the checks that they bear on."""
    own = [
        one
        for one in checks
        if one.probe_set == prompt.probe_set and one.axis in (None, prompt.axis)
    ]
    if any(one.verdict in _OPEN for one in own):
        return OPEN
    return SETTLED if own else UNJUDGED


def score_bin(score: Score | None, scorer: ScorerFacts, question: Question) -> str:
    """Return the label that a scorer gave, or in which quarter around its threshold the value lies.

    Parameters
    ----------
    score : Score or None
    scorer : ScorerFacts
    question : Question
    """
    if score is None or score.value is None:
        return UNSCORED
    if score.label in question.labels:
        return str(score.label)
    low, high = scorer.range
    middle = (low + high) / 2 if scorer.threshold is None else scorer.threshold
    if score.value < middle:
        return "low" if score.value < (low + middle) / 2 else "below"
    return "above" if score.value < (middle + high) / 2 else "high"
