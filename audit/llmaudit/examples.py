"""Generations as rows of evidence, and those that a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from llmaudit.arranging import prompt_text
from llmaudit.findings import Example
from llmaudit.records import Generation, ProbeSetFacts, Prompt, Score, ScorerFacts

_MOST_EXAMPLES = 3

LEAKS = frozenset({"leak_rate", "injection_rate", "extraction_rate"})
"""The metrics of probe sets whose references are what no answer should hold."""


class Shown(Protocol):
    """What rows and examples are made of, such as `llmaudit.gathering.StoredRun`."""

    @property
    def prompts(self) -> Mapping[str, Prompt]:
        """Prompts by id."""
        ...

    @property
    def sent(self) -> Mapping[str, str]:
        """Exact texts that were sent, by prompt id."""
        ...

    @property
    def generations(self) -> Mapping[str, Generation]:
        """Generations by request id."""
        ...


def evidence_rows(stored: Shown, scores: Sequence[Score]) -> Iterator[dict[str, Any]]:
    """Yield one row per generation: what was sent, what came back, every score it got."""
    by_request: dict[str, list[Score]] = {}
    for score in scores:
        by_request.setdefault(score.request_id, []).append(score)
    for request_id, one in stored.generations.items():
        prompt = stored.prompts[one.prompt_id]
        columns = ("probe_set", "template_id", "pair_id", "axis", "group", "language")
        yield {
            **{name: getattr(prompt, name) for name in columns},
            "request_id": request_id,
            "prompt_id": one.prompt_id,
            "sent": stored.sent[one.prompt_id],
            "sample_index": one.sample_index,
            "text": one.text,
            "error_kind": one.error.kind.value if one.error else None,
            "error_message": one.error.message if one.error else None,
            "finish": one.finish,
            "prompt_tokens": one.prompt_tokens,
            "new_tokens": one.new_tokens,
            "scores": [
                {
                    "scorer": score.scorer,
                    "scorer_digest": score.scorer_digest,
                    "value": score.value,
                    "label": score.label,
                    "reason": score.reason,
                }
                for score in by_request.get(request_id, [])
            ],
        }


def choose_examples(
    shown: Shown,
    probe_sets: Mapping[str, ProbeSetFacts],
    scorers: Mapping[str, ScorerFacts],
    scores: Sequence[Score],
) -> Iterator[Example]:
    """Choose generations to show: the highest scored, some by chance, some that failed.

    Parameters
    ----------
    shown : Shown
    probe_sets, scorers : mapping of str to ProbeSetFacts, ScorerFacts
    scores : sequence of Score
    """
    by_request: dict[str, dict[str, Score]] = {}
    for score in scores:
        by_request.setdefault(score.request_id, {})[score.scorer] = score
    for facts in probe_sets.values():
        found = [
            key
            for key, one in shown.generations.items()
            if shown.prompts[one.prompt_id].probe_set == facts.id
        ]
        chosen: dict[str, str] = {}
        for scorer, its in scorers.items():
            if its.higher_is == "worse" and _bears_on(facts, its):
                ranked = _ranked(found, by_request, scorer)
                chosen |= dict.fromkeys(ranked, f"among the highest by {scorer}")
        failed = sorted(key for key in found if not (shown.generations[key].text or "").strip())
        chosen |= dict.fromkeys(failed[:_MOST_EXAMPLES], "no answer")
        # Request ids are digests, so their order is a draw that no one chose.
        for key in sorted(found)[:_MOST_EXAMPLES]:
            chosen.setdefault(key, "drawn at random")
        for key, why in chosen.items():
            yield show_example(shown, key, by_request.get(key, {}), why)


def _bears_on(facts: ProbeSetFacts, scorer: ScorerFacts) -> bool:
    """Say whether a high score is worth showing; where references are true answers it is not."""
    if scorer.construct == "leakage":
        return not LEAKS.isdisjoint(facts.metrics)
    return scorer.construct != "degeneration"


def _ranked(
    found: Sequence[str], by_request: Mapping[str, Mapping[str, Score]], scorer: str
) -> list[str]:
    """Return the requests that a scorer gave its highest values."""
    values = {
        key: score.value
        for key in found
        if (score := by_request.get(key, {}).get(scorer)) is not None and score.value is not None
    }
    return sorted(values, key=lambda key: (-values[key], key))[:_MOST_EXAMPLES]


def show_example(shown: Shown, request_id: str, scores: Mapping[str, Score], why: str) -> Example:
    """Return one generation for the report, personal identifiers masked that it gives away.

    Parameters
    ----------
    shown : Shown
    request_id : str
    scores : mapping of scorer name to Score
        Every score it got.
    why : str
        Why it is shown.
    """
    one = shown.generations[request_id]
    prompt = shown.prompts[one.prompt_id]
    return Example(
        request_id=request_id,
        probe_set=prompt.probe_set,
        template_id=prompt.template_id,
        group=prompt.group,
        sent=shown.sent[one.prompt_id],
        text=_shown_text(one.text, prompt, scores),
        error=f"{one.error.kind.value}: {one.error.message}" if one.error else None,
        scores=scores,
        chosen_because=why,
    )


def _shown_text(text: str | None, prompt: Prompt, scores: Mapping[str, Score]) -> str | None:
    """Return an answer for the report, with the personal identifiers masked that it gives away."""
    leak = scores.get("pii")
    if text is None or leak is None or not leak.value:
        return text
    from llmaudit.scorers.pii import mask_leaks

    return mask_leaks(text, prompt_text(prompt), prompt.language)
