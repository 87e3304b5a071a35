"""Worker: log-probabilities of sentence pairs by llmaudit, through its library."""

from __future__ import annotations

from typing import Any

from task import Stopwatch, answer, limit_threads, peak_bytes, read_task

from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.records import LikelihoodRequest, Prompt, Task


def requests_for(pairs: list[list[str]]) -> list[LikelihoodRequest]:
    """Return two requests per pair: each sentence stands alone."""
    requests = []
    for number, pair in enumerate(pairs):
        name = f"pair-{number:05}"
        prompt = Prompt(
            id=name, probe_set="crows-pairs", probe_set_digest="", template_id=name, pair_id=name,
            axis=None, group=None, language="en", task=Task.CHOICES, messages=(), plain="",
            choices={"more": pair[0], "less": pair[1]},
        )  # fmt: skip
        requests += [
            LikelihoodRequest(f"{name}-{label}", prompt, label) for label in prompt.choices
        ]
    return requests


def score(model: Any, pairs: list[list[str]]) -> tuple[list[float], int]:
    """Return both log-probabilities of every pair, in order, and the tokens that were scored."""
    requests = requests_for(pairs)
    found = {likelihood.request_id: likelihood for likelihood in model.likelihood(requests)}
    values = [found[request.id].logprob for request in requests]
    return values, sum(likelihood.tokens for likelihood in found.values())


def main() -> None:
    """Load, warm up, measure, answer."""
    task = read_task()
    model = load_model(task["folder"], LoadOptions(device="cpu", dtype=task["dtype"]))
    loaded = peak_bytes()
    limit_threads(task)
    score(model, task["warm_up"])
    with Stopwatch() as watch:
        values, tokens = score(model, task["pairs"])
    run = {**watch.read(), "tokens": tokens, "logprobs": values}
    answer(task, [run], dtype=model.facts.dtype, peak_bytes_loading=loaded)


if __name__ == "__main__":
    main()
