"""Worker: texts sampled by llmaudit, through its library.

``texts`` are the prompts and ``samples`` how many are drawn of each. With ``to_the_end`` no token
ends a text, so that all have the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from task import Stopwatch, answer, limit_threads, peak_bytes, read_task

from llmaudit.models.loading import LoadOptions, load_model
from llmaudit.records import Decoding, GenerationRequest, Prompt, Task


def requests_for(
    texts: Sequence[str], samples: int, new_tokens: int, seed: int
) -> list[GenerationRequest]:
    """Return a request for each sample of each text, to be continued as plain text."""
    decoding = Decoding(max_new_tokens=new_tokens, temperature=1.0, top_p=1.0)
    requests = []
    for number, text in enumerate(texts):
        name = f"text-{number:05}"
        prompt = Prompt(
            id=name, probe_set="speed", probe_set_digest="", template_id=name, pair_id=name,
            axis=None, group=None, language="en", task=Task.GENERATE, messages=(), plain=text,
        )  # fmt: skip
        requests += [
            GenerationRequest(f"{name}-{index}", prompt, decoding, index, seed)
            for index in range(samples)
        ]
    return requests


def sample(model: Any, task: dict[str, Any], texts: Sequence[str]) -> list[Any]:
    """Return the generations; none may have failed."""
    requests = requests_for(texts, task["samples"], task["new_tokens"], task["seed"])
    found = list(model.generate(requests))
    failed = [one.error for one in found if one.error is not None]
    if failed or len(found) != len(requests):
        raise SystemExit(f"{len(failed)} of {len(requests)} generations failed: {failed[:1]}")
    return found


def main() -> None:
    """Load, warm up, measure, answer; the token that ends a text is counted too."""
    task = read_task()
    model: Any = load_model(task["folder"], LoadOptions(device="cpu", dtype=task["dtype"]))
    loaded = peak_bytes()
    limit_threads(task)
    if task["to_the_end"]:
        model._network.stop_ids = frozenset()
    list(model.generate(requests_for(task["warm_up"], 1, 4, 1)))
    with Stopwatch() as watch:
        found = sample(model, task, task["texts"])
    lengths = [one.new_tokens + (one.finish == "stop") for one in found]
    prompts = {one.prompt_id: one.prompt_tokens for one in found}
    run = {"lengths": lengths, "tokens": sum(lengths), "prompt_tokens": sum(prompts.values())}
    run |= watch.read()
    answer(task, [run], dtype=model.facts.dtype, peak_bytes_loading=loaded)


if __name__ == "__main__":
    main()
