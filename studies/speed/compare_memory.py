"""The most memory that llmaudit's work takes, against its weights and the cache of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bench import Answer, Bench, Outcome, Ratio, Row, alternate
from compare_generation import NEW_TOKENS, PROMPTS
from workload import Pair, read_pairs, read_prompts

AT_MOST = 1.3
BATCH_TOKENS = 8192
"""llmaudit's default budget of one batch."""
_BYTES = {"float32": 4, "bfloat16": 2}
_MIB = 2**20


def compare_memory(bench: Bench) -> Outcome:
    """Measure every number format and kind of work.

    What a process takes without weights is measured by the same program on a model of one tiny
    layer: all that is imported by then is imported there too.
    """
    outcome = Outcome()
    small = bench.scratch / "small"
    size = bench.work("shrink_model.py", small=str(small))
    works: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "generation": ("generate_llmaudit.py", *_generation(bench)),
    }
    if bench.pairs_file.is_file():
        pairs = read_pairs(bench.pairs_file, bench.sample)
        works["likelihoods"] = ("likelihoods_llmaudit.py", *_likelihoods(pairs))
    else:
        outcome.skipped.append(f"memory of likelihoods: no file {bench.pairs_file}")
    for dtype in bench.dtypes:
        for name, (script, whole, least) in works.items():
            full, empty = alternate(
                bench.rounds,
                partial(bench.work, script, dtype=dtype, **whole),
                partial(bench.work, script, dtype=dtype, **{**least, "folder": str(small)}),
            )
            setting = f"{dtype}, {name}"
            outcome.rows += _rows(setting, full, empty, size, _BYTES[dtype])
            outcome.keep(dtype=dtype, work=name, size=size, full=full, empty=empty)
    return outcome


def _generation(bench: Bench) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the work whose memory is measured, and the least of its kind."""
    task = {"samples": 1, "seed": 1, "to_the_end": False, "warm_up": ["a"]}
    texts = read_prompts(bench.sample or PROMPTS)
    whole = {**task, "texts": texts, "new_tokens": NEW_TOKENS}
    return whole, {**task, "texts": ["a"], "new_tokens": 2}


def _likelihoods(pairs: Sequence[Pair]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the same for likelihoods."""
    return {"pairs": pairs, "warm_up": pairs[:1]}, {"pairs": [["a", "b"]], "warm_up": [["a", "b"]]}


def _rows(
    setting: str, full: Sequence[Answer], empty: Sequence[Answer], size: Answer, width: int
) -> list[Row]:
    """Return what was taken beyond a process without weights, against what must be held.

    A batch of likelihoods keeps no keys and values, but the promise counts those of its tokens;
    the second line leaves them out.
    """
    weights = size["parameters"] * width
    run = full[0]["runs"][0]
    tokens = min(BATCH_TOKENS, run["tokens"] + run.get("prompt_tokens", 0))
    cache = tokens * size["cache_numbers_per_token"] * width
    taken = [a["peak_bytes"] - b["peak_bytes"] for a, b in zip(full, empty, strict=True)]
    beneath = empty[0]["peak_bytes"]
    loading = full[0]["peak_bytes_loading"] - empty[0]["peak_bytes_loading"]
    ours = f"{_mib(sum(taken) / len(taken))} beyond {_mib(beneath)} ({_mib(loading)} by loading)"
    computed = f"weights {_mib(weights)} + cache of {tokens} tokens {_mib(cache)}"
    return [
        Row("memory", setting, ours, computed, _against(taken, weights + cache), at_most=AT_MOST),
        Row("memory", setting, ours, f"weights {_mib(weights)}", _against(taken, weights)),
    ]


def _against(taken: Sequence[int], computed: int) -> Ratio:
    each = [one / computed for one in taken]
    return Ratio(sum(each) / len(each), min(each), max(each))


def _mib(size: float) -> str:
    return f"{size / _MIB:.0f} MiB"
