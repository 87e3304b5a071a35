"""Worker: texts sampled by plain transformers ``generate`` in static batches sorted by length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from task import Stopwatch, answer, limit_threads, read_task
from transformers import AutoModelForCausalLM, AutoTokenizer


def sample(
    model: Any, tokenizer: Any, texts: Sequence[str], size: int, new_tokens: int
) -> tuple[list[int], int]:
    """Return the length of every new text, its end included, and the tokens of all prompts."""
    ordered = sorted(texts, key=lambda text: -len(tokenizer(text)["input_ids"]))
    end = model.generation_config.eos_token_id
    lengths: list[int] = []
    prompts = 0
    for start in range(0, len(ordered), size):
        batch = tokenizer(ordered[start : start + size], return_tensors="pt", padding=True)
        prompts += int(batch["attention_mask"].sum())
        with torch.inference_mode():
            whole = model.generate(
                **batch, do_sample=True, temperature=1.0, top_p=1.0, top_k=0,
                max_new_tokens=new_tokens, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        new = whole[:, batch["input_ids"].shape[1] :]
        tokenizer.batch_decode(new, skip_special_tokens=True)
        lengths += [_length(row, end) for row in new.tolist()]
    return lengths, prompts


def _length(tokens: list[int], end: int) -> int:
    """Return how many tokens were sampled: up to the first end, and it."""
    return tokens.index(end) + 1 if end in tokens else len(tokens)


def main() -> None:
    """Load, warm up, measure once for every batch size that is to be tried, answer."""
    task = read_task()
    dtype = getattr(torch, task["dtype"])
    model = AutoModelForCausalLM.from_pretrained(task["folder"], dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(task["folder"], padding_side="left")
    limit_threads(task)
    torch.manual_seed(task["seed"])
    sample(model, tokenizer, task["warm_up"], len(task["warm_up"]), 4)
    runs = []
    for size in task["batch_sizes"]:
        with Stopwatch() as watch:
            lengths, prompts = sample(model, tokenizer, task["texts"], size, task["new_tokens"])
        run = {"lengths": lengths, "tokens": sum(lengths), "prompt_tokens": prompts}
        runs.append({**watch.read(), **run, "batch_size": size})
    answer(task, runs, dtype=str(model.dtype).removeprefix("torch."))


if __name__ == "__main__":
    main()
