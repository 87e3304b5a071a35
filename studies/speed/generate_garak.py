"""Worker: texts sampled by a Hugging Face generator of garak, one prompt per call.

``garak_class`` is ``Pipeline`` (garak's default for this kind of target) or ``Model``.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from garak import _config
from garak.attempt import Conversation, Message, Turn
from task import Stopwatch, answer, limit_threads, read_task


def load(task: dict[str, Any]) -> Any:
    """Return the generator: plain text, no chat template, and nothing cut off by rank."""
    _config.load_base_config()
    settings = {
        "max_tokens": task["new_tokens"],
        "temperature": 1.0,
        "top_k": 0,
        "use_chat": False,
        "deprefix_prompt": True,
        "hf_args": {
            "torch_dtype": task["dtype"],
            "device": "cpu",
            "do_sample": True,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
        },
    }
    name = task["garak_class"]
    kind = getattr(importlib.import_module("garak.generators.huggingface"), name)
    return kind(task["folder"], config_root={"generators": {"huggingface": {name: settings}}})


class CountingModel:
    """Stands before ``generate`` of the generator's network and counts what comes out."""

    def __init__(self, network: Any) -> None:
        self._generate = network.generate
        self.lengths: list[int] = []
        self.prompt_tokens = 0
        network.generate = self

    def __call__(self, *args: Any, **given: Any) -> Any:
        """Generate as before; one row at a time, so that its length is the text's."""
        whole = self._generate(*args, **given)
        read = given["input_ids"].shape[1]
        self.prompt_tokens += read
        self.lengths.append(whole.shape[1] - read)
        return whole


def ask(generator: Any, text: str) -> None:
    """Have one text continued."""
    (reply,) = generator.generate(Conversation([Turn("user", Message(text))]), 1)
    if reply is None or reply.text is None:
        raise SystemExit("garak's generator gave no answer; see its log")


def main() -> None:
    """Load, warm up, measure, answer."""
    task = read_task()
    generator = load(task)
    network = generator.model if task["garak_class"] == "Model" else generator.generator.model
    network.to(getattr(torch, task["dtype"]))
    limit_threads(task)
    torch.manual_seed(task["seed"])
    generator.max_tokens = 4
    ask(generator, task["warm_up"][0])
    generator.max_tokens = task["new_tokens"]
    counted = CountingModel(network)
    with Stopwatch() as watch:
        for text in task["texts"]:
            ask(generator, text)
    lengths = counted.lengths
    run = {"lengths": lengths, "tokens": sum(lengths), "prompt_tokens": counted.prompt_tokens}
    answer(task, [{**watch.read(), **run}], dtype=str(network.dtype).removeprefix("torch."))


if __name__ == "__main__":
    main()
