"""Many samples of one long prompt against as many long prompts, both by llmaudit."""

from __future__ import annotations

from functools import partial

from bench import Bench, Outcome, Row, alternate, mean_of, ratio_of
from workload import long_prompts

SAMPLES, NEW_TOKENS, PROMPT_TOKENS = 25, 32, 300
AT_MOST = 0.45


def compare_samples(bench: Bench) -> Outcome:
    """Measure every number format. No text may end early, so both draw equally many tokens."""
    outcome = Outcome()
    texts = long_prompts(bench.folder, bench.sample or SAMPLES, PROMPT_TOKENS)
    for dtype in bench.dtypes:
        work = partial(
            bench.work, "generate_llmaudit.py", dtype=dtype, new_tokens=NEW_TOKENS, seed=1,
            to_the_end=True, warm_up=texts[:1],
        )  # fmt: skip
        shared, apart = alternate(
            bench.rounds,
            partial(work, texts=texts[:1], samples=len(texts)),
            partial(work, texts=texts, samples=1),
        )
        drawn = {answer["runs"][0]["tokens"] for answer in (*shared, *apart)}
        if drawn != {len(texts) * NEW_TOKENS}:
            outcome.faults.append(f"samples, {dtype}: {sorted(drawn)} tokens were drawn")
        outcome.rows.append(
            Row(
                "samples",
                f"{dtype}, {PROMPT_TOKENS} + {NEW_TOKENS} tokens",
                f"{mean_of(shared):.1f} s for {len(texts)} samples of one prompt",
                f"{mean_of(apart):.1f} s for {len(texts)} prompts",
                ratio_of(shared, apart),
                at_most=AT_MOST,
            )
        )
        outcome.keep(dtype=dtype, samples=len(texts), shared=shared, apart=apart)
    return outcome
