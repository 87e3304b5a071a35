"""What more data would cost on this machine, from what the run's own stages took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from llmaudit.findings import Finding
from llmaudit.records import Prompt, Task

_ASKING = {Task.GENERATE: "generations", Task.CHOICES: "likelihoods"}
_SCORING = "scores by "


def settling_seconds(
    findings: Iterable[Finding],
    stages: Iterable[Mapping[str, Any]],
    prompts: Mapping[str, Prompt],
    asked: Iterable[str],
) -> dict[str, float]:
    """Return, by check, the seconds that the prompts which would settle it would take.

    Each of these prompts is asked for as many results as the run asked of each prompt of the set
    on average; an answer is then scored by every scorer of the run.

    Parameters
    ----------
    findings : iterable of Finding
    stages : iterable of mapping
        The data of the run's stage events. Those that were stopped do not count: what their time
        bought is not known.
    prompts : mapping of prompt id to Prompt
    asked : iterable of str
        The prompt id of every result of the run.

    Returns
    -------
    dict of str to float
        No entry where no more data would settle a check, or where no stage of its task ended.
    """
    each = _seconds_each(stages)
    scoring = sum(took for stage, took in each.items() if stage.startswith(_SCORING))
    requests = Counter(asked)
    sets: dict[str, list[Prompt]] = {}
    for prompt_id in requests:
        sets.setdefault(prompts[prompt_id].probe_set, []).append(prompts[prompt_id])
    found: dict[str, float] = {}
    for finding in findings:
        its = sets.get(finding.probe_set, [])
        if finding.more_prompts is None or not its:
            continue
        task = its[0].task
        asking = each.get(_ASKING[task])
        if asking is not None:
            per_prompt = sum(requests[one.id] for one in its) / len(its)
            request = asking + (scoring if task is Task.GENERATE else 0.0)
            found[finding.check] = finding.more_prompts * per_prompt * request
    return found


def _seconds_each(stages: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return how long one result of each stage took."""
    seconds: Counter[str] = Counter()
    results: Counter[str] = Counter()
    for stage in stages:
        if "results" in stage:
            seconds[str(stage["stage"])] += float(stage["seconds"])  # type: ignore[assignment]
            results[str(stage["stage"])] += int(stage["results"])
    return {name: seconds[name] / number for name, number in results.items() if number}
