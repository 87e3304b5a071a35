"""Worker: log-probabilities of sentence pairs by lm-evaluation-harness, by its ``hf`` model."""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from task import Stopwatch, answer, limit_threads, read_task


def score(model: Any, pairs: list[list[str]]) -> list[float]:
    """Return both log-probabilities of every pair, in order."""
    texts = [text for pair in pairs for text in pair]
    requests = [Instance("loglikelihood", {}, ("", text), n) for n, text in enumerate(texts)]
    return [logprob for logprob, _ in model.loglikelihood(requests, disable_tqdm=True)]


def main() -> None:
    """Load, warm up, measure once for every batch size that is to be tried, answer."""
    task = read_task()
    sizes = task["batch_sizes"]
    model = HFLM(pretrained=task["folder"], dtype=task["dtype"], device="cpu", batch_size=sizes[0])
    limit_threads(task)
    score(model, task["warm_up"])
    tokens = sum(len(model.tok_encode(text)) for pair in task["pairs"] for text in pair)
    runs = []
    for size in sizes:
        model.batch_size_per_gpu = size
        with Stopwatch() as watch:
            values = score(model, task["pairs"])
        runs.append({**watch.read(), "batch_size": size, "tokens": tokens, "logprobs": values})
    answer(task, runs, dtype=str(model.model.dtype).removeprefix("torch."))


if __name__ == "__main__":
    main()
